"""When an event of OpenADR 3.1 is: its start, and its intervals with their lengths, back to back."""

from datetime import datetime, timedelta

from openadr_core.errors import InvalidEvent
from openadr_core.limits import EVENT_INTERVALS_MAX
from openadr_core.oadr3.messages import EventRequest, Interval, IntervalPeriod
from openadr_core.oadr3.times import Length, Sentinel, moment_text

Placed = tuple[timedelta | None, Interval]
"""An interval and its length; None for ever."""


def starts_now(request: EventRequest) -> bool:
    """Whether the event says "at once" instead of a moment."""
    return _first_start(request) is Sentinel.NOW


def place(request: EventRequest, now: datetime) -> tuple[datetime, list[Placed]]:
    """The event's start, and its intervals with their lengths, back to back."""
    if not request.intervals:
        raise InvalidEvent("the event has no intervals")
    start = _first_start(request)
    if start is None:
        raise InvalidEvent("neither the event nor its first interval says when it starts (intervalPeriod.start)")
    starts_at = now.replace(microsecond=0) if isinstance(start, Sentinel) else start
    placed: list[Placed] = []
    at: datetime | None = starts_at
    for index, interval in enumerate(request.intervals):
        if at is None:
            raise InvalidEvent(f"interval {index} would follow one that lasts for ever")
        own = interval.period
        if index and own and isinstance(own.start, datetime) and own.start != at:
            # Interpretation: a 2.0b event has no gaps and no overlaps, so none are taken here.
            raise InvalidEvent(
                f"interval {index} starts at {moment_text(own.start)} and the one before ends at {moment_text(at)}: "
                "intervals must follow each other"
            )
        length = _interval_length(index, interval, request.period)
        placed.append((length, interval))
        at = _end(at, length)
    placed = _fitted(placed, request.duration)
    if len(placed) > EVENT_INTERVALS_MAX:
        raise InvalidEvent(f"the event has {len(placed)} intervals; {EVENT_INTERVALS_MAX} are the most")
    _end(starts_at, sum((length for length, _ in placed if length), timedelta()))
    return starts_at, placed


def _first_start(request: EventRequest) -> datetime | Sentinel | None:
    own = request.intervals[0].period if request.intervals else None
    whole = request.period.start if request.period else None
    # OpenADR 3.1 User Guide 7.3: "at once" on the first interval means the event's own start, if it has one.
    if own is None or own.start is None or (own.start is Sentinel.NOW and whole is not None):
        return whole
    return own.start


def _interval_length(index: int, interval: Interval, whole: IntervalPeriod | None) -> timedelta | None:
    own = interval.period.duration if interval.period else None
    length = own if own is not None else (whole.duration if whole else None)
    if length is None:
        raise InvalidEvent(f"interval {index} has no duration, and the event has none for all")
    if isinstance(length, Sentinel):
        return None
    if length <= timedelta():
        raise InvalidEvent(f"interval {index} lasts no time; to cancel an event, delete it")
    return length


def _end(at: datetime, length: timedelta | None) -> datetime | None:
    try:
        return None if length is None else at + length
    except OverflowError:
        raise InvalidEvent("the event ends after year 9999; P9999Y means for ever") from None


def _fitted(placed: list[Placed], whole: Length | None) -> list[Placed]:
    """OpenADR 3.1 User Guide 7.2: an event longer than its intervals repeats them, a shorter one cuts them."""
    if whole is None:
        return placed
    if isinstance(whole, Sentinel):
        if len(placed) > 1 and placed[-1][0] is not None:
            raise InvalidEvent("intervals that repeat for ever are not carried: give the event an end")
        return [*placed[:-1], (None, placed[-1][1])]
    if whole <= timedelta():
        raise InvalidEvent("the event lasts no time; to cancel an event, delete it")
    fitted: list[Placed] = []
    left = whole
    while left > timedelta() and len(fitted) <= EVENT_INTERVALS_MAX:
        length, interval = placed[len(fitted) % len(placed)]
        taken = left if length is None else min(length, left)
        fitted.append((taken, interval))
        left -= taken
    return fitted


def randomisation(period: IntervalPeriod | None) -> timedelta:
    """How long after the start a party may begin.

    Interpretation: 3.1 moves a start by up to randomizeStart either way, 2.0b only delays. Half of
    the window would be lost by refusing, and a start before the announced one cannot be told to a
    2.0b party, so the later half is kept.
    """
    spread = period.randomize_start if period else None
    if isinstance(spread, Sentinel):
        raise InvalidEvent("randomizeStart cannot be for ever")
    return spread or timedelta()
