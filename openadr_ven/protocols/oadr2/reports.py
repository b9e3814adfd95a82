"""What report messages mean to a VEN that offers telemetry: OpenADR 2.0b 1.10."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from openadr_core.model.report import DataPoint, Measurand, Reading, ReportOffer, ReportRequest
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.measures import item_base_of, quality_code
from openadr_ven.domain.indications import Indication, ReportCancelled, ReportRequested
from openadr_ven.protocols.oadr2.memory import Memory

METADATA = "METADATA"
NO_REQUEST = "0"
"""R-3: the report request that metadata names."""

REPORT_TYPE = {Measurand.USAGE: "usage", Measurand.BASELINE: "baseline"}


def metadata(
    offers: Sequence[ReportOffer], *, request_id: str, ven_id: str, answers: str | None, now: datetime
) -> m.RegisterReport:
    """Everything we can report (R306); ``answers`` names the METADATA request that asked for it (R311)."""
    reports = tuple(
        m.Report(
            report_request_id=NO_REQUEST,
            report_specifier_id=offer.specifier_id,
            report_name=f"{METADATA}_{offer.report_name}",
            created_date_time=now,
            duration=offer.buffered,
            descriptions=tuple(_description(point) for point in offer.data_points),
        )
        for offer in offers
    )
    return m.RegisterReport(request_id=request_id, reports=reports, ven_id=ven_id, report_request_id=answers)


def _description(point: DataPoint) -> m.ReportDescription:
    source = m.Target(resource_ids=point.source.names) if point.source.names else None
    return m.ReportDescription(
        r_id=point.r_id,
        report_type=REPORT_TYPE[point.measurand],
        reading_type="Direct Read",
        report_data_source=source,
        item_base=item_base_of(point.unit),
        sampling_rate=m.SamplingRate(min_period=point.min_period, max_period=point.max_period, on_change=False),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of the report requests in one message."""

    memory: Memory
    indications: tuple[Indication, ...]
    code: str = "200"
    description: str = ""
    metadata_for: tuple[str, ...] = ()
    """Requests for METADATA: each wants an oadrRegisterReport."""

    @property
    def pending(self) -> tuple[str, ...]:
        """R329: every request that is served now, not only the new ones."""
        return tuple(request.id for request in self.memory.report_requests)

    def response(self, request_id: str) -> m.EiResponse:
        return m.EiResponse(
            response_code=self.code, response_description=self.description or None, request_id=request_id
        )


def accept_requests(
    memory: Memory, requests: Iterable[m.ReportRequest], offers: Sequence[ReportOffer], *, now: datetime
) -> Accepted:
    """Take what we offered; the first request that we cannot serve gives the code (R304, R340)."""
    accepted = Accepted(memory=memory, indications=())
    for request in requests:
        if request.specifier.report_specifier_id == METADATA:
            accepted = replace(accepted, metadata_for=(*accepted.metadata_for, request.report_request_id))
            continue
        code, description = _fault(request.specifier, offers)
        if code:
            accepted = replace(accepted, code=code, description=description)
            continue
        wanted = _request(request, now)
        others = tuple(one for one in accepted.memory.report_requests if one.id != wanted.id)
        accepted = replace(
            accepted,
            memory=replace(accepted.memory, report_requests=(*others, wanted)),
            indications=(*accepted.indications, ReportRequested(request=wanted)),
        )
    return accepted


def _fault(specifier: m.ReportSpecifier, offers: Sequence[ReportOffer]) -> tuple[str, str]:
    offer = next((one for one in offers if one.specifier_id == specifier.report_specifier_id), None)
    if offer is None:
        return "452", "no such reportSpecifierID"
    points = {point.r_id: point for point in offer.data_points}
    unknown = [payload.r_id for payload in specifier.payloads if payload.r_id not in points]
    if unknown:
        return "452", f"no such rID: {unknown[0]}"
    fastest = max(points[payload.r_id].min_period for payload in specifier.payloads)
    if timedelta(0) < specifier.granularity < fastest:
        return "454", "a finer granularity than offered"
    if specifier.granularity > specifier.report_back_duration > timedelta(0):
        return "454", "a granularity longer than the reportBackDuration"
    return "", ""


def _request(request: m.ReportRequest, now: datetime) -> ReportRequest:
    specifier = request.specifier
    return ReportRequest(
        id=request.report_request_id,
        specifier_id=specifier.report_specifier_id,
        r_ids=tuple(payload.r_id for payload in specifier.payloads),
        granularity=specifier.granularity,
        report_back=specifier.report_back_duration,
        starts_at=specifier.dtstart or now,
        duration=specifier.duration or None,  # R325: zero is for ever
    )


def cancel_requests(memory: Memory, message: m.CancelReport) -> Accepted:
    """R336: an id that is not pending makes the answer an error; the others are cancelled all the same."""
    pending = {request.id for request in memory.report_requests}
    wanted = set(message.report_request_ids)
    left = tuple(request for request in memory.report_requests if request.id not in wanted)
    return Accepted(
        memory=replace(memory, report_requests=left),
        indications=tuple(
            ReportCancelled(request_id=request_id, to_follow=message.report_to_follow)
            for request_id in message.report_request_ids
            if request_id in pending
        ),
        code="200" if wanted <= pending else "452",
        description="" if wanted <= pending else "no such reportRequestID",
    )


def update(
    request: ReportRequest,
    readings: Sequence[Reading],
    *,
    report_name: str,
    request_id: str,
    ven_id: str,
    now: datetime,
) -> m.UpdateReport:
    """The readings as one report: oldest first, each interval with its start and length (R-17 to R-19)."""
    ordered = sorted(readings, key=lambda reading: (reading.starts_at, reading.r_id))
    intervals = tuple(
        m.ReportInterval(
            dtstart=starts_at,
            duration=duration,
            payloads=tuple(
                m.ReportPayload(r_id=one.r_id, value=one.value, data_quality=quality_code(one.quality, one.cause))
                for one in group
            ),
        )
        for (starts_at, duration), group in groupby(ordered, key=lambda one: (one.starts_at, one.duration))
    )
    report = m.Report(
        report_request_id=request.id,
        report_specifier_id=request.specifier_id,
        report_name=report_name,
        created_date_time=now,
        dtstart=ordered[0].starts_at,
        duration=ordered[-1].starts_at + ordered[-1].duration - ordered[0].starts_at,
        intervals=intervals,
    )
    return m.UpdateReport(request_id=request_id, reports=(report,), ven_id=ven_id)
