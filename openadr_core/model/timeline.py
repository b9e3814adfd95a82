"""An event's intervals, placed in time, and which event goes before which when several overlap.

Interpretation: the standards leave equal priorities open. The event created last wins,
then the smaller id: both sides of a dispute can recompute it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.model.event import LOWEST_PRIORITY, DrEvent, Signal

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


def segments(event: DrEvent, *, delay: timedelta = NO_DELAY, now: datetime | None = None) -> list[Segment]:
    """The event's intervals in time order, the whole event shifted by ``delay`` (its drawn randomisation).

    Of signals that repeat, those of the round that ``now`` lies in; without it, of the first. An event that is
    cancelled has none: how it is let go is the VEN's affair (ramped release).
    """
    if event.cancelled_at is not None:
        return []
    placed = []
    starts_at = event.starts_at + delay
    lap = 0 if event.lap is None or now is None else max((now - starts_at) // event.lap, 0)
    later = NO_DELAY if event.lap is None else event.lap * lap
    over_at = None if event.lap is None or event.ends_at is None else event.ends_at + delay
    for signal in event.signals:
        at: datetime | None = starts_at + later
        for index, interval in enumerate(signal.intervals, lap * len(signal.intervals)):
            if at is None or (over_at is not None and at >= over_at):
                break
            end = None if interval.duration is None else at + interval.duration
            if interval.asks:
                placed.append(
                    Segment(
                        event=event,
                        signal=signal,
                        index=index,
                        value=interval.value,
                        starts_at=at,
                        ends_at=end if over_at is None or end is None else min(end, over_at),
                    )
                )
            at = end
    return placed


def precedence(event: DrEvent) -> tuple[int, float, str]:
    """Sort key: the event that goes before others comes first."""
    priority = LOWEST_PRIORITY if event.priority is None else event.priority
    return (priority, -event.created_at.timestamp(), event.id)
