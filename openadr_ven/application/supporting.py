"""What devices are told of grid support (curves, droop, vars, power factors), and what became of it. Pure.

Beside dispatch: no watts are shared out, each device either knows a function or does not, and of several events that
set the same function of a device the one that goes before the others is followed. What gateways say they hold is what
this starts from, so that nothing of it needs a store: what should not be held any more is let go.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from openadr_core.model.event import SignalKind
from openadr_core.model.grid_support import EVERY_FUNCTION, GridFunction, GridSupport, functions_in
from openadr_core.model.timeline import Segment, precedence, segments
from openadr_ven.application.asking import RowsOf
from openadr_ven.domain.held import HeldEvent
from openadr_ven.fleet.columns import Fleet, Rows, gateways
from openadr_ven.gateways.contract import AbilityFrame, AckState, Reason, SupportAckFrame, SupportFrame

LEASE = timedelta(hours=1)
RENEWED_BELOW = timedelta(minutes=20)
SPARE = timedelta(seconds=10)
"""A device keeps what it was told so long after its end, so that what comes next finds no gap."""
RETRY = timedelta(seconds=30)
"""Whoever did not answer, or was not there, is told again."""
WARM_UP = timedelta(seconds=5)
"""In which gateways say what their devices know."""
RELEASED = "release"
"""In the place of an event, where there is none behind it any more."""
LONG_AGO, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
CODES: Mapping[Reason, tuple[str, str]] = {
    Reason.UNSUPPORTED_MODE: ("460", "no device knows it"),
    Reason.UNKNOWN_SLOT: ("460", "no device knows it"),
    Reason.OUT_OF_RANGE: ("454", "no device can be set so"),
}
"""Of what is final: what the event is answered."""

Key = tuple[int, GridFunction]
"""A row of the fleet and a function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an event asks of a device's function; without ``support``, that it is let go."""

    event_id: str
    version: int
    support: GridSupport | None
    ends_at: datetime | None

    @property
    def released_at(self) -> datetime:
        return NEVER if self.ends_at is None else self.ends_at + SPARE


