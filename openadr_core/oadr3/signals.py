"""The payloads of an event's intervals as canonical signals, and what is usual beside them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from openadr_core.errors import InvalidEvent
from openadr_core.limits import EVENT_SIGNALS_MAX
from openadr_core.model.event import Baseline, Signal, SignalInterval, SignalKind
from openadr_core.model.program import Program
from openadr_core.model.signal_table import RULES, value_fault
from openadr_core.model.unit import CURRENCIES, ENERGY, MONEY, NORTH_AMERICAN_HOME, POWER, Measure, Unit
from openadr_core.oadr3.attributes import (
    BASELINE_ID,
    BASELINE_NAME,
    BASELINE_RESOURCE,
    BASELINE_START,
    RELIEF_SIGN,
    Attributes,
)
from openadr_core.oadr3.messages import Interval, PayloadDescriptor
from openadr_core.oadr3.payload_types import BASELINE, CHARGE_STATE_SETPOINT, SIGNAL_KINDS, base_type
from openadr_core.oadr3.placing import Placed
from openadr_core.oadr3.units import PERCENT, PRICES, UNITS
from openadr_core.units import from_scale

Descriptors = Mapping[str, PayloadDescriptor]
"""By payload type, its label included."""


def signals_of(placed: Sequence[Placed], program: Program, descriptors: Descriptors) -> tuple[Signal, ...]:
    """One for each payload type; InvalidEvent names the type, the interval and what is wrong."""
    types = [payload_type for payload_type in _types(placed) if payload_type != BASELINE]
    if not types:
        raise InvalidEvent("the intervals have no payloads: the event asks for nothing")
    if len(types) > EVENT_SIGNALS_MAX:
        raise InvalidEvent(f"the event has {len(types)} types of payloads; {EVENT_SIGNALS_MAX} are the most")
    return tuple(_signal(payload_type, placed, program, descriptors.get(payload_type)) for payload_type in types)


def baseline_of(
    placed: Sequence[Placed], starts_at: datetime, descriptors: Descriptors, attributes: Attributes
) -> Baseline | None:
    """What the event says is usual; over its own time, unless the attributes say from when."""
    start = attributes.moment(BASELINE_START)
    names = (attributes.text(BASELINE_ID), attributes.text(BASELINE_NAME))
    resources = attributes.names(BASELINE_RESOURCE)
    if BASELINE not in _types(placed):
        if start is not None or resources or names != (None, None):
            raise InvalidEvent(f"the attributes of a baseline need payloads of type {BASELINE}")
        return None
    unit = _quantity(BASELINE, POWER | ENERGY, descriptors.get(BASELINE))
    return Baseline(
        id=names[0] or BASELINE,
        name=names[1] or BASELINE,
        starts_at=start or starts_at,
        intervals=tuple(
            SignalInterval(duration=length, value=from_scale(_number(index, interval, BASELINE), unit.scale))
            for index, (length, interval) in enumerate(placed)
        ),
        unit=unit,
        resources=resources,
    )


def _types(placed: Sequence[Placed]) -> list[str]:
    return list(dict.fromkeys(payload.type for _, interval in placed for payload in interval.payloads))


def _signal(
    payload_type: str, placed: Sequence[Placed], program: Program, descriptor: PayloadDescriptor | None
) -> Signal:
    kind = _kind(payload_type, descriptor)
    unit = _unit(payload_type, kind, descriptor)
    scale = unit.scale if unit is not None and RULES[kind].scaled else "none"
    sign = _sign(payload_type, kind, program)
    intervals = []
    for index, (length, interval) in enumerate(placed):
        value = from_scale(_number(index, interval, payload_type), scale) * sign
        if fault := value_fault(kind, value):
            raise InvalidEvent(f"interval {index}: {payload_type} {fault}")
        intervals.append(SignalInterval(duration=length, value=value))
    return Signal(
        id=payload_type,
        kind=kind,
        intervals=tuple(intervals),
        device_classes=() if descriptor is None else descriptor.device_classes,
        unit=unit,
    )


def _kind(payload_type: str, descriptor: PayloadDescriptor | None) -> SignalKind:
    base = base_type(payload_type)
    if base not in SIGNAL_KINDS:
        raise InvalidEvent(f"payload type {payload_type} is not carried; {', '.join(SIGNAL_KINDS)} are")
    if base == CHARGE_STATE_SETPOINT and descriptor is not None and (descriptor.units or "").upper() == PERCENT:
        return SignalKind.CHARGE_SHARE
    return SIGNAL_KINDS[base]


def _unit(payload_type: str, kind: SignalKind, descriptor: PayloadDescriptor | None) -> Unit | None:
    measures = RULES[kind].measures
    if not measures:
        return None
    return (_price if measures <= MONEY else _quantity)(payload_type, measures, descriptor)


def _quantity(payload_type: str, measures: frozenset[Measure], descriptor: PayloadDescriptor | None) -> Unit:
    written = None if descriptor is None else descriptor.units
    measure, scale = UNITS.get((written or "").upper(), (None, ""))
    if descriptor is None or measure is None or measure not in measures:
        known = [name for name, (found, _) in UNITS.items() if found in measures]
        raise _wrong_unit(payload_type, written, known)
    attributes = (descriptor.power_attributes or NORTH_AMERICAN_HOME) if measure in POWER else None
    return Unit(measure=measure, scale=scale, attributes=attributes)


def _price(payload_type: str, measures: frozenset[Measure], descriptor: PayloadDescriptor | None) -> Unit:
    written = None if descriptor is None else descriptor.units
    known = [name for name, (found, _) in PRICES.items() if found in measures and name]
    measure, scale = PRICES.get((written or "").upper(), (None, ""))
    if measure not in measures and written is None and len(measures) == 1:
        (measure,), scale = measures, "none"
    if descriptor is None or measure is None or measure not in measures:
        raise _wrong_unit(payload_type, written, known)
    if descriptor.currency not in CURRENCIES:
        given = "no currency" if descriptor.currency is None else f"the currency {descriptor.currency}"
        raise InvalidEvent(f"{payload_type} has {given}: say an ISO 4217 code as currency in payloadDescriptors")
    return Unit(measure=measure, scale=scale, currency=descriptor.currency)


def _wrong_unit(payload_type: str, written: str | None, known: Sequence[str]) -> InvalidEvent:
    given = "no unit" if written is None else f"the unit {written}"
    return InvalidEvent(f"{payload_type} has {given}: say one of {', '.join(known)} as units in payloadDescriptors")


def _sign(payload_type: str, kind: SignalKind, program: Program) -> int:
    if kind is not SignalKind.RELIEF:
        return 1
    if program.relief_sign is None:
        raise InvalidEvent(
            f"program {program.name} does not say what a positive {payload_type} asks for: "
            f"give it the attribute {RELIEF_SIGN} with POSITIVE or NEGATIVE"
        )
    return program.relief_sign.factor


def _number(index: int, interval: Interval, payload_type: str) -> float:
    payloads = [payload for payload in interval.payloads if payload.type == payload_type]
    if len(payloads) != 1:
        raise InvalidEvent(f"interval {index} has {len(payloads)} payloads of type {payload_type}: it needs one")
    values = payloads[0].values
    if len(values) != 1 or isinstance(values[0], bool) or not isinstance(values[0], int | float):
        raise InvalidEvent(f"interval {index}: {payload_type} needs exactly one number")
    return float(values[0])
