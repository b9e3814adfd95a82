"""Messages of IEEE 2030.5 from and as JSON: members are called as the elements are, and powers may be plain numbers.

For operators, who are no devices: ``{"opModExpLimW": 5000}`` is an export limit of five kilowatts.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from openadr_core.errors import LocalProtocolError, SchemaViolation
from openadr_core.sep2.plan import Part, parts_of
from openadr_core.sep2.power import VALUE_MOST, active_power, reactive_power
from openadr_core.sep2.quantities import ActivePower, ReactivePower
from openadr_core.sep2.scalars import Hex, Text, Whole

M = TypeVar("M")
POWERS = {ActivePower: active_power, ReactivePower: reactive_power}


def from_json(kind: type[M], members: object, place: str = "") -> M:
    """SchemaViolation names the member that is wrong, missing, or not known."""
    if not isinstance(members, Mapping):
        raise SchemaViolation(f"{place or 'it'}: is not an object")
    parts = {part.name: part for part in parts_of(kind)}  # type: ignore[arg-type]  # a class is hashable
    prefix = f"{place}." if place else ""
    for name in members:
        if name not in parts:
            raise SchemaViolation(f"{prefix}{str(name)[:64]}: is not known here")
    given: dict[str, Any] = {}
    for name, part in parts.items():
        value = members.get(name)
        if value is not None:
            given[part.field] = _value(part, value, f"{prefix}{name}")
        elif not part.is_optional and not part.is_list:
            raise SchemaViolation(f"{prefix}{name}: is missing")
    return kind(**given)


def to_json(message: object, *, without: Collection[str] = ()) -> dict[str, Any]:
    """What :func:`from_json` makes this message of, but for the members named in ``without``.

    A power is a plain number where that says all of it, and has its parts where it is told in less than whole units.
    """
    return {
        part.name: _written(part, value)
        for part in parts_of(type(message))  # type: ignore[arg-type]  # a class is hashable
        if part.name not in without and (value := getattr(message, part.field)) not in (None, ())
    }


def _written(part: Part, value: Any) -> Any:
    if part.is_list:
        return [to_json(each) if part.is_complex else each for each in value]
    if part.type in POWERS and value.multiplier >= 0 and abs(value.value) <= VALUE_MOST:
        return value.value * 10**value.multiplier
    return to_json(value) if part.is_complex else value


def _value(part: Part, value: Any, place: str) -> Any:
    if not part.is_list:
        return _one(part, value, place)
    if not isinstance(value, list):
        raise SchemaViolation(f"{place}: is not a list")
    return tuple(_one(part, each, f"{place}[{index}]") for index, each in enumerate(value))


def _one(part: Part, value: Any, place: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if part.type in POWERS and is_number:
        try:
            return POWERS[part.type](float(value))
        except LocalProtocolError as error:
            raise SchemaViolation(f"{place}: {error}") from None
    if part.is_complex:
        return from_json(part.type, value, place)
    if not isinstance(value, part.type) or (part.type is int and isinstance(value, bool)):
        raise SchemaViolation(f"{place}: must be {WORDS[part.type]}")
    _check_bounds(part.bounds, value, place)
    return value


WORDS = {int: "a whole number", str: "a text", bool: "true or false"}


def _check_bounds(bounds: object, value: Any, place: str) -> None:
    if isinstance(bounds, Whole) and not bounds.least <= value <= bounds.most:
        raise SchemaViolation(f"{place}: must be from {bounds.least} to {bounds.most}")
    if isinstance(bounds, Text) and len(value) > bounds.chars_max:
        raise SchemaViolation(f"{place}: is longer than {bounds.chars_max} characters")
    if isinstance(bounds, Hex):
        try:
            fits = len(bytes.fromhex(value)) <= bounds.bytes_max
        except ValueError:
            fits = False
        if not fits:
            raise SchemaViolation(f"{place}: must be up to {bounds.bytes_max} bytes in hex, two digits each")
