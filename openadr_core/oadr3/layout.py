"""Where the intervals of an OpenADR 3 event lie in time, for both sides (User Guide 7.2 to 7.4).

What a period says for the whole event holds for each interval, member by member, unless the
interval says otherwise. An interval without an absolute start follows the one before it; the first
one begins with the event. An event that is longer than its intervals repeats them, a shorter one
cuts them off. A random start is drawn once per event by whoever asks, and is an argument here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

from openadr_core.errors import RemoteProtocolError
from openadr_core.oadr3.messages import EventRequest, Interval, IntervalPeriod, ValuesMap
from openadr_core.oadr3.times import Length, Months, Sentinel, later

NOTHING = timedelta()
NO_PERIOD = IntervalPeriod()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One interval, placed in time."""

    index: int
    """Counted from the event's first interval on, through all its repetitions."""
    id: int
    """As the event numbers it; the same in every repetition."""
    starts_at: datetime
    ends_at: datetime | None
    """Exclusive; None for ever."""
    payloads: tuple[ValuesMap, ...] = ()
    uncut: timedelta | None = None
    """How long it would be if the event did not end before it; None if the event does not."""

    @property
    def length(self) -> timedelta | None:
        """None for ever."""
        return None if self.ends_at is None else self.ends_at - self.starts_at

    def covers(self, now: datetime) -> bool:
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All intervals of an event. They may repeat without end, so they are asked for, not listed."""

    first: tuple[Placed, ...]
    """The intervals as they are written, in the order they are written."""
    lap: timedelta | None = None
    """After how long they come again; None if they do not."""
    ends_at: datetime | None = None
    """Exclusive; None for ever."""
    implied: bool = False
    """The event has no intervals, only a period: their ids count on through all repetitions."""

    @property
    def starts_at(self) -> datetime | None:
        """None for an event without intervals."""
        return min((placed.starts_at for placed in self.first), default=None)

    def is_active(self, now: datetime) -> bool:
        """Whether ``now`` lies in the event's span, gaps included (7.3)."""
        starts_at = self.starts_at
        return starts_at is not None and starts_at <= now and not self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now

    def at(self, now: datetime) -> Placed | None:
        """The interval that covers ``now``: a late reader skips ahead to it. Of two, the one written later."""
        covering = [placed for placed in self.between(now, now) if placed.covers(now)]
        return covering[-1] if covering else None

    def between(self, since: datetime, until: datetime) -> Iterator[Placed]:
        """The intervals that touch ``[since, until]``, lap by lap."""
        for lap in self._laps(since):
            found = [self._placed(placed, lap) for placed in self.first]
            if all(placed is None or placed.starts_at > until for placed in found):
                return
            yield from (
                placed
                for placed in found
                if placed is not None
                and placed.starts_at <= until
                and (placed.ends_at is None or placed.ends_at >= since)
            )

    def nth(self, index: int) -> Placed | None:
        """The interval with this index; None if the event has none."""
        if not self.first or (self.lap is None and index >= len(self.first)):
            return None
        lap, position = divmod(index, len(self.first))
        return self._placed(self.first[position], lap)

    def _laps(self, since: datetime) -> Iterator[int]:
        if self.lap is None or self.starts_at is None:
            return iter((0,))
        return count(max(0, (since - self.starts_at) // self.lap - 1))

    def _placed(self, placed: Placed, lap: int) -> Placed | None:
        """The interval in this lap, cut where the event ends; None if it begins after that."""
        later = NOTHING if self.lap is None else self.lap * lap
        try:
            starts_at = placed.starts_at + later
            ends_at = None if placed.ends_at is None else placed.ends_at + later
        except OverflowError:
            return None
        uncut = placed.uncut
        if self.ends_at is not None:
            if starts_at >= self.ends_at:
                return None
            if ends_at is None or ends_at > self.ends_at:
                uncut = placed.length
                ends_at = self.ends_at
        index = placed.index + lap * len(self.first)
        number = index if self.implied else placed.id
        return replace(placed, index=index, id=number, starts_at=starts_at, ends_at=ends_at, uncut=uncut)


def layout_of(request: EventRequest, *, obtained_at: datetime, draw: float = 0.0) -> Layout:
    """The layout of an event as it was written: see :func:`lay_out`."""
    return lay_out(
        request.intervals, period=request.period, duration=request.duration, obtained_at=obtained_at, draw=draw
    )


def lay_out(
    intervals: Sequence[Interval],
    *,
    period: IntervalPeriod | None,
    duration: Length | None,
    obtained_at: datetime,
    draw: float,
) -> Layout:
    """The event's layout; RemoteProtocolError names an interval that cannot be placed.

    ``duration`` is the event's own. ``obtained_at`` is when the event was first read: it is what
    "now" means. ``draw`` is uniform in [-1, 1], drawn once for the event and kept.

    Interpretation: an event without intervals but with a period implies as many intervals of that
    length as fit into it (8.7); their ids count from 0.
    """
    whole = period or NO_PERIOD
    try:
        if not intervals:
            return _implied(whole, duration, obtained_at=obtained_at, draw=draw)
        placed = tuple(_place(intervals, period, obtained_at=obtained_at, draw=draw))
    except OverflowError:
        raise RemoteProtocolError("a start is moved beyond the calendar", clause="R7.8") from None
    first = min(one.starts_at for one in placed)
    ends = [one.ends_at for one in placed]
    last = None if None in ends else max(end for end in ends if end is not None)
    if last is None or last == first:
        return Layout(first=placed, ends_at=_cut(first, duration) if last is None else last)
    if duration is None:
        return Layout(first=placed, ends_at=last)
    ends_at = _cut(first, duration)
    repeats = ends_at is None or ends_at > last
    return Layout(first=placed, lap=last - first if repeats else None, ends_at=ends_at)


def parts(placed: Placed, values: int) -> Iterator[tuple[datetime, datetime | None]]:
    """7.3: the equal sub-intervals of an interval whose one payload has so many values.

    Where the event ends first, those after its end are missing. Interpretation: an interval without
    end cannot be divided, so its first value holds for ever.
    """
    if placed.ends_at is None or values < 2:
        yield placed.starts_at, placed.ends_at
        return
    length = (placed.uncut or placed.ends_at - placed.starts_at) / values
    for index in range(values):
        start = placed.starts_at + length * index
        if start >= placed.ends_at and index:
            return
        # The last one ends with the interval, whatever the division rounds to.
        is_last = index == values - 1
        yield start, placed.ends_at if is_last else min(start + length, placed.ends_at)


def is_cancelled(intervals: Sequence[Interval], period: IntervalPeriod | None) -> bool:
    """7.9: an event at the beginning of time that lasts no time has been called off."""
    own = (intervals[0].period if intervals else None) or NO_PERIOD
    whole = period or NO_PERIOD
    start = whole.start if own.start is None else own.start
    length = whole.duration if own.duration is None else own.duration
    return start is Sentinel.NOW and length == NOTHING


def _place(
    intervals: Sequence[Interval], period: IntervalPeriod | None, *, obtained_at: datetime, draw: float
) -> Iterator[Placed]:
    whole = period or NO_PERIOD
    shift = _shift(whole.randomize_start, draw, obtained_at)
    at: datetime | None = _moment(whole.start, obtained_at, shift)
    for index, interval in enumerate(intervals):
        own = interval.period or NO_PERIOD
        if own.randomize_start is not None and (index == 0 or isinstance(own.start, datetime)):
            # 7.3: its own bound, which those that follow it are moved by as well.
            shift = _shift(own.randomize_start, draw, obtained_at)
            at = _moment(whole.start, obtained_at, shift) if index == 0 else at
        if isinstance(own.start, datetime):
            at = own.start + shift
        elif index == 0 and at is None and own.start is Sentinel.NOW:
            at = obtained_at + shift
        if at is None:
            reason = "follows one that lasts for ever" if index else "has no start, and the event has none"
            raise RemoteProtocolError(f"interval {index} {reason}", clause="R7.3")
        length = whole.duration if own.duration is None else own.duration
        end = _end(index, at, length)
        yield Placed(index=index, id=interval.id, starts_at=at, ends_at=end, payloads=interval.payloads)
        at = end


def _moment(start: datetime | Sentinel | None, obtained_at: datetime, shift: timedelta) -> datetime | None:
    if start is None:
        return None
    return (obtained_at if isinstance(start, Sentinel) else start) + shift


def _end(index: int, at: datetime, length: Length | None) -> datetime | None:
    if length is None:
        raise RemoteProtocolError(f"interval {index} has no duration, and the event has none", clause="R7.2")
    if isinstance(length, Sentinel):
        return None
    try:
        return later(at, length)
    except OverflowError:
        # Nobody waits for year 10000: it is for ever by another name.
        return None


def spread_of(bound: Length | None, obtained_at: datetime) -> timedelta:
    """How far a randomizeStart moves a start either way; a bound without end moves nothing."""
    if isinstance(bound, Months):
        return later(obtained_at, bound) - obtained_at
    return NOTHING if bound is None or isinstance(bound, Sentinel) else bound


def _shift(bound: Length | None, draw: float, obtained_at: datetime) -> timedelta:
    return spread_of(bound, obtained_at) * draw


def _cut(first: datetime, duration: Length | None) -> datetime | None:
    if duration is None or isinstance(duration, Sentinel):
        return None
    try:
        return later(first, duration)
    except OverflowError:
        return None


def _implied(whole: IntervalPeriod, duration: Length | None, *, obtained_at: datetime, draw: float) -> Layout:
    starts_at = _moment(whole.start, obtained_at, _shift(whole.randomize_start, draw, obtained_at))
    if starts_at is None or whole.duration is None:
        return Layout(first=())
    end = _end(0, starts_at, whole.duration)
    only = Placed(index=0, id=0, starts_at=starts_at, ends_at=end)
    if end is None or end == starts_at:
        return Layout(first=(only,), ends_at=end, implied=True)
    return Layout(first=(only,), lap=end - starts_at, ends_at=_cut(starts_at, duration), implied=True)
