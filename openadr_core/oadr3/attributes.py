"""Attributes: what OpenADR 3.1 has no member for, said in the manner of its own attributes.

Programs have them in the standard, under names that parties may choose. An event's ``attributes`` are this
project's, for what 2.0b's eventDescriptor, eiActivePeriod and eiTarget know; docs/operator-events.md tells them to
users. A wrong one is refused by name, and so is one of an event that nobody knows: a slip must not pass for silence.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from openadr_core.errors import RuleBroken
from openadr_core.model.target import TO, Target, TargetKind, is_device_class
from openadr_core.oadr3.messages import Value, ValuesMap
from openadr_core.oadr3.times import Sentinel, parse_fixed_length, parse_start

T = TypeVar("T")

RELIEF_SIGN = "RELIEF_SIGN"
MARKET_CONTEXT = "MARKET_CONTEXT"
EVENT_OVERLAP = "EVENT_OVERLAP"

TEST_EVENT = "TEST_EVENT"
VTN_COMMENT = "VTN_COMMENT"
MODIFICATION_REASON = "MODIFICATION_REASON"
RESPONSE_REQUIRED = "RESPONSE_REQUIRED"
RAMP_UP = "RAMP_UP"
RECOVERY = "RECOVERY"
NOTIFICATION = "NOTIFICATION"
START_AFTER = "START_AFTER"
BASELINE_ID = "BASELINE_ID"
BASELINE_NAME = "BASELINE_NAME"
BASELINE_START = "BASELINE_START"
BASELINE_RESOURCE = "BASELINE_RESOURCE"

TARGET_KINDS: dict[str, TargetKind] = {
    "AGGREGATED_PNODE": TargetKind.AGGREGATED_PNODE,
    "END_DEVICE_ASSET": TargetKind.DEVICE_CLASS,
    "METER_ASSET": TargetKind.METER,
    "PNODE": TargetKind.PNODE,
    "SERVICE_AREA": TargetKind.SERVICE_AREA,
    "SERVICE_DELIVERY_POINT": TargetKind.SERVICE_DELIVERY_POINT,
    "SERVICE_LOCATION": TargetKind.SERVICE_LOCATION,
    "TRANSPORT_INTERFACE": TargetKind.TRANSPORT_INTERFACE,
    "GROUP_ID": TargetKind.GROUP,
    "GROUP_NAME": TargetKind.GROUP_NAME,
    "RESOURCE_ID": TargetKind.RESOURCE,
    "VEN_ID": TargetKind.VEN,
    "PARTY_ID": TargetKind.PARTY,
}
"""In the order of 2.0b's eiTarget."""

EVENT_ATTRIBUTES = (
    TEST_EVENT, VTN_COMMENT, MODIFICATION_REASON, RESPONSE_REQUIRED, RAMP_UP, RECOVERY, NOTIFICATION, START_AFTER,
    BASELINE_ID, BASELINE_NAME, BASELINE_START, BASELINE_RESOURCE, *TARGET_KINDS,
)  # fmt: skip
NAME_MAX_CHARS = 128
"""OpenADR 3.1 bounds targets by this."""

_POSITIONS = re.compile(r"-?\d+(\.\d+)? -?\d+(\.\d+)?( -?\d+(\.\d+)? -?\d+(\.\d+)?)*", re.ASCII)


class Attributes:
    """Those of one object, by type; ``what`` names the object in errors."""

    def __init__(self, attributes: Iterable[ValuesMap], *, error: type[RuleBroken] = RuleBroken) -> None:
        self._error = error
        self._values: dict[str, tuple[Value, ...]] = {}
        for attribute in attributes:
            if attribute.type in self._values:
                raise self._error(f"attribute {attribute.type}: stands twice")
            self._values[attribute.type] = attribute.values

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Types that are not among the known ones, and not somebody's own (``x-``)."""
        return sorted(name for name in self._values.keys() - set(known) if not name.lower().startswith("x-"))

    def text(self, name: str) -> str | None:
        return self._one(name, "text", str)

    def chosen(self, name: str, choices: Iterable[str]) -> str | None:
        value = self.text(name)
        choices = list(choices)
        if value is not None and value not in choices:
            raise self._error(f"attribute {name}: must be {' or '.join(choices)}, not {value!r}")
        return value

    def flag(self, name: str) -> bool | None:
        return self._one(name, "true or false", bool)

    def length(self, name: str, *, signed: bool = False) -> timedelta | None:
        """A length of time; with ``signed`` it may begin with a minus."""
        text = self.text(name)
        if text is None:
            return None
        negative = signed and text.startswith("-")
        length = self._parsed(name, text.removeprefix("-") if negative else text, parse_fixed_length)
        return -length if negative else length

    def moment(self, name: str) -> datetime | None:
        text = self.text(name)
        return None if text is None else self._parsed(name, text, parse_start)

    def names(self, name: str) -> tuple[str, ...]:
        found: list[str] = []
        for value in self._values.get(name, ()):
            if not isinstance(value, str) or not 1 <= len(value) <= NAME_MAX_CHARS:
                raise self._error(f"attribute {name}: each value is a text of 1 to {NAME_MAX_CHARS} characters")
            found.append(value)
        return tuple(found)

    def whole_numbers(self, name: str, count: int, *, most: int) -> list[int] | None:
        """So many, from 0 to ``most``; None if it is not there."""
        values = self._values.get(name)
        if values is None:
            return None
        found = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
        if len(values) != count or len(found) != count or not all(0 <= value <= most for value in found):
            raise self._error(f"attribute {name}: needs {count} whole numbers from 0 to {most}")
        return found

    def targets(self) -> Iterator[Target]:
        """The parts of parties that an event is for, in the order of eiTarget."""
        for name, kind in TARGET_KINDS.items():
            for value in self._areas(name) if kind in _AREAS else self.names(name):
                if fault := _target_fault(kind, value):
                    raise self._error(f"attribute {name}: {value!r} {fault}")
                yield Target(kind=kind, name=value)

    def _areas(self, name: str) -> tuple[str, ...]:
        values = self._values.get(name, ())
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) < len(values):
            raise self._error(f"attribute {name}: each value is a text of longitudes and latitudes")
        return texts

    def _one(self, name: str, what: str, kind: type[T]) -> T | None:
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) != 1 or not isinstance(values[0], kind):
            raise self._error(f"attribute {name}: needs exactly one {what}")
        return values[0]

    def _parsed(self, name: str, text: str, parse: Callable[[str], T | Sentinel]) -> T:
        try:
            parsed = parse(text)
        except ValueError as error:
            raise self._error(f"attribute {name}: {error}") from None
        if isinstance(parsed, Sentinel):
            raise self._error(f"attribute {name}: {text} is none of the calendar")
        return parsed


_AREAS = frozenset({TargetKind.SERVICE_AREA, TargetKind.SERVICE_LOCATION})

_SHAPES: Mapping[TargetKind, tuple[Callable[[str], object], str]] = {
    TargetKind.DEVICE_CLASS: (is_device_class, "is no device class of 2.0b, nor does it begin with x-"),
    TargetKind.SERVICE_AREA: (_POSITIONS.fullmatch, "must be longitudes and latitudes with spaces between"),
    TargetKind.SERVICE_LOCATION: (_POSITIONS.fullmatch, "must be longitudes and latitudes with spaces between"),
    TargetKind.TRANSPORT_INTERFACE: (lambda name: TO in name, f"must be two nodes with {TO!r} between"),
}


def _target_fault(kind: TargetKind, name: str) -> str:
    fits, fault = _SHAPES.get(kind, (lambda _: True, ""))
    return "" if fits(name) else fault
