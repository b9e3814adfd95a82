"""What clients write: objects of OpenADR 3.1, as values in the standard's nouns."""

from dataclasses import dataclass
from enum import StrEnum

from openadr_core.model.unit import PowerAttributes
from openadr_core.oadr3.times import Length, Start


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: float
    y: float


Value = bool | int | float | str | Point

DIRECT_READ = "DIRECT_READ"
"""readingType where none is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesMap:
    """A payload, or an attribute."""

    type: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalPeriod:
    start: Start | None = None
    duration: Length | None = None
    randomize_start: Length | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    id: int
    payloads: tuple[ValuesMap, ...]
    period: IntervalPeriod | None = None
    """What it gives overrides the event's period, member by member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadDescriptor:
    """What the payloads of one type are measured in."""

    payload_type: str
    units: str | None = None
    currency: str | None = None
    device_classes: tuple[str, ...] = ()
    """Ours: only devices of these classes are meant (2.0b R111)."""
    power_attributes: PowerAttributes | None = None
    """Ours: the service that a power is taken from (2.0b powerAttributes)."""


class ReportIntervals(StrEnum):
    """Whose intervals a report has."""

    INTERVALS = "INTERVALS"
    """The event's, under its ids."""
    SUB_INTERVALS = "SUB_INTERVALS"
    """Parts of the event's, each under the id of the one it is a part of."""
    OPEN_INTERVALS = "OPEN_INTERVALS"
    """The VEN's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDescriptor:
    """What an event asks to be told; the defaults are the standard's."""

    payload_type: str
    reading_type: str = DIRECT_READ
    units: str | None = None
    targets: tuple[str, ...] = ()
    aggregate: bool = False
    """One sum for all resources, under the name AGGREGATED_REPORT."""
    start_interval: int = -1
    num_intervals: int = -1
    historical: bool = True
    frequency: int = -1
    """Intervals between one report and the next; 0: whenever the VEN likes."""
    repeat: int = 1
    report_intervals: ReportIntervals = ReportIntervals.INTERVALS

    @property
    def is_ad_hoc(self) -> bool:
        return self.frequency == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRequest:
    name: str
    document: str
    """The JSON text as it was written, without the members that are the VTN's to set."""
    attributes: tuple[ValuesMap, ...] = ()
    payload_descriptors: tuple[PayloadDescriptor, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRequest:
    program_id: str
    document: str
    """The JSON text as it was written, without the members that are the VTN's to set."""
    name: str = ""
    duration: Length | None = None
    """Of the whole event: longer than its intervals repeats them, shorter cuts them."""
    priority: int | None = None
    targets: tuple[str, ...] = ()
    payload_descriptors: tuple[PayloadDescriptor, ...] = ()
    report_descriptors: tuple[ReportDescriptor, ...] = ()
    period: IntervalPeriod | None = None
    intervals: tuple[Interval, ...] = ()
    attributes: tuple[ValuesMap, ...] = ()
    """Ours, as 3.1 has them for programs: what only 2.0b knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenRequest:
    """A ven, by business logic or by the client whose ven it is."""

    by_business: bool
    client_id: str | None = None
    """By business logic alone: a VEN's is its token's."""
    name: str
    targets: tuple[str, ...] = ()
    """By business logic alone: a VEN grants itself nothing."""
    attributes: tuple[ValuesMap, ...] = ()
    document: str
    """What is left of the JSON text, as it was written: the members that are not the VTN's to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """Something behind a ven; whose words count for what is as with :class:`VenRequest`."""

    by_business: bool
    client_id: str | None = None
    ven_id: str | None = None
    """Always there from business logic."""
    name: str
    targets: tuple[str, ...] = ()
    attributes: tuple[ValuesMap, ...] = ()
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPayloadDescriptor:
    payload_type: str
    reading_type: str = DIRECT_READ
    units: str | None = None
    accuracy: float | None = None
    confidence: int | None = None
    """Per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """What was measured of one resource."""

    name: str
    """``AGGREGATED_REPORT`` is everything behind the ven."""
    period: IntervalPeriod | None = None
    """Holds for each interval that says nothing else."""
    intervals: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    event_id: str
    client_name: str
    document: str
    """The JSON text as it was written, without the members that are the VTN's to set."""
    payload_descriptors: tuple[ReportPayloadDescriptor, ...] = ()
    resources: tuple[ResourceReport, ...] = ()
