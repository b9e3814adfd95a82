"""The owners' side of a control round: what their terms forbid now, and what the round uses up of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from openadr_ven.domain.held import Condition, Round, UsedTerms
from openadr_ven.fleet.columns import Fleet, Floats, Mask, Mode
from openadr_ven.fleet.terms import Term, Usage, binding, burden

ROUND_MAX = timedelta(seconds=5)
"""What passed between two rounds beyond this was a stall of ours, which the leases bound elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bound:
    """What owners' terms forbid in one round."""

    withheld: Mask
    devices: Mapping[Term, int]
    """How many devices each binding term keeps out."""


class Owners:
    """Keeps the count of what was asked of every device, and says whose turn is over."""

    def __init__(self, fleet: Fleet, *, now: datetime) -> None:
        self._fleet = fleet
        self._counted_at = now
        self.usage = Usage.none(fleet.size, season=now.year)

    def restore(self, used: UsedTerms, last: Round | None, *, now: datetime) -> None:
        """Take up an earlier count; what the last round held is counted for as long as its lease lasted, or lasts."""
        event_s = np.frombuffer(used.event_s, dtype=np.float32)
        if event_s.size != self._fleet.size:
            return  # another fleet's
        self.usage = Usage(
            season=used.season,
            event_id=used.event_id,
            event_s=event_s,
            season_s=np.frombuffer(used.season_s, dtype=np.float32),
            season_events=np.frombuffer(used.season_events, dtype=np.uint16),
        )
        self._counted_at = now
        if last is not None and len(last.mode) == self._fleet.size:
            held = np.frombuffer(last.mode, dtype=np.uint8) != Mode.RELEASE
            away_s = max(0.0, (min(now, last.ends_at) - used.counted_at).total_seconds())
            self.usage = self.usage.counted(held, away_s, event_id=used.event_id, season=used.season)

    def bound(self, conditions: Iterable[Condition], *, event_id: str, now: datetime) -> Bound:
        found = binding(
            self._fleet.terms,
            self.usage,
            event_id=event_id,
            now_s=now.timestamp(),
            storm=Condition.STORM in conditions,
        )
        withheld = np.zeros(self._fleet.size, dtype=np.bool_)
        for rows in found.values():
            withheld |= rows
        return Bound(withheld=withheld, devices={term: int(rows.sum()) for term, rows in found.items()})

    def burden(self) -> Floats:
        return burden(self._fleet.terms, self.usage)

    def count(self, commanded: Mask, *, event_id: str, now: datetime) -> None:
        """These were under command since the last count."""
        passed = min(max(now - self._counted_at, timedelta(0)), ROUND_MAX)
        self._counted_at = now
        self.usage = self.usage.counted(commanded, passed.total_seconds(), event_id=event_id, season=now.year)

    def rest(self, now: datetime) -> None:
        """Nothing is under command."""
        self._counted_at = now

    def record(self, now: datetime) -> UsedTerms:
        usage = self.usage
        return UsedTerms(
            counted_at=now,
            season=usage.season,
            event_id=usage.event_id,
            event_s=usage.event_s.tobytes(),
            season_s=usage.season_s.tobytes(),
            season_events=usage.season_events.tobytes(),
        )
