"""Bytes of a request's body to messages. What is wrong is said with its place, for a human to mend."""

from typing import Any, TypeGuard

from openadr_core.errors import SchemaViolation
from openadr_core.model.unit import PowerAttributes
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import Json, parse_object, without_members
from openadr_core.oadr3.messages import (
    EventRequest,
    Interval,
    IntervalPeriod,
    PayloadDescriptor,
    Point,
    ProgramRequest,
    ReportDescriptor,
    ReportIntervals,
    Value,
    ValuesMap,
)
from openadr_core.oadr3.times import parse_length, parse_start

SERVER_MEMBERS = frozenset({"id", "createdDateTime", "modificationDateTime", "objectType"})
"""OpenADR 3.1: whatever a client sends for these is ignored; the VTN sets them."""

EVENT_DESCRIPTOR = "EVENT_PAYLOAD_DESCRIPTOR"
REPORT_DESCRIPTOR = "REPORT_PAYLOAD_DESCRIPTOR"


def decode_program(body: bytes) -> ProgramRequest:
    """A program; MalformedMessage or SchemaViolation says what is wrong, and where."""
    members, text = parse_object(body)
    program = Fields.of(members, "")
    return ProgramRequest(
        name=program.required("programName", program.name),
        document=without_members(text, SERVER_MEMBERS),
        attributes=tuple(values_map(attribute) for attribute in program.objects("attributes")),
        payload_descriptors=_payload_descriptors(program),
        targets=program.names("targets"),
    )


def decode_event(body: bytes) -> EventRequest:
    """An event; MalformedMessage or SchemaViolation says what is wrong, and where."""
    members, text = parse_object(body)
    event = Fields.of(members, "")
    return EventRequest(
        program_id=event.required("programID", event.identifier),
        document=without_members(text, SERVER_MEMBERS),
        name=event.optional("eventName", event.text) or "",
        duration=event.optional("duration", event.parsed(parse_length)),
        priority=event.optional("priority", event.natural),
        targets=event.names("targets"),
        payload_descriptors=_payload_descriptors(event),
        report_descriptors=tuple(_report_descriptor(one) for one in event.objects("reportDescriptors")),
        period=period_of(event),
        intervals=tuple(interval_of(interval) for interval in event.objects("intervals")),
        attributes=tuple(values_map(attribute) for attribute in event.objects("attributes")),
    )


def interval_of(interval: Fields) -> Interval:
    """An interval of an event or of a report."""
    if interval.members.get("payloads") is None:
        raise interval.wrong("payloads", "is missing")
    return Interval(
        id=interval.required("id", interval.integer),
        payloads=tuple(values_map(payload) for payload in interval.objects("payloads")),
        period=period_of(interval),
    )


def period_of(holder: Fields) -> IntervalPeriod | None:
    """The intervalPeriod of an event, of an interval or of a resource's report."""
    period = holder.optional("intervalPeriod", holder.object)
    if period is None:
        return None
    return IntervalPeriod(
        start=period.optional("start", period.parsed(parse_start)),
        duration=period.optional("duration", period.parsed(parse_length)),
        randomize_start=period.optional("randomizeStart", period.parsed(parse_length)),
    )


def _payload_descriptors(holder: Fields) -> tuple[PayloadDescriptor, ...]:
    """Those of events. An absent objectType is taken for theirs: the User Guide's samples leave it out."""
    found = []
    for descriptor in holder.objects("payloadDescriptors"):
        kind = descriptor.optional("objectType", descriptor.text) or EVENT_DESCRIPTOR
        if kind not in {EVENT_DESCRIPTOR, REPORT_DESCRIPTOR}:
            raise descriptor.wrong("objectType", f"must be {EVENT_DESCRIPTOR} or {REPORT_DESCRIPTOR}")
        payload_type = descriptor.required("payloadType", descriptor.name)
        units = descriptor.optional("units", descriptor.text)
        if kind == EVENT_DESCRIPTOR:
            found.append(
                PayloadDescriptor(
                    payload_type=payload_type,
                    units=units,
                    currency=descriptor.optional("currency", descriptor.text),
                    device_classes=descriptor.names("deviceClasses"),
                    power_attributes=_power_attributes(descriptor),
                )
            )
    return tuple(found)


def _report_descriptor(descriptor: Fields) -> ReportDescriptor:
    """An absent member is the standard's default, which is that of the value's field."""
    numbers = {
        "start_interval": "startInterval",
        "num_intervals": "numIntervals",
        "frequency": "frequency",
        "repeat": "repeat",
    }
    said: dict[str, Any] = {name: descriptor.optional(member, descriptor.integer) for name, member in numbers.items()}
    said |= {name: descriptor.optional(name, descriptor.boolean) for name in ("aggregate", "historical")}
    said |= {
        "reading_type": descriptor.optional("readingType", descriptor.name),
        "report_intervals": descriptor.optional("reportIntervals", descriptor.one_of(ReportIntervals)),
    }
    return ReportDescriptor(
        payload_type=descriptor.required("payloadType", descriptor.name),
        units=descriptor.optional("units", descriptor.text),
        targets=descriptor.names("targets"),
        **{name: value for name, value in said.items() if value is not None},
    )


def _power_attributes(holder: Fields) -> PowerAttributes | None:
    attributes = holder.optional("powerAttributes", holder.object)
    if attributes is None:
        return None
    return PowerAttributes(
        hertz=attributes.required("hertz", attributes.decimal_text),
        voltage=attributes.required("voltage", attributes.decimal_text),
        ac=attributes.required("ac", attributes.boolean),
    )


def values_map(one: Fields) -> ValuesMap:
    """A payload, or an attribute."""
    if one.members.get("values") is None:
        raise one.wrong("values", "is missing")
    return ValuesMap(
        type=one.required("type", one.name),
        values=tuple(_value(item, place) for item, place in one.items("values")),
    )


def _value(item: Json, place: str) -> Value:
    if isinstance(item, bool | int | float | str):
        return item
    if isinstance(item, dict):
        x, y = item.get("x"), item.get("y")
        if _is_number(x) and _is_number(y):
            return Point(x=float(x), y=float(y))
    raise SchemaViolation(f"{place}: must be a number, a text, true, false or a point with x and y")


def _is_number(item: Json) -> TypeGuard[int | float]:
    return isinstance(item, int | float) and not isinstance(item, bool)
