"""One demand-response event, and what follows from it and the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from openadr_core.model.program import ReliefSign

LOWEST_PRIORITY = 2**31
"""Where an event without a priority stands: behind all that have one."""


class EventStatus(StrEnum):
    """OpenADR 2.0b's words; derived from the event and the time, never stored."""

    FAR = "far"
    NEAR = "near"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class SignalKind(StrEnum):
    """What a signal's numbers are, after translation."""

    LEVEL = "level"
    """0 normal, 1 moderate, 2 high, 3 special."""
    RELIEF = "relief"
    """Watts less net import than the baseline; negative asks to take load."""
    NET_POWER = "net_power"
    """Watts of net import to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInterval:
    duration: timedelta | None
    """None: for ever (2.0b duration zero, 3.x ``P9999Y``)."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    id: str
    kind: SignalKind
    intervals: tuple[SignalInterval, ...]
    """Back to back from the event's start."""
    device_classes: tuple[str, ...] = ()
    """2.0b endDeviceAsset names; empty means every class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrEvent:
    id: str
    program_id: str
    market_context: str
    version: int
    """2.0b modificationNumber: 0 first, one more with each change."""
    starts_at: datetime
    duration: timedelta | None
    """None: open-ended, active until cancelled."""
    signals: tuple[Signal, ...]
    created_at: datetime
    modified_at: datetime
    priority: int | None = None
    """Lower wins, 0 is the highest (3.x and 2030.5). None is the lowest; 2.0b writes it as 0."""
    relief_sign: ReliefSign | None = None
    """As the program declares: how RELIEF is written on a wire that has no sign convention."""
    targets: tuple[str, ...] = ()
    """Names as 3.1 uses them; empty addresses every party of the program."""
    ramp_up: timedelta = timedelta(0)
    recovery: timedelta = timedelta(0)
    notification: timedelta = timedelta(0)
    start_after: timedelta = timedelta(0)
    """2.0b tolerance: the start (and a cancel's stop) is delayed by a random part of this."""
    response_required: bool = True
    test: bool = False
    comment: str = ""
    cancelled_at: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        """Exclusive; None for an open-ended event. Randomisation is not in it."""
        return None if self.duration is None else self.starts_at + self.duration

    def status_at(self, now: datetime) -> EventStatus:
        """OpenADR 2.0b R13: far, near from ramp-up on, active from the start, completed at the end."""
        if self.cancelled_at is not None:
            return EventStatus.CANCELLED
        if self.ends_at is not None and now >= self.ends_at:
            return EventStatus.COMPLETED
        if now >= self.starts_at:
            return EventStatus.ACTIVE
        if now >= self.starts_at - self.ramp_up:
            return EventStatus.NEAR
        return EventStatus.FAR

    def kept_until(self) -> datetime | None:
        """When nothing of this event can still happen (2.0b R66: end plus start_after); None for never."""
        return None if self.ends_at is None else self.ends_at + self.start_after


def delivery_order(event: DrEvent, now: datetime) -> tuple[int, int, datetime, datetime, str]:
    """Sort key of events in one payload (2.0b R15): active first by priority, then the pending by start."""
    active = event.status_at(now) is EventStatus.ACTIVE
    priority = LOWEST_PRIORITY if event.priority is None else event.priority
    return (0 if active else 1, priority if active else 0, event.starts_at, event.created_at, event.id)
