"""The intervals of an event back to back from its start, which is all the time that OpenADR 2.0b can tell."""

from datetime import datetime, timedelta
from itertools import pairwise

from openadr_core.errors import InvalidEvent, RemoteProtocolError
from openadr_core.limits import EVENT_INTERVALS_MAX
from openadr_core.oadr3.layout import Layout, Placed, layout_of
from openadr_core.oadr3.messages import EventRequest, IntervalPeriod
from openadr_core.oadr3.times import Months, Sentinel, moment_text


def starts_now(request: EventRequest) -> bool:
    """Whether the event says "at once" instead of a moment."""
    own = request.intervals[0].period if request.intervals else None
    whole = request.period.start if request.period else None
    # OpenADR 3.1 User Guide 7.3: "at once" on the first interval means the event's own start, if it has one.
    if own is None or own.start is None or (own.start is Sentinel.NOW and whole is not None):
        return whole is Sentinel.NOW
    return own.start is Sentinel.NOW


def span(request: EventRequest, now: datetime) -> tuple[datetime, datetime | None]:
    """From when to when the event is, gaps included; the end is None for ever.

    Interpretation: an event that does not say when it is, is there from when it is written until it is deleted.
    """
    now = now.replace(microsecond=0)
    try:
        layout = layout_of(request, obtained_at=now)
    except RemoteProtocolError:
        return now, None
    return layout.starts_at or now, layout.ends_at


def place(request: EventRequest, now: datetime) -> tuple[Placed, ...]:
    """The event's intervals; InvalidEvent says why they are none that follow each other from a start on."""
    try:
        layout = layout_of(request, obtained_at=now.replace(microsecond=0))
    except RemoteProtocolError as error:
        raise InvalidEvent(str(error)) from None
    if layout.implied or not layout.first:
        raise InvalidEvent("the event has no intervals")
    placed = tuple(_in_order(layout))
    if not placed:
        raise InvalidEvent("the event lasts no time; to cancel an event, delete it")
    for before, after in pairwise(placed):
        if before.ends_at is None or after.starts_at != before.ends_at:
            ends = "lasts for ever" if before.ends_at is None else f"ends at {moment_text(before.ends_at)}"
            raise InvalidEvent(
                f"interval {after.index} starts at {moment_text(after.starts_at)} and the one before {ends}: "
                "only intervals that follow each other can be told to 2.0b parties"
            )
    for one in placed:
        if one.length is not None and one.length <= timedelta():
            raise InvalidEvent(f"interval {one.index} lasts no time; to cancel an event, delete it")
    return placed


def _in_order(layout: Layout) -> list[Placed]:
    if layout.lap is not None and layout.ends_at is None:
        if len(layout.first) > 1:
            raise InvalidEvent("intervals that repeat for ever cannot be told to 2.0b parties: give the event an end")
        # One interval again and again is that interval for ever.
        return [Placed(index=0, id=layout.first[0].id, starts_at=layout.first[0].starts_at, ends_at=None,
                       payloads=layout.first[0].payloads)]  # fmt: skip
    found: list[Placed] = []
    while (placed := layout.nth(len(found))) is not None:
        if len(found) == EVENT_INTERVALS_MAX:
            raise InvalidEvent(f"the event has more intervals than can be told to 2.0b parties: {EVENT_INTERVALS_MAX}")
        found.append(placed)
    return found


def randomisation(period: IntervalPeriod | None) -> timedelta:
    """How long after the start a party may begin.

    Interpretation: 3.1 moves a start by up to randomizeStart either way, 2.0b only delays. Half of
    the window would be lost by refusing, and a start before the announced one cannot be told to a
    2.0b party, so the later half is kept.
    """
    spread = period.randomize_start if period else None
    if isinstance(spread, Sentinel | Months):
        raise InvalidEvent("randomizeStart cannot be for ever, nor in months")
    return spread or timedelta()
