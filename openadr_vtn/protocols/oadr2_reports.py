"""2.0b's reports to the canonical ones and back: metadata, requests, data."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import isfinite
from operator import itemgetter

from openadr_core.errors import RemoteProtocolError, UnknownReference
from openadr_core.limits import IDENTIFIER_MAX_CHARS
from openadr_core.model.report import (
    Control,
    ControlValue,
    DataPoint,
    DataSource,
    Measurand,
    Reading,
    ReportOffer,
    ResourceStatus,
    StatusReading,
)
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.measures import measurand_of, quality_of, unit_of
from openadr_vtn.application.handlers.reports import SentReport
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport

NO_TIME = timedelta(0)
METADATA = "METADATA"
NOT_APPLICABLE = "x-notApplicable"
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
UID_DIGITS_MAX = 9
GREEN_BUTTON = "HISTORY_GREENBUTTON"

# -- metadata ------------------------------------------------------------------------


def offers_from_wire(reports: Iterable[m.Report], *, ven_id: str) -> list[OfferedReport]:
    """All that a party can report; what contradicts itself or the rules refuses the whole (R305 to R312, R333).

    Interpretation: a reportRequestID other than 0, a dtstart, and a name without ``METADATA_`` say nothing
    wrong of what is offered; they are not looked at.
    """
    offers: dict[str, OfferedReport] = {}
    for report in reports:
        if report.report_specifier_id in offers:
            raise RemoteProtocolError("a reportSpecifierID names two reports", clause="R308")
        offers[report.report_specifier_id] = _offer(report, ven_id)
    return list(offers.values())


def _offer(report: m.Report, ven_id: str) -> OfferedReport:
    _check_names(report.report_specifier_id, *(one.r_id for one in report.descriptions))
    if report.intervals:
        raise RemoteProtocolError("metadata has no intervals", clause="R305")
    name = (report.report_name or "").removeprefix(f"{METADATA}_")
    buffered = report.duration
    if buffered is None or buffered < NO_TIME:
        raise RemoteProtocolError("metadata says in its duration how much data is kept", clause="R312")
    points: dict[str, tuple[DataPoint, float]] = {}
    for description in report.descriptions:
        if description.r_id in points:
            raise RemoteProtocolError("a rID names two data points of a report", clause="R308")
        points[description.r_id] = _data_point(description, name, buffered, ven_id)
    offer = ReportOffer(
        specifier_id=report.report_specifier_id,
        report_name=name,
        data_points=tuple(point for point, _ in points.values()),
        buffered=buffered,
    )
    return OfferedReport(offer=offer, factors={r_id: factor for r_id, (_, factor) in points.items()})


def _data_point(found: m.ReportDescription, name: str, buffered: timedelta, ven_id: str) -> tuple[DataPoint, float]:
    measurand = measurand_of(found.report_type, found.reading_type)
    if (measurand is Measurand.STATUS) != (name == "TELEMETRY_STATUS") and name in WELL_KNOWN:
        raise RemoteProtocolError(f"{found.report_type} is no reportType of {name}", clause="R331")
    if measurand is Measurand.USAGE and found.item_base is None and name != GREEN_BUTTON:
        raise RemoteProtocolError("a data point of usage says its unit", clause="R312")
    unit, factor = unit_of(found.item_base)
    _check_names(unit, found.market_context or "")
    rate = found.sampling_rate
    if rate is None and name.startswith("TELEMETRY_"):
        raise RemoteProtocolError("telemetry says its oadrSamplingRate", clause="R333")
    if rate is not None and not NO_TIME <= rate.min_period <= rate.max_period <= buffered:
        raise RemoteProtocolError("an oadrSamplingRate goes from min to max, within the duration", clause="R333")
    point = DataPoint(
        r_id=found.r_id,
        measurand=measurand,
        unit=unit,
        source=_source(found, ven_id),
        min_period=NO_TIME if rate is None else rate.min_period,
        max_period=buffered if rate is None else rate.max_period,
        on_change=rate is not None and rate.on_change,
    )
    return point, factor


WELL_KNOWN = frozenset({"TELEMETRY_USAGE", "TELEMETRY_STATUS", "HISTORY_USAGE"})
"""R331: the reports whose content the standard fixes, and that an operator asks for."""


def _source(found: m.ReportDescription, ven_id: str) -> DataSource:
    """R302, R307, R343. The party's own venID is everything it has, whatever else is named beside it."""
    source, subject = found.report_data_source or m.Target(), found.report_subject or m.Target()
    if subject != m.Target(end_device_assets=subject.end_device_assets):
        raise RemoteProtocolError("a reportSubject is a device class", clause="R343")
    if set(source.ven_ids) - {ven_id}:
        raise UnknownReference("a reportDataSource is another party's", clause="R304")
    names = (
        *source.resource_ids, *source.group_ids, *source.group_names, *source.party_ids, *source.aggregated_pnodes,
        *source.meter_assets, *source.pnodes, *source.service_delivery_points,
    )  # fmt: skip
    found_source = DataSource(
        names=() if source.ven_ids else names,
        device_classes=(*source.end_device_assets, *subject.end_device_assets),
        market_context=found.market_context or "",
    )
    _check_names(found_source.label)
    return found_source


