"""2.0b's reports to the canonical ones and back: metadata, requests, data."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from openadr_core.errors import RemoteProtocolError
from openadr_core.limits import IDENTIFIER_MAX_CHARS
from openadr_core.model.report import DataPoint, Measurand, Quality, Reading, ReportOffer
from openadr_core.oadr2 import messages as m
from openadr_core.units import SI_SCALE
from openadr_vtn.application.handlers.reports import SentReport
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport

NO_TIME = timedelta(0)
METADATA = "METADATA"
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
MEASURED = frozenset({"usage", "reading", "demand", "avgUsage", "avgDemand"})
"""Interpretation: R331 wants ``usage`` for telemetry; peers write the others for the same thing."""


def offers_from_wire(reports: Iterable[m.Report]) -> list[OfferedReport]:
    """What a party can report, as far as it is power; the rest is not asked for, so it is not kept."""
    offers: dict[str, OfferedReport] = {}
    for report in reports:
        points = [_data_point(one, report.duration or NO_TIME) for one in report.descriptions]
        _check_names(report.report_specifier_id, *(one.r_id for one in report.descriptions))
        known = {point.r_id: (point, factor) for point, factor in (pair for pair in points if pair is not None)}
        offer = ReportOffer(
            specifier_id=report.report_specifier_id,
            report_name=(report.report_name or "").removeprefix("METADATA_"),
            data_points=tuple(point for point, _ in known.values()),
            buffered=report.duration or NO_TIME,
        )
        factors = {r_id: factor for r_id, (_, factor) in known.items()}
        offers[offer.specifier_id] = OfferedReport(offer=offer, factors=factors)
    return list(offers.values())


def request_to_wire(requested: RequestedReport) -> m.ReportRequest:
    """R321, R322, R338: no unit and no reading type in a request."""
    request = requested.request
    return m.ReportRequest(
        report_request_id=request.id,
        specifier=m.ReportSpecifier(
            report_specifier_id=request.specifier_id,
            granularity=whole_seconds(request.granularity),
            report_back_duration=whole_seconds(request.report_back),
            dtstart=request.starts_at,
            duration=request.duration or NO_TIME,
            payloads=tuple(m.SpecifierPayload(r_id=r_id, reading_type="x-notApplicable") for r_id in request.r_ids),
        ),
    )


def data_from_wire(reports: Iterable[m.Report]) -> list[SentReport]:
    """Readings as they came; RemoteProtocolError (454) for times that no clock has."""
    try:
        return [
            SentReport(
                request_id=report.report_request_id,
                specifier_id=report.report_specifier_id,
                readings=tuple(_readings(report)),
            )
            for report in reports
        ]
    except OverflowError:
        raise RemoteProtocolError("an interval ends after the end of time", clause="R315") from None


def _check_names(*names: str) -> None:
    if any(len(name) > IDENTIFIER_MAX_CHARS for name in names):
        raise RemoteProtocolError("an identifier is too long", clause="R308")


def _data_point(found: m.ReportDescription, buffered: timedelta) -> tuple[DataPoint, float] | None:
    measurand = _measurand(found)
    unit = found.item_base
    if measurand is None or unit is None or unit.name != "powerReal" or unit.si_scale_code not in SI_SCALE:
        return None
    rate = found.sampling_rate
    source = found.report_data_source
    point = DataPoint(
        r_id=found.r_id,
        measurand=measurand,
        resource_id=source.resource_ids[0][:IDENTIFIER_MAX_CHARS] if source and source.resource_ids else "",
        min_period=NO_TIME if rate is None else rate.min_period,
        max_period=buffered if rate is None else rate.max_period,
    )
    return point, SI_SCALE[unit.si_scale_code]


def _measurand(found: m.ReportDescription) -> Measurand | None:
    if found.report_type == "baseline":
        return Measurand.BASELINE
    return Measurand.REAL_POWER if found.report_type in MEASURED else None


def _readings(report: m.Report) -> Iterator[Reading]:
    """R315: an interval without a dtstart begins where the one before ended, the first with the report."""
    at: datetime | None = report.dtstart
    for interval in report.intervals:
        at = interval.dtstart or at
        if at is None or not EARLIEST_YEAR <= at.year < LATEST_YEAR:
            raise RemoteProtocolError("an interval has no start, or one that no meter saw", clause="R315")
        length = interval.duration or NO_TIME
        end = at + length
        for payload in interval.payloads:
            if isinstance(payload.value, m.ResourceStatus):
                continue
            yield Reading(
                r_id=payload.r_id,
                starts_at=at,
                duration=length,
                value=payload.value,
                quality=_quality(payload.data_quality),
            )
        at = end


def _quality(said: str | None) -> Quality:
    if said is None or said.startswith(("Quality Good", "No New Value")):
        return Quality.GOOD
    return Quality.BAD if said.startswith(("Quality Bad", "No Quality")) else Quality.ESTIMATED


def whole_seconds(length: timedelta) -> timedelta:
    """R1: whole seconds, and not less than was meant."""
    return timedelta(seconds=-(-length // timedelta(seconds=1)))
