"""Which signal rules at a moment, when several events overlap, and when that changes next.

Interpretation: the standards leave equal priorities open. The event created last wins,
then the smaller id: both sides of a dispute can recompute it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.model.event import LOWEST_PRIORITY, DrEvent, Signal, SignalKind

NO_DELAY = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One interval of one signal, placed in time."""

    event: DrEvent
    signal: Signal
    index: int
    """Which interval of the signal; 0 first."""
    value: float
    starts_at: datetime
    ends_at: datetime | None
    """Exclusive; None for ever."""

    def rules_at(self, now: datetime) -> bool:
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)


def segments(event: DrEvent, *, delay: timedelta = NO_DELAY) -> list[Segment]:
    """The event's intervals in time order, the whole event shifted by ``delay`` (its drawn randomisation).

    An event that is cancelled has none: how it is let go is the VEN's affair (ramped release).
    """
    if event.cancelled_at is not None:
        return []
    placed = []
    for signal in event.signals:
        at: datetime | None = event.starts_at + delay
        for index, interval in enumerate(signal.intervals):
            if at is None:
                break
            end = None if interval.duration is None else at + interval.duration
            placed.append(
                Segment(event=event, signal=signal, index=index, value=interval.value, starts_at=at, ends_at=end)
            )
            at = end
    return placed


def ruling_at(
    events: Iterable[DrEvent], now: datetime, *, delays: Mapping[str, timedelta] | None = None
) -> dict[SignalKind, Segment]:
    """For each kind of signal, the segment that rules now: lowest priority number, then newest, then smallest id."""
    delays = delays or {}
    ruling: dict[SignalKind, Segment] = {}
    for event in sorted(events, key=precedence):
        for segment in segments(event, delay=delays.get(event.id, NO_DELAY)):
            if segment.rules_at(now):
                ruling.setdefault(segment.signal.kind, segment)
    return ruling


def next_change(
    events: Iterable[DrEvent], now: datetime, *, delays: Mapping[str, timedelta] | None = None
) -> datetime | None:
    """The first moment after ``now`` at which a segment starts or ends; None if nothing changes any more."""
    delays = delays or {}
    moments = [
        moment
        for event in events
        for segment in segments(event, delay=delays.get(event.id, NO_DELAY))
        for moment in (segment.starts_at, segment.ends_at)
        if moment is not None and moment > now
    ]
    return min(moments, default=None)


def precedence(event: DrEvent) -> tuple[int, float, str]:
    """Sort key: the event that goes before others comes first."""
    priority = LOWEST_PRIORITY if event.priority is None else event.priority
    return (priority, -event.created_at.timestamp(), event.id)
