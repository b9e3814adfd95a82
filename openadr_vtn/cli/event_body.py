"""An OpenADR 3.1 event made from the options of `openadr-vtn event create`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from openadr_core.model.signal_table import RULES
from openadr_core.model.unit import ENERGY, MONEY, POWER, Measure
from openadr_core.oadr3.payload_types import ALERTS, SIGNAL_KINDS, UNITS_OF_OTHERS

PAYLOAD_TYPES = [*SIGNAL_KINDS, *UNITS_OF_OTHERS, *ALERTS]
"""All that one number, or a few words, can say: what 2.0b knows too, and what only OpenADR 3 does."""
SHORT_DURATION = re.compile(r"(-?)(\d+)([smhd])")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWish:
    """What the options say; durations and moments are as they were typed."""

    program_id: str
    payload_type: str
    value: float | str
    units: str | None
    currency: str | None
    device_classes: Sequence[str]
    start: str
    duration: str
    targets: Sequence[str]
    groups: Sequence[str]
    resources: Sequence[str]
    priority: int | None
    name: str | None
    comment: str | None
    test: bool
    answer_wanted: bool
    lengths: Mapping[str, str | None]
    """By attribute: RAMP_UP and its like."""


def event_body(wish: EventWish) -> dict[str, Any]:
    """The event, without what was not said."""
    body: dict[str, Any] = {
        "programID": wish.program_id,
        "eventName": wish.name,
        "priority": wish.priority,
        "targets": list(wish.targets),
        "intervalPeriod": {"start": start_text(wish.start), "duration": duration_text(wish.duration)},
        "payloadDescriptors": _descriptors(wish),
        "attributes": [{"type": name, "values": values} for name, values in _attributes(wish).items() if values],
        "intervals": [{"id": 0, "payloads": [{"type": wish.payload_type, "values": [wish.value]}]}],
    }
    return {name: member for name, member in body.items() if member not in (None, [])} | {"targets": body["targets"]}


def _descriptors(wish: EventWish) -> list[dict[str, Any]]:
    units = wish.units or _usual_units(wish.payload_type)
    said = {"units": units, "currency": wish.currency, "deviceClasses": list(wish.device_classes) or None}
    said = {name: value for name, value in said.items() if value is not None}
    if not said:
        return []
    return [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": wish.payload_type, **said}]


def _usual_units(payload_type: str) -> str | None:
    if payload_type not in SIGNAL_KINDS:
        return UNITS_OF_OTHERS.get(payload_type)
    measures = RULES[SIGNAL_KINDS[payload_type]].measures
    if measures & POWER or measures == {Measure.CURRENCY_PER_KW}:
        return "KW"
    return "KWH" if measures & (ENERGY | MONEY) else None


def _attributes(wish: EventWish) -> dict[str, list[Any]]:
    return {
        "TEST_EVENT": [True] if wish.test else [],
        "VTN_COMMENT": [] if wish.comment is None else [wish.comment],
        "RESPONSE_REQUIRED": [] if wish.answer_wanted else ["NEVER"],
        **{name: [duration_text(length)] for name, length in wish.lengths.items() if length is not None},
        "GROUP_ID": list(wish.groups),
        "RESOURCE_ID": list(wish.resources),
    }


def start_text(start: str) -> str:
    if start == "now":
        return "0001-01-01T00:00:00Z"
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise click.BadParameter(
            "must be now, or a moment such as 2030-07-01T18:30:00Z", param_hint="--start"
        ) from None
    # Without an offset it is the operator's own clock that is meant.
    return moment.astimezone().isoformat(timespec="seconds")


def duration_text(duration: str) -> str:
    matched = SHORT_DURATION.fullmatch(duration)
    if matched is None:
        return duration
    sign, number, unit = matched.groups()
    return f"{sign}P{number}D" if unit == "d" else f"{sign}PT{number}{unit.upper()}"
