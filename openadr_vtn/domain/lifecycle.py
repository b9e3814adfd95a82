"""How an event comes to be, changes and ends: what may be written when, and under which number."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.errors import InvalidEvent, WrongState
from openadr_core.model.event import DrEvent, EventStatus, Signal, SignalInterval
from openadr_core.model.signal_table import unit_fault, value_fault
from openadr_core.model.target import is_device_class

SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
START_LATE_MAX = timedelta(seconds=60)
"""How far past a start may be when it is written: two clocks differ, and a request takes its time."""


def new_event(event: DrEvent, now: datetime) -> DrEvent:
    """The event as it is first written, at version 0 (2.0b R4).

    What 2.0b parties cannot be asked is for OpenADR 3 alone, and ``not_read`` says why.
    """
    return replace(_told(event, now), version=0, created_at=now, modified_at=now, cancelled_at=None)


def rewritten(old: DrEvent, new: DrEvent, now: datetime) -> DrEvent:
    """What ``new`` makes of an event that no 2.0b party was ever told: anything, at one version more."""
    begun = new.starts_at == old.starts_at and bool(old.signals)
    changed = replace(
        _told(new, old.created_at if begun else now),
        id=old.id,
        version=old.version,
        created_at=old.created_at,
        modified_at=old.modified_at,
        cancelled_at=None,
    )
    return old if changed == old else replace(changed, version=old.version + 1, modified_at=now)


def _told(event: DrEvent, now: datetime) -> DrEvent:
    """The event as far as 2.0b parties can be asked for it from now on."""
    if not event.signals:
        return _for_oadr3(event)
    try:
        _check(event, now)
        _check_start(event, now)
    except InvalidEvent as error:
        return _for_oadr3(replace(event, not_read=(*event.not_read, str(error))))
    return event


def _for_oadr3(event: DrEvent) -> DrEvent:
    """Without what only 2.0b has words for."""
    return replace(event, signals=(), baseline=None, ramp_up=ZERO, recovery=ZERO, notification=ZERO, start_after=ZERO)


def revised(old: DrEvent, new: DrEvent, now: datetime) -> DrEvent:
    """What ``new`` makes of ``old``: one version more (2.0b R5), or ``old`` itself where nothing differs.

    InvalidEvent says what 2.0b parties, who were told of ``old``, cannot be told now.
    A pending or active event may change in anything but its past (R20).
    """
    _check_open(old, now)
    changed = replace(
        new,
        id=old.id,
        version=old.version,
        created_at=old.created_at,
        modified_at=old.modified_at,
        cancelled_at=None,
    )
    if changed == old:
        return old
    _check(changed, now)
    if old.starts_at <= now:
        _check_past(old, changed, now)
    else:
        _check_start(changed, now)
    return replace(changed, version=old.version + 1, modified_at=now)


def cancelled(old: DrEvent, now: datetime) -> DrEvent:
    """The event, cancelled, one version more (2.0b R10). To cancel it again changes nothing."""
    if old.cancelled_at is not None:
        return old
    _check_open(old, now)
    return replace(old, version=old.version + 1, modified_at=now, cancelled_at=now)


def _check_open(event: DrEvent, now: datetime) -> None:
    if event.cancelled_at is not None:
        raise WrongState(f"event {event.id} was cancelled at {event.cancelled_at:%Y-%m-%d %H:%M:%S} UTC")
    if event.status_at(now) is EventStatus.COMPLETED:
        raise WrongState(f"event {event.id} ended at {event.ends_at:%Y-%m-%d %H:%M:%S} UTC")


def _check(event: DrEvent, now: datetime) -> None:
    if not event.signals:
        raise InvalidEvent("; ".join(event.not_read) or "an event has at least one signal")
    _check_calendar(event)
    if event.ends_at is not None and event.ends_at <= now:
        raise InvalidEvent(f"the event would end at {event.ends_at:%Y-%m-%d %H:%M:%S} UTC, which is past")
    if event.duration is not None and event.duration <= ZERO:
        raise InvalidEvent("an event lasts longer than nothing; leave the duration out for an open-ended one")
    lengths = {
        "duration": event.duration,
        "ramp-up": event.ramp_up,
        "recovery": event.recovery,
        "notification": event.notification,
        "start tolerance": event.start_after,
    }
    for name, length in lengths.items():
        _check_whole_seconds(name, length)
    if min(event.start_after, event.notification, event.recovery) < ZERO:
        raise InvalidEvent("start tolerance, notification and recovery are not negative")
    if len({signal.id for signal in event.signals}) < len(event.signals):
        raise InvalidEvent("signals of one event have different ids")  # 2.0b R107
    for signal in event.signals:
        _check_signal(signal)
        _check_intervals(f"signal {signal.id}", signal.intervals, event.duration)
    if event.baseline is not None:
        _check_intervals("the baseline", event.baseline.intervals, event.baseline.duration)


def _check_start(event: DrEvent, now: datetime) -> None:
    """Nobody can be asked for what is past (2.0b V2, code 451); an event that runs keeps its own start."""
    if event.starts_at < now - START_LATE_MAX:
        raise InvalidEvent(
            f"the event would start at {event.starts_at:%Y-%m-%d %H:%M:%S} UTC, which is past: "
            "let it start now, or later"
        )


def _check_calendar(event: DrEvent) -> None:
    """Every moment that anybody reckons from the event must be one."""
    try:
        event.kept_until()
        last = (event.ends_at or event.starts_at) + event.start_after + event.recovery
        _ = (last, event.starts_at - event.ramp_up, event.starts_at - event.notification)
        if event.baseline is not None:
            _ = event.baseline.starts_at + (event.baseline.duration or ZERO)
    except OverflowError:
        raise InvalidEvent(
            "with its tolerance, recovery and ramp-up the event is before year 1 or after year 9999"
        ) from None


def _check_signal(signal: Signal) -> None:
    """The signal table is binding (2.0b R104), and so is the list of device classes (R111)."""
    if fault := unit_fault(signal):
        raise InvalidEvent(f"signal {signal.id}: {fault}")
    for index, interval in enumerate(signal.intervals):
        if fault := value_fault(signal.kind, interval.value):
            raise InvalidEvent(f"interval {index} of signal {signal.id} {fault}")
    for name in signal.device_classes:
        if not is_device_class(name):
            raise InvalidEvent(f"signal {signal.id}: {name!r} is no device class, nor does it begin with x-")


def _check_intervals(whose: str, intervals: Sequence[SignalInterval], duration: timedelta | None) -> None:
    if not intervals:
        raise InvalidEvent(f"{whose} has no interval")
    total: timedelta | None = ZERO
    for index, interval in enumerate(intervals):
        where = f"interval {index} of {whose}"
        _check_whole_seconds(where, interval.duration)
        if total is None:
            raise InvalidEvent(f"{where} comes after one that lasts for ever")
        if interval.duration is not None and interval.duration <= ZERO:
            raise InvalidEvent(f"{where} lasts no time")
        total = None if interval.duration is None else total + interval.duration
    if total != duration:  # 2.0b R8, R102, and R47 for the open-ended
        raise InvalidEvent(f"the intervals of {whose} do not add up to the event's duration")


def _check_whole_seconds(name: str, length: timedelta | None) -> None:
    if length is not None and length % SECOND:
        raise InvalidEvent(f"{name}: 2.0b knows no fractions of a second")  # 2.0b R1


def _check_past(old: DrEvent, new: DrEvent, now: datetime) -> None:
    """What has already been asked of anybody stays what it was (2.0b R20, code 451)."""
    if new.starts_at != old.starts_at:
        raise InvalidEvent("the event has begun: its start cannot move")
    before = {signal.id: signal.asked(now - old.starts_at) for signal in old.signals}
    after = {signal.id: signal.asked(now - new.starts_at) for signal in new.signals}
    if before != after:
        raise InvalidEvent("the event has begun: what its signals asked until now cannot change")
