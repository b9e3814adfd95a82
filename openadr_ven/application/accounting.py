"""What was asked, commanded, acknowledged and delivered: means over a few seconds of an event."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from openadr_ven.domain.held import Delivery

EVERY_S = 5
MEANS = ("asked_w", "allowed_w", "commanded_w", "acknowledged_w", "delivered_w")
NOT_FOLLOWED = "not_followed"
"""Devices took the command and gave less; the planner's causes say the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """An event's part of one round. Of several events at once, no watt is in two of them."""

    event_id: str
    asked_w: float
    allowed_w: float
    commanded_w: float
    acknowledged_w: float
    delivered_w: float
    shortfall_w: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Account:
    """Sums the rounds of one event over each span of five seconds."""

    event_id: str
    _starts_at: datetime | None = None
    _asking: bool = False
    _rounds: int = 0
    _sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _short: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, now: datetime, share: Share) -> Delivery | None:
        """Count a round in; what the last seconds came to, when they are over.

        A span ends after five seconds, and when asking begins or ends: what is let go is no part of what was asked.
        """
        asking = share.asked_w != 0
        begins = now.replace(microsecond=0)
        over = self._starts_at is not None and (
            asking != self._asking or begins.timestamp() // EVERY_S != self._starts_at.timestamp() // EVERY_S
        )
        done = self.close() if over else None
        self._starts_at, self._asking = self._starts_at or begins, asking
        self._rounds += 1
        for name in MEANS:
            self._sums[name] += getattr(share, name)
        behind_w = abs(share.commanded_w) - math.copysign(1.0, share.commanded_w) * share.delivered_w
        for cause, value in {**share.shortfall_w, NOT_FOLLOWED: max(0.0, behind_w)}.items():
            self._short[cause] += value
        return done

    def close(self) -> Delivery | None:
        """What has been counted so far; counting begins anew."""
        if self._starts_at is None:
            return None
        done = Delivery(
            event_id=self.event_id,
            at=self._starts_at,
            seconds=float(self._rounds),
            **{name: value / self._rounds for name, value in self._sums.items()},
            shortfall_w={cause: value / self._rounds for cause, value in self._short.items() if value > 0},
        )
        self._starts_at, self._rounds = None, 0
        self._sums.clear()
        self._short.clear()
        return done
