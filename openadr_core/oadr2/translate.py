"""Between 2.0b's events and the canonical model: the only place that knows how 2.0b says things.

* Priority: 2.0b counts from 1 (highest) and writes 0 for none, which is last (R3); the model
  counts from 0 and has None.
* For ever is a duration of zero (R47).
* A relative setpoint's sign is the program's declaration (:class:`ReliefSign`).
"""

from datetime import datetime, timedelta

from openadr_core.errors import LocalProtocolError, RemoteProtocolError, Unsupported
from openadr_core.model.event import Baseline, DrEvent, EventStatus, Signal
from openadr_core.model.program import ReliefSign
from openadr_core.model.target import TO, Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.translate_signals import (
    baseline_from_wire,
    baseline_to_wire,
    signal_from_wire,
    signal_to_wire,
)

ZERO = timedelta(0)


def event_to_wire(event: DrEvent, *, now: datetime, created: datetime) -> m.Event:
    """The event as one party reads it: its targets are those that the party is told (:meth:`Party.share_of`).

    ``created`` is one time for all events of a payload (R115). Raises :class:`LocalProtocolError` for
    what 2.0b cannot say: a plain name, more than one venID (R63), relief without a declared sign.
    """
    status = event.status_at(now)
    return m.Event(
        descriptor=m.EventDescriptor(
            event_id=event.id,
            modification_number=event.version,
            modification_date_time=event.modified_at if event.version else None,
            modification_reason=event.modification_reason or None,
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
        signals=tuple(signal_to_wire(event, signal, status=status, now=now) for signal in event.signals),
        baseline=None if event.baseline is None else baseline_to_wire(event.baseline),
        target=target_to_wire(event.targets),
        response_required=event.response_required,
    )


def event_from_wire(event: m.Event, *, relief_sign: ReliefSign | None, now: datetime) -> DrEvent:
    """The canonical event.

    ``relief_sign`` is what the program that the event belongs to declares. Raises
    :class:`Unsupported` (460) if none of its signals can be read, :class:`OutOfSequence` (450)
    and :class:`RemoteProtocolError` (454) for content that contradicts itself (R33).
    """
    descriptor, period = event.descriptor, event.active_period
    duration = period.duration or None
    last = _last_moment(period)
    if duration is not None and last <= now:
        raise RemoteProtocolError("the event is over before it was received", clause="R33")
    signals, not_read = _signals_from_wire(event, duration, relief_sign)
    baseline, unit_not_read = _baseline_from_wire(event.baseline)
    return DrEvent(
        id=descriptor.event_id,
        program_id=descriptor.market_context,
        market_context=descriptor.market_context,
        version=descriptor.modification_number,
        starts_at=period.dtstart,
        duration=duration,
        signals=signals,
        baseline=baseline,
        not_read=not_read + unit_not_read,
        created_at=descriptor.created_date_time,
        modified_at=descriptor.modification_date_time or descriptor.created_date_time,
        priority=descriptor.priority - 1 if descriptor.priority else None,
        relief_sign=relief_sign,
        targets=target_from_wire(event.target),
        ramp_up=period.ramp_up or ZERO,
        recovery=period.recovery or ZERO,
        notification=period.notification or ZERO,
        start_after=period.start_after or ZERO,
        response_required=event.response_required,
        # R6: any text but "false" means a test; an absent element means none.
        test=(descriptor.test_event or "false") != "false",
        comment=descriptor.vtn_comment or "",
        modification_reason=descriptor.modification_reason or "",
        cancelled_at=now if descriptor.event_status == EventStatus.CANCELLED else None,
    )


def _signals_from_wire(
    event: m.Event, duration: timedelta | None, relief_sign: ReliefSign | None
) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """The signals that can be read, and why the others cannot.

    Interpretation: R109 refuses an event for a signal that is not supported; R106 lets SIMPLE stand beside
    others, so that whoever does not know those has something to follow. So an event is refused (460)
    if nothing in it can be read. What contradicts itself spoils it whole.
    """
    read: list[Signal] = []
    not_read: list[str] = []
    for signal in event.signals:
        try:
            read.append(signal_from_wire(signal, duration, relief_sign))
        except Unsupported as error:
            not_read.append(str(error))
    if not read:
        raise Unsupported("; ".join(not_read), clause="R109")
    return tuple(read), tuple(not_read)


def _baseline_from_wire(baseline: m.Baseline | None) -> tuple[Baseline | None, tuple[str, ...]]:
    """It informs, so one in a unit that nothing here has spoils no event."""
    try:
        return (None if baseline is None else baseline_from_wire(baseline)), ()
    except Unsupported as error:
        return None, (f"baseline: {error}",)


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


FIELDS: dict[TargetKind, str] = {
    TargetKind.AGGREGATED_PNODE: "aggregated_pnodes",
    TargetKind.DEVICE_CLASS: "end_device_assets",
    TargetKind.METER: "meter_assets",
    TargetKind.PNODE: "pnodes",
    TargetKind.SERVICE_AREA: "service_areas",
    TargetKind.SERVICE_DELIVERY_POINT: "service_delivery_points",
    TargetKind.SERVICE_LOCATION: "service_locations",
    TargetKind.TRANSPORT_INTERFACE: "transport_interfaces",
    TargetKind.GROUP: "group_ids",
    TargetKind.GROUP_NAME: "group_names",
    TargetKind.RESOURCE: "resource_ids",
    TargetKind.VEN: "ven_ids",
    TargetKind.PARTY: "party_ids",
}
"""Which field of eiTarget holds the names of a kind."""


def target_to_wire(targets: tuple[Target, ...]) -> m.Target:
    found: dict[str, tuple[object, ...]] = {}
    for target in targets:
        if target.kind is TargetKind.NAME:
            raise LocalProtocolError("a name has no kind in 2.0b: whom it stands for must be said")
        name: object = target.name
        if target.kind is TargetKind.TRANSPORT_INTERFACE:
            receipt, _, delivery = target.name.partition(TO)
            name = m.TransportInterface(receipt=receipt, delivery=delivery)
        found[FIELDS[target.kind]] = (*found.get(FIELDS[target.kind], ()), name)
    if len(found.get("ven_ids", ())) > 1:
        raise LocalProtocolError("an event's target has one venID at most", clause="R63")
    return m.Target(**found)  # type: ignore[arg-type]  # FIELDS pairs each kind with its own type of name


def target_from_wire(target: m.Target) -> tuple[Target, ...]:
    return tuple(Target(kind=kind, name=_name(one)) for kind, field in FIELDS.items() for one in getattr(target, field))


def _name(one: str | m.TransportInterface) -> str:
    return one if isinstance(one, str) else f"{one.receipt}{TO}{one.delivery}"
