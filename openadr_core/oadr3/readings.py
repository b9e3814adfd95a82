"""What an OpenADR 3 report measured, in the words that all protocols share (:mod:`openadr_core.model.report`).

A report is kept as it was written whatever it holds: what cannot be read here is not refused.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite

from openadr_core.errors import RemoteProtocolError
from openadr_core.limits import READING_MAX
from openadr_core.model.report import EVERYTHING, DataPoint, DataSource, Measurand, Quality, Reading
from openadr_core.oadr3.encode import OPERATING_STATE
from openadr_core.oadr3.layout import Placed, lay_out, parts
from openadr_core.oadr3.messages import EventRequest, ReportPayloadDescriptor, ReportRequest, ResourceReport, Value
from openadr_core.oadr3.units import UNITS
from openadr_core.units import from_scale

AGGREGATED = "AGGREGATED_REPORT"
"""The name of everything behind a ven."""
DATA_QUALITY = "DATA_QUALITY"
OPTED_OUT = frozenset({"IDLE_OPTED_OUT", "RUNNING_OPTED_OUT"})

MEASURANDS: Mapping[str, tuple[Measurand, str]] = {
    "USAGE": (Measurand.USAGE, "KWH"),
    "DEMAND": (Measurand.USAGE, "KW"),
    "BASELINE": (Measurand.BASELINE, ""),
    "DELTA_USAGE": (Measurand.DELTA_USAGE, "KWH"),
    "SETPOINT": (Measurand.SETPOINT, "KW"),
    "UP_REGULATION_AVAILABLE": (Measurand.UP_REGULATION, "KW"),
    "DOWN_REGULATION_AVAILABLE": (Measurand.DOWN_REGULATION, "KW"),
    "REGULATION_SETPOINT": (Measurand.REGULATION_SETPOINT, "KW"),
    "USAGE_FORECAST": (Measurand.FORECAST, "KWH"),
}
"""By payload type, and the units where nobody says any.

Interpretation: the standard calls USAGE an energy and DEMAND a power, and a baseline either: without units it is
neither. READING is whatever its counter counts, so it is nothing that others could be compared with.
"""
BY_READING_TYPE = {"PEAK": Measurand.PEAK, "FORECAST": Measurand.FORECAST}
"""Reading types that make something else of what a meter saw."""
QUALITIES = {
    "OK": Quality.GOOD, "MISSING": Quality.MISSING, "ESTIMATED": Quality.ESTIMATED, "BAD": Quality.BAD,
}  # fmt: skip

AHEAD = frozenset(
    {Measurand.FORECAST, Measurand.BASELINE, Measurand.UP_REGULATION, Measurand.DOWN_REGULATION}
    | {Measurand.SETPOINT, Measurand.REGULATION_SETPOINT}
)
"""What can be told before it is."""

Measured = tuple[DataPoint, Reading]


def measured(report: ReportRequest, event: EventRequest, *, event_read_at: datetime) -> list[Measured]:
    """Every number of a known payload type, over its interval, in canonical units.

    An interval that says no time of its own lies where the event has the one of that id; what is "now" in the event
    was ``event_read_at``. Several values are equal parts of their interval.
    """
    descriptors = {one.payload_type: one for one in report.payload_descriptors}
    units = {one.payload_type: one.units for one in event.report_descriptors if one.units is not None}
    units |= {name: one.units for name, one in descriptors.items() if one.units is not None}
    return [
        found
        for resource in report.resources
        for placed in _placed(resource, event, event_read_at)
        for found in _of_interval(resource.name, placed, descriptors, units)
    ]


def operating_states(report: ReportRequest) -> dict[str, str]:
    """By resource name: the last operating state that the report tells of it."""
    return {
        resource.name: str(payload.values[-1])
        for resource in report.resources
        for interval in resource.intervals
        for payload in interval.payloads
        if payload.type == OPERATING_STATE and payload.values
    }


def _placed(resource: ResourceReport, event: EventRequest, event_read_at: datetime) -> list[Placed]:
    """The report's intervals in time; none if they cannot be placed."""
    of_event = resource.period is None and all(interval.period is None for interval in resource.intervals)
    intervals = event.intervals if of_event else resource.intervals
    try:
        layout = lay_out(
            intervals, period=resource.period or event.period, duration=None, obtained_at=event_read_at, draw=0.0
        )
    except RemoteProtocolError:
        return []
    if not of_event:
        return list(layout.first)
    by_id = {placed.id: placed for placed in layout.first}
    return [
        Placed(index=placed.index, id=placed.id, starts_at=placed.starts_at, ends_at=placed.ends_at,
               payloads=interval.payloads)
        for interval in resource.intervals
        if (placed := by_id.get(interval.id)) is not None
    ]  # fmt: skip


def _of_interval(
    resource: str, placed: Placed, descriptors: Mapping[str, ReportPayloadDescriptor], units: Mapping[str, str]
) -> Iterator[Measured]:
    quality = _quality(placed)
    for payload in placed.payloads:
        descriptor = descriptors.get(payload.type) or ReportPayloadDescriptor(payload_type=payload.type)
        measurand, unit, scale = _meaning(descriptor, units.get(payload.type))
        if measurand is None:
            continue
        source = EVERYTHING if resource == AGGREGATED else DataSource(names=(resource,))
        r_id = f"{payload.type} {unit}"
        for value, (starts_at, ends_at) in zip(payload.values, parts(placed, len(payload.values)), strict=False):
            number = _number(value)
            if number is None or ends_at is None or ends_at <= starts_at:
                continue
            length = ends_at - starts_at
            point = DataPoint(
                r_id=r_id, measurand=measurand, unit=unit, source=source, min_period=length, max_period=length
            )
            estimated = descriptor.reading_type == "ESTIMATED" and quality is Quality.GOOD
            yield (
                point,
                Reading(
                    r_id=r_id,
                    starts_at=starts_at,
                    duration=length,
                    value=from_scale(number, scale),
                    quality=Quality.ESTIMATED if estimated else quality,
                    confidence=descriptor.confidence,
                    accuracy=descriptor.accuracy,
                ),
            )


def _meaning(descriptor: ReportPayloadDescriptor, units: str | None) -> tuple[Measurand | None, str, str]:
    """The measurand, its canonical unit, and the scale of the numbers; no measurand where there is none in common."""
    measurand, otherwise = MEASURANDS.get(descriptor.payload_type, (None, ""))
    found = UNITS.get((units or otherwise).upper())
    if measurand is None or found is None:
        return None, "", "none"
    if measurand is Measurand.USAGE:
        measurand = BY_READING_TYPE.get(descriptor.reading_type, measurand)
    measure, scale = found
    return measurand, measure.value, scale


def _quality(placed: Placed) -> Quality:
    said = [payload.values[0] for payload in placed.payloads if payload.type == DATA_QUALITY and payload.values]
    return QUALITIES.get(str(said[0]), Quality.GOOD) if said else Quality.GOOD


def _number(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and abs(value) <= READING_MAX else None


def is_of_the_future(measured: Measured, now: datetime) -> bool:
    """Whether it tells what nobody can have measured yet: it would outlive every true reading."""
    point, reading = measured
    return point.measurand not in AHEAD and reading.starts_at + reading.duration > now