NOTHING = Wish(event_id=RELEASED, version=0, support=None, ends_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a device was told last, and what its gateway said of it."""

    wish: Wish
    sequence: int
    until: datetime
    said_at: datetime
    state: AckState | None = None
    """None: nobody has answered."""
    reason: Reason = Reason.NONE

    @property
    def is_refused(self) -> bool:
        """For good."""
        return self.reason in CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with one event and function, for whoever watches."""

    event_id: str
    support: GridSupport
    devices: int
    acting: int
    """Of these, those whose gateway has said that they are set so."""
    refused: int


class Supporting:
    """Of one fleet."""

    def __init__(self, fleet: Fleet, *, rows_of: RowsOf, now: datetime) -> None:
        self._fleet = fleet
        self._rows_of = rows_of
        self._gateways = gateways(fleet)
        self._code = {name: code for code, name in enumerate(fleet.gateway_names)}
        self._knows = np.zeros(fleet.size, dtype=np.uint32)
        self._holds = np.zeros(fleet.size, dtype=np.uint32)
        self._declared = np.zeros(len(fleet.gateway_names), dtype=np.bool_)
        self._started_at = now
        self._sequence = 0
        self._wanted: dict[Key, Wish] = {}
        self._told: dict[Key, Told] = {}
        self._held: Mapping[str, HeldEvent] | None = None
        """The events that ``_wanted`` was made of …"""
        self._right_until = now
        """… and until when it is right."""
        self._look_at = now
        self._refusals: Mapping[str, tuple[str, str]] | None = None
        """None: to be looked at anew."""

    # -- what gateways say -------------------------------------------------------------

    def heard(self, report: SupportAckFrame | AbilityFrame) -> None:
        code = self._code.get(report.gateway)
        if code is None:
            return
        if isinstance(report, AbilityFrame):
            self._declare(report, code)
            return
        self._look_at, self._refusals = LONG_AGO, None
        rows = self._gateways.at(code, report.slots)
        for row in rows[rows >= 0].tolist():
            told = self._told.get((row, report.function))
            if told is not None and told.sequence == report.sequence:
                self._told[row, report.function] = replace(told, state=report.state, reason=report.reason)

    def _declare(self, report: AbilityFrame, code: int) -> None:
        rows = self._gateways.at(code, report.rows["slot"])
        ours, behind = rows >= 0, self._gateways.rows(code)
        before = self._knows[behind].copy(), self._holds[behind].copy()
        self._knows[behind] = self._holds[behind] = 0
        self._knows[rows[ours]] = report.rows["knows"][ours] & np.uint32(EVERY_FUNCTION)
        self._holds[rows[ours]] = report.rows["holds"][ours] & np.uint32(EVERY_FUNCTION)
        self._sequence = max(self._sequence, report.sequence)
        if not self._declared[code] or not np.array_equal(before[0], self._knows[behind]):
            self._held = None
        elif not np.array_equal(before[1], self._holds[behind]):
            self._look_at = LONG_AGO
        self._declared[code] = True

    def functions(self, rows: Rows, now: datetime) -> int | None:
        """What any of these devices knows; None while not all that could say it have had the time to."""
        waits = now < self._started_at + WARM_UP and not self._declared[self._fleet.gateway[rows]].all()
        return None if waits else int(np.bitwise_or.reduce(self._knows[rows], initial=np.uint32(0)))

    # -- what they are told ------------------------------------------------------------

    def frames(self, held: Mapping[str, HeldEvent], now: datetime) -> list[SupportFrame]:
        """What is to be sent now; it counts as sent, unless ``unsent`` says that it was not."""
        if held is not self._held or now >= self._right_until:
            self._read(held, now)
        elif now < self._look_at:
            return []
        self._look_at = NEVER
        due: dict[Key, Wish] = {}
        for key in (*self._wanted, *(key for key in self._told if key not in self._wanted), *self._left_over()):
            wish = self._wanted.get(key, NOTHING)
            if (moment := self._due_at(key, wish)) <= now:
                due[key] = wish
            else:
                self._look_at = min(self._look_at, moment)
        return list(self._told_now(due, now)) if due else []

    def unsent(self, frames: Iterable[SupportFrame]) -> None:
        """No broker has taken these."""
        lost = {frame.sequence for frame in frames}
        self._told = {key: told for key, told in self._told.items() if told.sequence not in lost}
        self._held = None

    def _told_now(self, due: Mapping[Key, Wish], now: datetime) -> Iterator[SupportFrame]:
        # Interpretation: milliseconds, where they are more, so that not even a VEN that lost its memory, and whose
        # gateways have lost theirs, says something else under a number that it has used.
        self._sequence = max(self._sequence + 1, int(now.timestamp() * 1_000))
        groups: defaultdict[tuple[int, GridFunction, Wish], list[int]] = defaultdict(list)
        for (row, function), wish in due.items():
            groups[int(self._fleet.gateway[row]), function, wish].append(row)
        for (code, function, wish), rows in groups.items():
            until = min(now + LEASE, wish.released_at)
            told = Told(wish=wish, sequence=self._sequence, until=until, said_at=now)
            self._told.update(((row, function), told) for row in rows)
            self._look_at = min(self._look_at, now + RETRY)
            yield SupportFrame(
                gateway=self._fleet.gateway_names[code], event_id=wish.event_id, event_version=wish.version,
                sequence=self._sequence, issued_at=now, start=now, end=until,
                slots=np.sort(self._fleet.slot[rows]).astype(np.uint16), function=function, support=wish.support,
            )  # fmt: skip

    def _due_at(self, key: Key, wish: Wish) -> datetime:
        told = self._told.get(key)
        if told is None or (told.wish.event_id, told.wish.support) != (wish.event_id, wish.support):
            return LONG_AGO
        if told.is_refused or (wish.support is None and told.state is AckState.COMPLETED):
            return NEVER
        if told.state in {None, AckState.REJECTED}:
            return told.said_at + RETRY
        return told.until - RENEWED_BELOW if told.until < wish.released_at and wish.support is not None else NEVER

    def _read(self, held: Mapping[str, HeldEvent], now: datetime) -> None:
        """What each function of each device is to be now, and until when that is so."""
        ruling: list[Segment] = []
        self._right_until = NEVER
        for one in held.values():
            event = one.as_acted_on(now)
            if event is None or all(signal.kind is not SignalKind.GRID_SUPPORT for signal in event.signals):
                continue
            found = segments(event, delay=one.delay, now=now)
            ruling += [
                segment for segment in found if segment.signal.kind is SignalKind.GRID_SUPPORT and segment.rules_at(now)
            ]
            edges = [edge for segment in found for edge in (segment.starts_at, segment.ends_at, one.stops_at) if edge]
            self._right_until = min((self._right_until, *(edge for edge in edges if edge > now)))
        self._wanted, self._refusals = {}, None
        for segment in sorted(ruling, key=lambda one: precedence(one.event)):
            self._want(segment)
        self._held = held
        # A release that nobody has to confirm any more is forgotten.
        self._told = {key: told for key, told in self._told.items() if key in self._wanted or not _is_over(told, now)}

    def _want(self, segment: Segment) -> None:
        support = segment.signal.support
        if support is None:
            return
        event = segment.event
        wish = Wish(event_id=event.id, version=event.version, support=support, ends_at=segment.ends_at)
        mask, knowing = self._rows_of(event, segment.signal), self._knows >> np.uint32(support.function) & 1 > 0
        for row in np.flatnonzero(knowing if mask is None else knowing & mask).tolist():
            self._wanted.setdefault((row, support.function), wish)

    def _left_over(self) -> Iterator[Key]:
        """What devices hold that nobody has told them in this life, and nobody wants."""
        for row in np.flatnonzero(self._holds).tolist():
            for function in functions_in(int(self._holds[row])):
                if (row, function) not in self._told and (row, function) not in self._wanted:
                    yield row, function

    # -- what came of it ---------------------------------------------------------------

    def refusals(self) -> Mapping[str, tuple[str, str]]:
        """Events that no device of theirs will follow: by id, the code and the words to answer them with."""
        if self._refusals is None:
            self._refusals = dict(self._refused())
        return self._refusals

    def _refused(self) -> Iterable[tuple[str, tuple[str, str]]]:
        refused: dict[str, tuple[str, str]] = {}
        followed: set[str] = set()
        for key, wish in self._wanted.items():
            told = self._told.get(key)
            if told is not None and told.is_refused and told.wish.event_id == wish.event_id:
                refused[wish.event_id] = CODES[told.reason]
            else:
                followed.add(wish.event_id)
        return ((event_id, answer) for event_id, answer in refused.items() if event_id not in followed)

    def standing(self) -> list[Standing]:
        """Of each event and function that rules now."""
        groups: defaultdict[Wish, list[Told | None]] = defaultdict(list)
        for key, wish in self._wanted.items():
            groups[wish].append(self._told.get(key))
        return [
            Standing(
                event_id=wish.event_id,
                support=wish.support,
                devices=len(told),
                acting=sum(1 for one in told if one is not None and one.state is AckState.STARTED),
                refused=sum(1 for one in told if one is not None and one.is_refused),
            )
            for wish, told in groups.items()
            if wish.support is not None
        ]


def _is_over(told: Told, now: datetime) -> bool:
    if told.wish.support is not None:
        return False
    return told.state is AckState.COMPLETED or told.is_refused or told.until <= now
