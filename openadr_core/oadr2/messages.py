"""The messages of OpenADR 2.0b as values: one class a payload, in the wire's words.

Class names are the payloads' names without ``oadr``; field names are the elements' names in
snake case, in wire order where defaults allow. Times are aware UTC datetimes, durations
timedeltas, identifiers texts that are never interpreted. What an element means is elsewhere
(:mod:`openadr_core.oadr2.translate`); here it is only said.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

ZERO = timedelta(0)


# -- parts ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EiResponse:
    response_code: str
    """Three digits (1.11)."""
    response_description: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportInterface:
    receipt: str
    delivery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """eiTarget. Kinds are ORed (R22); an empty one is the VEN itself."""

    aggregated_pnodes: tuple[str, ...] = ()
    end_device_assets: tuple[str, ...] = ()
    """Device class names (R111)."""
    meter_assets: tuple[str, ...] = ()
    pnodes: tuple[str, ...] = ()
    service_areas: tuple[str, ...] = ()
    """The posList of each polygon: numbers with spaces between."""
    service_delivery_points: tuple[str, ...] = ()
    service_locations: tuple[str, ...] = ()
    """Likewise."""
    transport_interfaces: tuple[TransportInterface, ...] = ()
    group_ids: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    resource_ids: tuple[str, ...] = ()
    ven_ids: tuple[str, ...] = ()
    party_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerAttributes:
    """Decimals are kept as their text."""

    hertz: str
    voltage: str
    ac: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """An itemBase: ``powerReal``, ``energyReal``, ``voltage``, ``currencyPerKWh`` …"""

    name: str
    """The element's local name."""
    description: str
    units: str
    si_scale_code: str = "none"
    """``pulseCount`` has none on the wire."""
    pulse_factor: float | None = None
    """``pulseCount`` alone has one."""
    attributes: PowerAttributes | None = None
    """``powerReal``, ``powerApparent`` and ``powerReactive`` alone have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One interval of a signal or a baseline, with its one payloadFloat (R100)."""

    duration: timedelta | None
    uid: str | None
    value: float
    dtstart: datetime | None = None
    """Never written (R103); read, because openleadr writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """eiEventSignal."""

    intervals: tuple[Interval, ...]
    signal_name: str
    signal_type: str
    signal_id: str
    target: Target | None = None
    """Only device classes (R111), ANDed with the event's target."""
    item_base: Unit | None = None
    current_value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """eiEventBaseline."""

    dtstart: datetime
    duration: timedelta
    intervals: tuple[Interval, ...]
    baseline_id: str
    baseline_name: str
    resource_ids: tuple[str, ...] = ()
    item_base: Unit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDescriptor:
    event_id: str
    modification_number: int
    market_context: str
    created_date_time: datetime
    event_status: str
    modification_date_time: datetime | None = None
    modification_reason: str | None = None
    priority: int | None = None
    test_event: str | None = None
    """Any text but ``false`` means a test (R6)."""
    vtn_comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePeriod:
    dtstart: datetime
    duration: timedelta
    """Zero: open-ended (R47)."""
    start_after: timedelta | None = None
    notification: timedelta | None = None
    ramp_up: timedelta | None = None
    recovery: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """oadrEvent: an eiEvent and whether it must be answered."""

    descriptor: EventDescriptor
    active_period: ActivePeriod
    signals: tuple[Signal, ...]
    target: Target
    response_required: bool
    """``always`` or ``never`` (R12)."""
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventResponse:
    response_code: str
    request_id: str
    event_id: str
    modification_number: int
    opt_type: str
    """``optIn`` or ``optOut``."""
    response_description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingRate:
    min_period: timedelta
    max_period: timedelta
    on_change: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDescription:
    r_id: str
    report_type: str
    reading_type: str
    report_subject: Target | None = None
    report_data_source: Target | None = None
    item_base: Unit | None = None
    green_button: str | None = None
    """oadrGBDataDescription, which stands in the unit's place: an ``atom:feed`` as XML text, which is NAESB's."""
    market_context: str | None = None
    sampling_rate: SamplingRate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadControlValue:
    current: float
    minimum: float | None = None
    maximum: float | None = None
    normal: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """oadrPayloadResourceStatus."""

    online: bool
    manual_override: bool
    capacity: LoadControlValue | None = None
    level_offset: LoadControlValue | None = None
    percent_offset: LoadControlValue | None = None
    set_point: LoadControlValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPayload:
    r_id: str
    value: float | ResourceStatus
    confidence: int | None = None
    accuracy: float | None = None
    data_quality: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInterval:
    payloads: tuple[ReportPayload, ...] = ()
    green_button: tuple[str, ...] = ()
    """oadrGBPayload: each an ``atom:feed`` as XML text, carried as it came and not looked into."""
    dtstart: datetime | None = None
    duration: timedelta | None = None
    uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """oadrReport: metadata (descriptions) or data (intervals)."""

    report_request_id: str
    report_specifier_id: str
    created_date_time: datetime
    report_name: str | None = None
    dtstart: datetime | None = None
    duration: timedelta | None = None
    intervals: tuple[ReportInterval, ...] = ()
    report_id: str | None = None
    descriptions: tuple[ReportDescription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecifierPayload:
    r_id: str
    reading_type: str
    item_base: Unit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSpecifier:
    report_specifier_id: str
    granularity: timedelta
    report_back_duration: timedelta
    """Zero: one shot (R324)."""
    payloads: tuple[SpecifierPayload, ...]
    dtstart: datetime | None = None
    """reportInterval; both of it or neither."""
    duration: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    report_request_id: str
    specifier: ReportSpecifier


# -- EiRegisterParty -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRegistration:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePartyRegistration:
    request_id: str
    profile_name: str
    transport_name: str
    report_only: bool
    xml_signature: bool
    registration_id: str | None = None
    ven_id: str | None = None
    transport_address: str | None = None
    ven_name: str | None = None
    http_pull_model: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    profile_name: str
    transport_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPartyRegistration:
    response: EiResponse
    vtn_id: str
    profiles: tuple[Profile, ...]
    registration_id: str | None = None
    ven_id: str | None = None
    requested_poll_freq: timedelta | None = None
    """Always there for a pull VEN (R403)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPartyRegistration:
    request_id: str
    registration_id: str
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanceledPartyRegistration:
    response: EiResponse
    registration_id: str | None = None
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReregistration:
    ven_id: str


# -- OadrPoll and the general answer -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    ven_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    response: EiResponse
    ven_id: str | None = None


# -- EiEvent -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent:
    request_id: str
    ven_id: str
    reply_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributeEvent:
    request_id: str
    vtn_id: str
    events: tuple[Event, ...] = ()
    response: EiResponse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedEvent:
    response: EiResponse
    ven_id: str
    event_responses: tuple[EventResponse, ...] | None = None
    """None where the element is absent, which is legal with an error (R35)."""


# -- EiOpt ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    dtstart: datetime
    duration: timedelta
    """Zero: open-ended (R210)."""
    misplaced: tuple[str, ...] = ()
    """Elements that have no place in an opt schedule (R200). Never written; read, so that they can be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOpt:
    request_id: str
    opt_id: str
    opt_type: str
    opt_reason: str
    ven_id: str
    created_date_time: datetime
    target: Target
    market_context: str | None = None
    availability: tuple[Available, ...] | None = None
    """None where vavailability is absent: the event form (R206)."""
    event_id: str | None = None
    modification_number: int | None = None
    device_class: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedOpt:
    response: EiResponse
    opt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOpt:
    request_id: str
    opt_id: str
    ven_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanceledOpt:
    response: EiResponse
    opt_id: str | None = None


# -- EiReport ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReport:
    request_id: str
    reports: tuple[Report, ...] = ()
    ven_id: str | None = None
    report_request_id: str | None = None
    """Only when it answers a request for METADATA (R311)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredReport:
    response: EiResponse
    report_requests: tuple[ReportRequest, ...] = ()
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReport:
    request_id: str
    report_requests: tuple[ReportRequest, ...]
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedReport:
    response: EiResponse
    pending_report_request_ids: tuple[str, ...] = ()
    """All that are pending, not only the new ones (R329)."""
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReport:
    request_id: str
    reports: tuple[Report, ...] = ()
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReport:
    request_id: str
    report_request_ids: tuple[str, ...]
    report_to_follow: bool
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedReport:
    response: EiResponse
    cancel_report: CancelReport | None = None
    ven_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanceledReport:
    response: EiResponse
    pending_report_request_ids: tuple[str, ...] = ()
    ven_id: str | None = None


Message = (
    QueryRegistration
    | CreatePartyRegistration
    | CreatedPartyRegistration
    | CancelPartyRegistration
    | CanceledPartyRegistration
    | RequestReregistration
    | Poll
    | Response
    | RequestEvent
    | DistributeEvent
    | CreatedEvent
    | CreateOpt
    | CreatedOpt
    | CancelOpt
    | CanceledOpt
    | RegisterReport
    | RegisteredReport
    | CreateReport
    | CreatedReport
    | UpdateReport
    | UpdatedReport
    | CancelReport
    | CanceledReport
)
