"""What report messages mean to a VEN that makes reports: OpenADR 2.0b 1.10, as pure steps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from openadr_core.limits import REPORT_REQUESTS_MAX
from openadr_core.model.report import (
    DataPoint,
    Measurand,
    Reading,
    ReportOffer,
    ReportRequest,
    ResourceStatus,
    StatusReading,
)
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.measures import RESOURCE_STATUS, item_base_of, quality_code
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import Indication, ReportCancelled, ReportRequested
from openadr_ven.protocols.oadr2.memory import Memory, MetadataRequest

METADATA = "METADATA"
NO_REQUEST = "0"
"""R-3: the report request that metadata names."""
NO_TIME = timedelta(0)

# -- what we offer ---------------------------------------------------------------------

TYPES = {
    Measurand.USAGE: ("usage", "Direct Read"),
    Measurand.BASELINE: ("baseline", "Derived"),
    Measurand.UP_REGULATION: ("upRegulationCapacityAvailable", "Derived"),
    Measurand.STATUS: (RESOURCE_STATUS, "x-notApplicable"),
}
"""R331: reportType and readingType.

Interpretation: a fleet is read directly when its devices' meters are read and summed. Its power over
an interval is the mean of the seconds in it, because a fleet has no other power than that of a second.
"""


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
            descriptions=tuple(_description(point, rated=offer.is_telemetry) for point in offer.data_points),
        )
        for offer in offers
    )
    return m.RegisterReport(request_id=request_id, reports=reports, ven_id=ven_id, report_request_id=answers)


def _description(point: DataPoint, *, rated: bool) -> m.ReportDescription:
    """R333: telemetry has a sampling rate; of history, what is kept is what there is."""
    source = point.source
    report_type, reading_type = TYPES[point.measurand]
    rate = m.SamplingRate(min_period=point.min_period, max_period=point.max_period, on_change=point.on_change)
    return m.ReportDescription(
        r_id=point.r_id,
        report_type=report_type,
        reading_type=reading_type,
        report_data_source=m.Target(resource_ids=source.names) if source.names else None,
        item_base=item_base_of(point.unit),
        sampling_rate=rate if rated else None,
    )


def ask_for_metadata(*, request_id: str, ven_id: str) -> m.CreateReport:
    """R308, R327: which reports the VTN makes, once."""
    specifier = m.ReportSpecifier(
        report_specifier_id=METADATA,
        granularity=NO_TIME,
        report_back_duration=NO_TIME,
        payloads=(m.SpecifierPayload(r_id=NO_REQUEST, reading_type="x-notApplicable"),),
    )
    request = m.ReportRequest(report_request_id=f"{METADATA}-{request_id}", specifier=specifier)
    return m.CreateReport(request_id=request_id, report_requests=(request,), ven_id=ven_id)


# -- what is asked of us ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a message changed, what the agent must know of it, and what we say to it."""

    memory: Memory
    indications: tuple[Indication, ...] = ()
    said: tuple[m.Message, ...] = ()


def take_requests(
    memory: Memory,
    requests: Sequence[m.ReportRequest],
    offers: Sequence[ReportOffer],
    *,
    request_id: str,
    new_id: Callable[[], str],
    now: datetime,
) -> Step:
    """R300, R329, R344: what we offered is pending from now on; the first that we cannot serve gives the code.

    Each is taken or refused by itself, in whatever company it comes. METADATA is answered at once (R327).
    """
    indications: list[Indication] = []
    fault = Fault()
    asked: list[str] = []
    for request in requests:
        specifier = request.specifier
        wants_metadata = specifier.report_specifier_id == METADATA
        found = _fault_of_room(memory, request, asked)
        if not found.code and not wants_metadata:
            found = _fault(specifier, offers, now)
        if found.code:
            fault = fault if fault.code else found
        elif wants_metadata:
            asked.append(request.report_request_id)
            memory = memory.with_metadata_request(_metadata_request(request, now))
        elif not _is_known(memory, wanted := _request(request, offers, now)):
            memory = memory.with_report_request(wanted)
            indications.append(ReportRequested(request=wanted))
    pending = memory.pending_reports
    answer = m.CreatedReport(
        response=fault.response(request_id),
        pending_report_request_ids=(*pending, *(one for one in asked if one not in pending)),
        ven_id=memory.ven_id,
    )
    offered = [metadata(offers, request_id=new_id(), ven_id=memory.ven_id, answers=one, now=now) for one in asked]
    return Step(memory=memory, indications=tuple(indications), said=(answer, *offered))


def take_registered(
    memory: Memory,
    message: m.RegisteredReport,
    offers: Sequence[ReportOffer],
    *,
    new_id: Callable[[], str],
    now: datetime,
) -> Step:
    """R306: our metadata has ended every scheduled report; what is asked for again in the answer goes on (R344)."""
    again = {
        one.report_request_id: _request(one, offers, now)
        for one in message.report_requests
        if _offer_of(one.specifier, offers) is not None
    }
    ended = [one for one in memory.report_requests if not _is_same(one, again.get(one.id))]
    for one in ended:
        memory = memory.without_report_request(one.id)
    cancelled = tuple(ReportCancelled(request_id=one.id, to_follow=False) for one in ended)
    if not message.report_requests:
        return Step(memory=memory, indications=cancelled)
    step = take_requests(
        memory, message.report_requests, offers, request_id=message.response.request_id, new_id=new_id, now=now
    )
    return replace(step, indications=cancelled + step.indications)