# -- requests ------------------------------------------------------------------------


def request_to_wire(requested: RequestedReport) -> m.ReportRequest:
    """R321, R322, R338: no unit and no reading type in a request; R324: no interval where one report is asked for."""
    request = requested.request
    return m.ReportRequest(
        report_request_id=request.id,
        specifier=m.ReportSpecifier(
            report_specifier_id=request.specifier_id,
            granularity=whole_seconds(request.granularity),
            report_back_duration=whole_seconds(request.report_back),
            dtstart=None if request.is_one_shot else request.starts_at,
            duration=None if request.is_one_shot else whole_seconds(request.duration or NO_TIME),
            payloads=tuple(m.SpecifierPayload(r_id=r_id, reading_type=NOT_APPLICABLE) for r_id in request.r_ids),
        ),
    )


def metadata_request(request_id: str) -> m.ReportRequest:
    """R308, R327: all that a party can report, once."""
    return m.ReportRequest(
        report_request_id=request_id,
        specifier=m.ReportSpecifier(
            report_specifier_id=METADATA,
            granularity=NO_TIME,
            report_back_duration=NO_TIME,
            payloads=(m.SpecifierPayload(r_id="0", reading_type=NOT_APPLICABLE),),
        ),
    )


# -- data ----------------------------------------------------------------------------


def data_from_wire(reports: Iterable[m.Report]) -> list[SentReport]:
    """Readings as they came; RemoteProtocolError (454) for times that no clock has."""
    try:
        return [_sent(report) for report in reports]
    except OverflowError:
        raise RemoteProtocolError("an interval ends after the end of time", clause="R315") from None


def _sent(report: m.Report) -> SentReport:
    readings: list[Reading] = []
    statuses: list[StatusReading] = []
    for at, length, payload in _placed(report):
        quality, cause = quality_of(payload.data_quality)
        if isinstance(payload.value, m.ResourceStatus):
            status = _status(payload.value)
            statuses.append(StatusReading(r_id=payload.r_id, at=at, status=status, quality=quality, cause=cause))
        else:
            readings.append(
                Reading(
                    r_id=payload.r_id,
                    starts_at=at,
                    duration=length,
                    value=payload.value,
                    quality=quality,
                    cause=cause[:IDENTIFIER_MAX_CHARS],
                    confidence=payload.confidence,
                    accuracy=payload.accuracy,
                )
            )
    return SentReport(
        request_id=report.report_request_id,
        specifier_id=report.report_specifier_id,
        readings=tuple(readings),
        statuses=tuple(statuses),
    )


def _placed(report: m.Report) -> Iterator[tuple[datetime, timedelta, m.ReportPayload]]:
    """R315: an interval without a dtstart begins where the one before ended, the first with the report."""
    at: datetime | None = report.dtstart
    known = True
    for interval in _in_order(report.intervals):
        if interval.dtstart is None and not known:
            raise RemoteProtocolError("an interval has no start, and the one before it no end", clause="R315")
        at = interval.dtstart or at
        if at is None or not EARLIEST_YEAR <= at.year < LATEST_YEAR:
            raise RemoteProtocolError("an interval has no start, or one that no meter saw", clause="R315")
        length = interval.duration or NO_TIME
        if length < NO_TIME:
            raise RemoteProtocolError("an interval ends before it begins", clause="R315")
        for payload in interval.payloads:
            yield at, length, payload
        at, known = at + length, interval.duration is not None


def _in_order(intervals: Sequence[m.ReportInterval]) -> Sequence[m.ReportInterval]:
    """R316: where no interval has a start, their uids tell the order."""
    numbers = [_number(interval.uid) for interval in intervals]
    if None in numbers or any(interval.dtstart for interval in intervals):
        return intervals
    return [interval for _, interval in sorted(zip(numbers, intervals, strict=True), key=itemgetter(0))]


def _number(uid: str | None) -> int | None:
    return int(uid) if uid is not None and uid.isdecimal() and len(uid) <= UID_DIGITS_MAX else None


def _status(found: m.ResourceStatus) -> ResourceStatus:
    """What is no number has no place in it: a control with one is left out."""
    # The model's controls are named as the wire's elements are.
    wire: dict[Control, m.LoadControlValue | None] = {control: getattr(found, control.value) for control in Control}
    return ResourceStatus(
        online=found.online,
        manual_override=found.manual_override,
        controls={
            control: ControlValue(
                current=value.current, minimum=value.minimum, maximum=value.maximum, normal=value.normal
            )
            for control, value in wire.items()
            if value is not None and all(map(isfinite, _numbers(value)))
        },
    )


def _numbers(value: m.LoadControlValue) -> list[float]:
    return [each for each in (value.current, value.minimum, value.maximum, value.normal) if each is not None]


def whole_seconds(length: timedelta) -> timedelta:
    """R1: whole seconds, and not less than was meant."""
    return timedelta(seconds=-(-length // timedelta(seconds=1)))


def _check_names(*names: str) -> None:
    if any(len(name) > IDENTIFIER_MAX_CHARS for name in names):
        raise RemoteProtocolError("an identifier is too long", clause="R308")
