"""The payloads of an event's intervals as canonical signals, and what is usual beside them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.errors import InvalidEvent
from openadr_core.limits import EVENT_SIGNALS_MAX
from openadr_core.model.event import IN_KILOWATTS, Baseline, Signal, SignalInterval, SignalKind
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
from openadr_core.oadr3.layout import Placed, parts
from openadr_core.oadr3.messages import Interval, PayloadDescriptor
from openadr_core.oadr3.payload_types import BASELINE, CHARGE_STATE_SETPOINT, SIGNAL_KINDS, base_type
from openadr_core.oadr3.units import PERCENT, PRICES, UNITS
from openadr_core.units import from_scale

Descriptors = Mapping[str, PayloadDescriptor]
"""By payload type, its label included."""


def signals_of(
    placed: Sequence[Placed], program: Program, descriptors: Descriptors
) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """One for each payload type that all parties have a word for, and why there is none for each of the others."""
    types = [payload_type for payload_type in types_of(placed) if payload_type != BASELINE]
    if not types:
        return (), ("the intervals have no payloads",)
    if len(types) > EVENT_SIGNALS_MAX:
        return (), (f"the event has {len(types)} types of payloads; {EVENT_SIGNALS_MAX} are the most",)
    signals, not_said = [], []
    for payload_type in types:
        try:
            signals.append(_signal(payload_type, placed, program, descriptors.get(payload_type)))
        except InvalidEvent as error:
            not_said.append(str(error))
    return tuple(signals), tuple(not_said)


def powers_asked(
    intervals: Sequence[Interval], descriptors: Descriptors
) -> Iterator[tuple[str, Sequence[tuple[int, float]]]]:
    """Each payload type that asks for a power to give or to hold, with its intervals' numbers in watts.

    A unit that is not said, or is none of power, counts as the largest that the type is usually in: kilowatts.
    """
    for payload_type in types_of(intervals):
        if SIGNAL_KINDS.get(base_type(payload_type)) not in IN_KILOWATTS:
            continue
        descriptor = descriptors.get(payload_type)
        measure, scale = UNITS.get(((descriptor and descriptor.units) or "").upper(), (None, "k"))
        yield (
            payload_type,
            [
                (index, from_scale(float(value), scale if measure in POWER else "k"))
                for index, interval in enumerate(intervals)
                for payload in interval.payloads
                if payload.type == payload_type
                for value in payload.values
                if isinstance(value, int | float) and not isinstance(value, bool)
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineWords:
    """What our attributes say of an event's baseline."""

    id: str | None
    name: str | None
    starts_at: datetime | None
    resources: tuple[str, ...]

    @classmethod
    def of(cls, attributes: Attributes, intervals: Sequence[Interval]) -> "BaselineWords":
        """InvalidEvent names an attribute that is wrong, or that stands there without a baseline."""
        words = cls(
            id=attributes.text(BASELINE_ID),
            name=attributes.text(BASELINE_NAME),
            starts_at=attributes.moment(BASELINE_START),
            resources=attributes.names(BASELINE_RESOURCE),
        )
        if BASELINE not in types_of(intervals) and words != cls(id=None, name=None, starts_at=None, resources=()):
            raise InvalidEvent(f"the attributes of a baseline need payloads of type {BASELINE}")
        return words


def baseline_of(
    placed: Sequence[Placed], starts_at: datetime, descriptors: Descriptors, words: BaselineWords
) -> Baseline | None:
    """What the event says is usual; over its own time, unless the attributes say from when."""
    if BASELINE not in types_of(placed):
        return None
    unit = _quantity(BASELINE, POWER | ENERGY, descriptors.get(BASELINE))
    return Baseline(
        id=words.id or BASELINE,
        name=words.name or BASELINE,
        starts_at=words.starts_at or starts_at,
        intervals=tuple(
            SignalInterval(duration=one.length, value=from_scale(_number(one, BASELINE), unit.scale)) for one in placed
        ),
        unit=unit,
        resources=words.resources,
    )


def types_of(intervals: Iterable[Interval | Placed]) -> list[str]:
    return list(dict.fromkeys(payload.type for interval in intervals for payload in interval.payloads))


def _signal(
    payload_type: str, placed: Sequence[Placed], program: Program, descriptor: PayloadDescriptor | None
) -> Signal:
    kind = kind_of(payload_type, descriptor)
    unit = unit_of(payload_type, kind, descriptor)
    scale = unit.scale if unit is not None and RULES[kind].scaled else "none"
    sign = sign_of(payload_type, kind, program)
    intervals = []
    for one in placed:
        # User Guide 7.3: several values of a type that has one at a time are equal parts of their interval.
        numbers = numbers_of(one, payload_type) if RULES[kind].measures & MONEY else (_number(one, payload_type),)
        for number, (starts_at, ends_at) in zip(numbers, parts(one, len(numbers)), strict=False):
            value = from_scale(number, scale) * sign
            if fault := value_fault(kind, value):
                raise InvalidEvent(f"interval {one.index}: {payload_type} {fault}")
            intervals.append(SignalInterval(duration=None if ends_at is None else ends_at - starts_at, value=value))
    return Signal(
        id=payload_type,
        kind=kind,
        intervals=tuple(intervals),
        device_classes=() if descriptor is None else descriptor.device_classes,
        unit=unit,
    )


def kind_of(payload_type: str, descriptor: PayloadDescriptor | None) -> SignalKind:
    base = base_type(payload_type)
    if base not in SIGNAL_KINDS:
        raise InvalidEvent(f"payload type {payload_type} cannot be told to 2.0b parties")
    if base == CHARGE_STATE_SETPOINT and descriptor is not None and (descriptor.units or "").upper() == PERCENT:
        return SignalKind.CHARGE_SHARE
    return SIGNAL_KINDS[base]


def unit_of(payload_type: str, kind: SignalKind, descriptor: PayloadDescriptor | None) -> Unit | None:
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


def sign_of(payload_type: str, kind: SignalKind, program: Program) -> int:
    if kind is not SignalKind.RELIEF:
        return 1
    if program.relief_sign is None:
        raise InvalidEvent(
            f"program {program.name} does not say what a positive {payload_type} asks for: "
            f"give it the attribute {RELIEF_SIGN} with POSITIVE or NEGATIVE"
        )
    return program.relief_sign.factor


def _number(placed: Placed, payload_type: str) -> float:
    numbers = numbers_of(placed, payload_type)
    if len(numbers) != 1:
        raise InvalidEvent(f"interval {placed.index}: {payload_type} needs exactly one number")
    return numbers[0]


def numbers_of(placed: Placed, payload_type: str) -> tuple[float, ...]:
    payloads = [payload for payload in placed.payloads if payload.type == payload_type]
    if len(payloads) != 1:
        raise InvalidEvent(f"interval {placed.index} has {len(payloads)} payloads of type {payload_type}: it needs one")
    values = payloads[0].values
    if not values or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise InvalidEvent(f"interval {placed.index}: {payload_type} needs exactly one number")
    return tuple(float(value) for value in values if isinstance(value, int | float))