def take_cancel(memory: Memory, message: m.CancelReport) -> Step:
    """R336: an id that is not pending makes the answer an error; the others are cancelled all the same."""
    wanted = dict.fromkeys(message.report_request_ids)
    known = [request_id for request_id in wanted if request_id in memory.pending_reports]
    indications = tuple(
        ReportCancelled(request_id=one.id, to_follow=message.report_to_follow)
        for one in memory.report_requests
        if one.id in wanted
    )
    for request_id in known:
        memory = memory.without_report_request(request_id)
    fault = Fault() if len(known) == len(wanted) else Fault(codes.INVALID_ID, "no such reportRequestID")
    answer = m.CanceledReport(
        response=fault.response(message.request_id),
        pending_report_request_ids=memory.pending_reports,
        ven_id=memory.ven_id,
    )
    return Step(memory=memory, indications=indications, said=(answer,))


def due_metadata(memory: Memory, offers: Sequence[ReportOffer], *, new_id: Callable[[], str], now: datetime) -> Step:
    """R301, R306: METADATA that was asked for again and again, which no other metadata ends."""
    said = []
    for one in memory.metadata_requests:
        if one.next_at <= now:
            said.append(metadata(offers, request_id=new_id(), ven_id=memory.ven_id, answers=one.id, now=now))
            missed = (now - one.next_at) // one.every
            memory = memory.with_metadata_request(replace(one, next_at=one.next_at + (missed + 1) * one.every))
            if one.ends_at is not None and now + one.every > one.ends_at:
                memory = memory.without_report_request(one.id)
    return Step(memory=memory, said=tuple(said))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is not taken; no code is none."""

    code: str = ""
    description: str = ""

    def response(self, request_id: str) -> m.EiResponse:
        return m.EiResponse(
            response_code=self.code or codes.OK, response_description=self.description or None, request_id=request_id
        )


def _fault_of_room(memory: Memory, request: m.ReportRequest, asked: Sequence[str]) -> Fault:
    pending = {*memory.pending_reports, *asked}
    if request.report_request_id in pending or len(pending) < REPORT_REQUESTS_MAX:
        return Fault()
    return Fault(codes.DEPLOYMENT_OTHER, f"more than {REPORT_REQUESTS_MAX} reports at once are not made here")


def _fault(specifier: m.ReportSpecifier, offers: Sequence[ReportOffer], now: datetime) -> Fault:
    offer = _offer_of(specifier, offers)
    if offer is None:
        return Fault(codes.INVALID_ID, "no such reportSpecifierID")  # R304
    points = {point.r_id: point for point in offer.data_points}
    unknown = [payload.r_id for payload in specifier.payloads if payload.r_id not in points]
    if unknown:
        return Fault(codes.INVALID_ID, f"no such rID: {unknown[0]}")
    if offer.is_history:
        return _fault_of_history(specifier, now)
    if not specifier.report_back_duration:
        return Fault()  # R337: once, whatever else is said
    return _fault_of_rates(specifier, offer, [points[payload.r_id] for payload in specifier.payloads], now)


def _fault_of_history(specifier: m.ReportSpecifier, now: datetime) -> Fault:
    """R317, R324, R325: whole, at once, and past."""
    if specifier.granularity or specifier.report_back_duration:
        return Fault(codes.REPORT_NOT_SUPPORTED, "history is told as it was kept, and at once")
    if specifier.duration is not None and specifier.duration < NO_TIME:
        return Fault(codes.INVALID_DATA, "a duration is negative")
    if specifier.dtstart is not None and specifier.dtstart > now:
        return Fault(codes.INVALID_DATA, "history lies in the past")
    return Fault()


def _fault_of_rates(
    specifier: m.ReportSpecifier, offer: ReportOffer, points: Sequence[DataPoint], now: datetime
) -> Fault:
    """R317, R340: within the offered rates, and no more in one report than is kept."""
    granularity, back, length = specifier.granularity, specifier.report_back_duration, specifier.duration or NO_TIME
    fastest, slowest = max(point.min_period for point in points), min(point.max_period for point in points)
    said = ""
    if min(granularity, back, length) < NO_TIME:
        said = "a duration is negative"
    elif granularity and not fastest <= granularity <= slowest:
        said = f"a granularity other than {fastest} to {slowest}"
    elif back < (granularity or fastest):
        said = "a reportBackDuration shorter than an interval of data"
    elif back > offer.buffered:
        said = "a reportBackDuration longer than data is kept"
    elif specifier.dtstart is not None and length:
        try:
            said = "" if specifier.dtstart + length > now else "the reportInterval is past: history is another report"
        except OverflowError:
            said = "the reportInterval leaves the calendar"
    return Fault(codes.INVALID_DATA, said) if said else Fault()


def _offer_of(specifier: m.ReportSpecifier, offers: Iterable[ReportOffer]) -> ReportOffer | None:
    return next((one for one in offers if one.specifier_id == specifier.report_specifier_id), None)


def _request(request: m.ReportRequest, offers: Sequence[ReportOffer], now: datetime) -> ReportRequest:
    """Interpretation: a periodic report that does not say when begins now, and goes on until it is cancelled."""
    specifier = request.specifier
    offer = _offer_of(specifier, offers)
    history = offer is not None and offer.is_history
    begins = now - offer.buffered if offer is not None and history else now
    once = not specifier.report_back_duration and not history
    return ReportRequest(
        id=request.report_request_id,
        specifier_id=specifier.report_specifier_id,
        r_ids=tuple(dict.fromkeys(payload.r_id for payload in specifier.payloads)),
        granularity=NO_TIME if once else specifier.granularity,  # R337
        report_back=specifier.report_back_duration,
        starts_at=now if once else specifier.dtstart or begins,
        duration=None if once else specifier.duration or None,  # R325: zero is for ever
        history=history,
    )


def _is_known(memory: Memory, wanted: ReportRequest) -> bool:
    return any(_is_same(one, wanted) for one in memory.report_requests)


def _is_same(one: ReportRequest, other: ReportRequest | None) -> bool:
    """Whether it says the same; when one report was asked for at once is when it first came."""
    if other is None or not one.is_one_shot:
        return one == other
    return replace(one, starts_at=other.starts_at) == other


def _metadata_request(request: m.ReportRequest, now: datetime) -> MetadataRequest | None:
    """What is to be kept of a request for METADATA; nothing of one that is done once it is answered."""
    specifier = request.specifier
    every = specifier.report_back_duration
    if every <= NO_TIME:
        return None
    try:
        ends_at = max(specifier.dtstart or now, now) + specifier.duration if specifier.duration else None
        return MetadataRequest(id=request.report_request_id, every=every, next_at=now + every, ends_at=ends_at)
    except OverflowError:
        return None  # as good as once


# -- what we report --------------------------------------------------------------------


def update(batch: Batch, offer: ReportOffer, *, request_id: str, ven_id: str, now: datetime) -> m.UpdateReport:
    """One report: oldest first, every interval with its start; with its length where it needs one (R313 to R316).

    R315, R342: a sum says nothing without its length, so a report with one in it has lengths throughout; one
    of points in time alone has none, but for the only report of a range of rates (R337).
    """
    points = {point.r_id: point for point in offer.data_points}
    readings = sorted(batch.readings, key=lambda reading: reading.starts_at)
    with_lengths = any(points[one.r_id].is_accumulated for one in readings) or (
        batch.request.is_one_shot and any(points[one.r_id].min_period < points[one.r_id].max_period for one in readings)
    )
    intervals = [
        m.ReportInterval(
            dtstart=starts_at,
            duration=duration if with_lengths else None,
            payloads=tuple(_payload(one) for one in group),
        )
        for (starts_at, duration), group in groupby(readings, key=lambda one: (one.starts_at, one.duration))
    ] + [
        m.ReportInterval(dtstart=at, payloads=tuple(_status_payload(one) for one in group))
        for at, group in groupby(sorted(batch.statuses, key=lambda one: one.at), key=lambda one: one.at)
    ]
    first, last = intervals[0].dtstart, intervals[-1]
    spans = first is not None and last.dtstart is not None and last.duration is not None
    report = m.Report(
        report_request_id=batch.request.id,
        report_specifier_id=batch.request.specifier_id,
        report_name=offer.report_name,
        created_date_time=now,
        dtstart=first,
        duration=last.dtstart + last.duration - first if spans else None,  # type: ignore[operator]
        intervals=tuple(intervals),
    )
    return m.UpdateReport(request_id=request_id, reports=(report,), ven_id=ven_id)


def _payload(reading: Reading) -> m.ReportPayload:
    return m.ReportPayload(
        r_id=reading.r_id,
        value=reading.value,
        confidence=reading.confidence,
        accuracy=reading.accuracy,
        data_quality=quality_code(reading.quality, reading.cause),
    )


def _status_payload(reading: StatusReading) -> m.ReportPayload:
    return m.ReportPayload(
        r_id=reading.r_id,
        value=_status(reading.status),
        data_quality=quality_code(reading.quality, reading.cause),
    )


def _status(status: ResourceStatus) -> m.ResourceStatus:
    # The model's controls are named as the wire's elements are.
    controls = {
        control.value: m.LoadControlValue(
            current=value.current, minimum=value.minimum, maximum=value.maximum, normal=value.normal
        )
        for control, value in status.controls.items()
    }
    return m.ResourceStatus(online=status.online, manual_override=status.manual_override, **controls)
