"""Between 2.0b's events and the canonical model: the only place that knows how 2.0b says things.

* Priority: 2.0b counts from 1 (highest) and writes 0 for none, which is last (R3); the model
  counts from 0 and has None.
* For ever is a duration of zero (R47).
* A relative setpoint's sign is the program's declaration (:class:`ReliefSign`).
"""

from datetime import datetime, timedelta
from itertools import accumulate

from openadr_core.errors import LocalProtocolError, OutOfSequence, RemoteProtocolError, Unsupported
from openadr_core.model.event import DrEvent, EventStatus, Signal, SignalInterval, SignalKind
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.signals import BY_KIND, BY_WIRE, KILOWATTS, LEVELS, TABLE
from openadr_core.units import si_factor

ZERO = timedelta(0)
SECOND = timedelta(seconds=1)
WATTS_PER_KILOWATT = si_factor(KILOWATTS.si_scale_code)


def event_to_wire(event: DrEvent, *, now: datetime, created: datetime, ven_id: str) -> m.Event:
    """The event as one party reads it.

    ``created`` is one time for all events of a payload (R115); ``ven_id`` is the only name in
    the target (R63), because who else is addressed is nobody's business.
    """
    status = event.status_at(now)
    return m.Event(
        descriptor=m.EventDescriptor(
            event_id=event.id,
            modification_number=event.version,
            modification_date_time=event.modified_at if event.version else None,
            priority=0 if event.priority is None else event.priority + 1,
            market_context=event.market_context,
            created_date_time=created,
            event_status=status.value,
            test_event="true" if event.test else "false",
            vtn_comment=event.comment,
        ),
        active_period=m.ActivePeriod(
            dtstart=event.starts_at,
            duration=event.duration or ZERO,
            start_after=event.start_after or None,
            notification=event.notification,
            ramp_up=event.ramp_up or None,
            recovery=event.recovery or None,
        ),
        signals=tuple(_signal_to_wire(event, signal, status=status, now=now) for signal in event.signals),
        target=m.Target(ven_ids=(ven_id,)),
        response_required=event.response_required,
    )


def event_from_wire(event: m.Event, *, relief_sign: ReliefSign | None, now: datetime) -> DrEvent:
    """The canonical event.

    ``relief_sign`` is what the program that the event belongs to declares. Raises
    :class:`Unsupported` (460) for signals that nothing here acts on, :class:`OutOfSequence` (450)
    and :class:`RemoteProtocolError` (454) for content that contradicts itself (R33).
    """
    descriptor, period = event.descriptor, event.active_period
    duration = period.duration or None
    last = _last_moment(period)
    if duration is not None and last <= now:
        raise RemoteProtocolError("the event is over before it was received", clause="R33")
    return DrEvent(
        id=descriptor.event_id,
        program_id=descriptor.market_context,
        market_context=descriptor.market_context,
        version=descriptor.modification_number,
        starts_at=period.dtstart,
        duration=duration,
        signals=tuple(_signal_from_wire(signal, duration, relief_sign) for signal in event.signals),
        created_at=descriptor.created_date_time,
        modified_at=descriptor.modification_date_time or descriptor.created_date_time,
        priority=descriptor.priority - 1 if descriptor.priority else None,
        relief_sign=relief_sign,
        targets=_names(event.target),
        ramp_up=period.ramp_up or ZERO,
        recovery=period.recovery or ZERO,
        notification=period.notification or ZERO,
        start_after=period.start_after or ZERO,
        response_required=event.response_required,
        # R6: any text but "false" means a test; an absent element means none.
        test=(descriptor.test_event or "false") != "false",
        comment=descriptor.vtn_comment or "",
        cancelled_at=now if descriptor.event_status == EventStatus.CANCELLED else None,
    )


def _last_moment(period: m.ActivePeriod) -> datetime:
    """R66: when nothing of the event can still happen. Raises if the period cannot be at all."""
    start_after, notification, recovery = period.start_after, period.notification, period.recovery
    # Ramp-up alone may be negative: it then lies inside the active period (R13).
    if min(period.duration, start_after or ZERO, notification or ZERO, recovery or ZERO) < ZERO:
        raise RemoteProtocolError("a length in the active period is negative", clause="R33")
    try:
        last = period.dtstart + period.duration + (start_after or ZERO)
        # Whoever lays the event out in time meets these moments too.
        _ = (
            last + (recovery or ZERO),
            period.dtstart - (notification or ZERO),
            period.dtstart - (period.ramp_up or ZERO),
        )
    except OverflowError:
        raise RemoteProtocolError("the active period leaves the calendar", clause="R33") from None
    return last


