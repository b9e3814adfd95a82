"""Bytes of a request's body to messages. What is wrong is said with its place, for a human to mend."""

from typing import Any, TypeGuard

from openadr_core.errors import SchemaViolation
from openadr_core.model.unit import PowerAttributes
from openadr_core.oadr3.fields import INT32_MAX, Fields
from openadr_core.oadr3.json_text import Json, parse_object, without_members, without_nulls
from openadr_core.oadr3.messages import (
    DIRECT_READ,
    EventRequest,
    Interval,
    IntervalPeriod,
    PayloadDescriptor,
    Point,
    ProgramRequest,
    ReportDescriptor,
    ReportIntervals,
    ReportPayloadDescriptor,
    Value,
    ValuesMap,
)
from openadr_core.oadr3.times import parse_length, parse_start

SERVER_MEMBERS = frozenset({"id", "createdDateTime", "modificationDateTime", "objectType"})
"""OpenADR 3.1: whatever a client sends for these is ignored; the VTN sets them."""

EVENT_DESCRIPTOR = "EVENT_PAYLOAD_DESCRIPTOR"
REPORT_DESCRIPTOR = "REPORT_PAYLOAD_DESCRIPTOR"


def document_of(text: str, dropped: frozenset[str]) -> str:
    """What is kept of an object in this text: as it was written, but for these members and for null ones.

    Interpretation: 3.1's schema takes null for some members alone, and published clients write it for each that they
    leave out. It is as good as nothing everywhere, and is not told again, so that what is told fits the schema.
    """
    return without_members(without_nulls(text.strip()), dropped)


def decode_program(body: bytes) -> ProgramRequest:
    """A program; MalformedMessage or SchemaViolation says what is wrong, and where."""
    members, text = parse_object(body)
    program = Fields.of(members, "")
    period_of(program)
    for description in program.objects("programDescriptions"):
        description.required("URL", description.url)
    return ProgramRequest(
        name=program.required("programName", program.name),
        document=document_of(text, SERVER_MEMBERS),
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
        document=document_of(text, SERVER_MEMBERS),
        name=event.optional("eventName", event.text) or "",
        duration=event.optional("duration", event.parsed(parse_length)),
        priority=_priority(event),
        targets=event.names("targets"),
        payload_descriptors=_payload_descriptors(event),
        report_descriptors=tuple(_report_descriptor(one) for one in event.objects("reportDescriptors")),
        period=period_of(event),
        intervals=event.optional("intervals", event.list_of(interval_of)) or (),
        attributes=tuple(values_map(attribute) for attribute in event.objects("attributes")),
    )


def interval_of(interval: Fields) -> Interval:
    """An interval of an event or of a report."""
    if interval.members.get("payloads") is None:
        raise interval.wrong("payloads", "is missing")
    return Interval(
        id=interval.required("id", interval.int32),
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
        units = descriptor.optional("units", descriptor.name)
        if kind == REPORT_DESCRIPTOR:
            report_payload_descriptor(descriptor)
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
    said: dict[str, Any] = {name: descriptor.optional(member, descriptor.int32) for name, member in numbers.items()}
    said |= {name: descriptor.optional(name, descriptor.boolean) for name in ("aggregate", "historical")}
    said |= {
        "reading_type": descriptor.optional("readingType", descriptor.name),
        "report_intervals": descriptor.optional("reportIntervals", descriptor.one_of(ReportIntervals)),
    }
    return ReportDescriptor(
        payload_type=descriptor.required("payloadType", descriptor.name),
        units=descriptor.optional("units", descriptor.name),
        targets=descriptor.names("targets"),
        **{name: value for name, value in said.items() if value is not None},
    )


def _priority(event: Fields) -> int | None:
    """0 is the highest. Interpretation: the standard has no lowest; beyond what a database holds all are as low."""
    priority = event.optional("priority", event.natural)
    return None if priority is None else min(priority, INT32_MAX)


def report_payload_descriptor(descriptor: Fields) -> ReportPayloadDescriptor:
    """What the payloads of one type of a report are measured in; an absent member is the standard's default."""
    confidence = descriptor.optional("confidence", descriptor.integer)
    if confidence is not None and not 0 <= confidence <= 100:
        raise descriptor.wrong("confidence", "must be from 0 to 100")
    return ReportPayloadDescriptor(
        payload_type=descriptor.required("payloadType", descriptor.name),
        reading_type=descriptor.optional("readingType", descriptor.name) or DIRECT_READ,
        units=descriptor.optional("units", descriptor.name),
        accuracy=descriptor.optional("accuracy", descriptor.number),
        confidence=confidence,
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