def _signal_to_wire(event: DrEvent, signal: Signal, *, status: EventStatus, now: datetime) -> m.Signal:
    wire = BY_KIND[signal.kind]
    scale = _wire_scale(signal.kind, event.relief_sign)
    values = [interval.value / scale for interval in signal.intervals]
    return m.Signal(
        intervals=tuple(
            m.Interval(duration=interval.duration or ZERO, uid=str(index), value=values[index])
            for index, interval in enumerate(signal.intervals)
        ),
        target=m.Target(end_device_assets=signal.device_classes) if signal.device_classes else None,
        signal_name=wire.name,
        signal_type=wire.type,
        signal_id=signal.id,
        item_base=wire.unit,
        current_value=_current_value(event, signal, values, status=status, now=now),
    )


def _current_value(
    event: DrEvent, signal: Signal, values: list[float], *, status: EventStatus, now: datetime
) -> float | None:
    """R14, R29: the running interval's value; outside the event 0 for SIMPLE, and nothing for the others."""
    if status is EventStatus.ACTIVE:
        ends = accumulate((interval.duration or timedelta.max for interval in signal.intervals), _add)
        running = next((value for end, value in zip(ends, values, strict=True) if now - event.starts_at < end), None)
        if running is not None:
            return running
    return 0.0 if signal.kind is SignalKind.LEVEL else None


def _add(first: timedelta, second: timedelta) -> timedelta:
    return timedelta.max if timedelta.max in (first, second) else first + second


def _signal_from_wire(signal: m.Signal, duration: timedelta | None, relief_sign: ReliefSign | None) -> Signal:
    # The lower-case spelling is deprecated, and still a name of the schema.
    name = "SIMPLE" if signal.signal_name == "simple" else signal.signal_name
    kind = BY_WIRE.get((name, signal.signal_type))
    if kind is None:
        known = (name, signal.signal_type) in TABLE
        reason = "is not acted upon here" if known else "is not in the signal table"
        raise Unsupported(f"{signal.signal_name} {signal.signal_type} {reason}", clause="R109")
    _check_intervals(signal, duration)
    scale = _read_scale(kind, signal.item_base, relief_sign)
    values = [interval.value * scale for interval in signal.intervals]
    if kind is SignalKind.LEVEL and not set(values) <= set(LEVELS):
        raise RemoteProtocolError("a SIMPLE level is 0, 1, 2 or 3", clause="R9")
    if not all(abs(value) < float("inf") for value in values):
        raise RemoteProtocolError("a signal's value must be a number", clause="R33")
    return Signal(
        id=signal.signal_id,
        kind=kind,
        intervals=tuple(
            # R47: nothing means for ever in an open-ended event; in any other it is an interval of no length.
            SignalInterval(duration=None if duration is None else interval.duration, value=value)
            for interval, value in zip(signal.intervals, values, strict=True)
        ),
        device_classes=() if signal.target is None else signal.target.end_device_assets,
    )


def _check_intervals(signal: m.Signal, duration: timedelta | None) -> None:
    """R2 and R8: uids count from 0, and durations add up to the active period (to nothing if open-ended)."""
    uids = [interval.uid for interval in signal.intervals]
    # Interpretation: a peer that leaves all uids out has not contradicted itself; one that counts wrong has.
    if any(uid is not None for uid in uids) and uids != [str(index) for index in range(len(uids))]:
        raise OutOfSequence("interval uids must be 0, 1, 2, …", clause="R2")
    lengths = [interval.duration for interval in signal.intervals if interval.duration is not None]
    if len(lengths) != len(signal.intervals):
        raise RemoteProtocolError("an interval has no duration", clause="R102")
    if any(length < ZERO for length in lengths):
        raise RemoteProtocolError("an interval's duration is negative", clause="R33")
    # Counted in seconds: thousands of the longest durations are more than a timedelta holds.
    if sum(length // SECOND for length in lengths) != (duration or ZERO) // SECOND:
        raise RemoteProtocolError("interval durations do not add up to the active period", clause="R8")


def _wire_scale(kind: SignalKind, sign: ReliefSign | None) -> float:
    """Canonical value per unit of wire value."""
    if kind is SignalKind.LEVEL:
        return 1.0
    if kind is SignalKind.NET_POWER:
        return WATTS_PER_KILOWATT
    if sign is None:
        raise LocalProtocolError("a relative event of a program without RELIEF_SIGN cannot be written")
    return WATTS_PER_KILOWATT * sign.factor


def _read_scale(kind: SignalKind, unit: m.Unit | None, sign: ReliefSign | None) -> float:
    if kind is SignalKind.LEVEL:
        return 1.0
    if unit is None or unit.name != "powerReal":
        raise Unsupported("a dispatch is in powerReal here", clause="R109")
    if kind is SignalKind.NET_POWER:
        return si_factor(unit.si_scale_code)
    if sign is None:
        raise Unsupported(
            "the program does not declare what a positive delta means (relief_sign): more load, or more relief"
        )
    return si_factor(unit.si_scale_code) * sign.factor


def _names(target: m.Target) -> tuple[str, ...]:
    return (*target.group_ids, *target.group_names, *target.resource_ids, *target.ven_ids, *target.party_ids)
