"""What a party can measure, what we ask of it, and what it sends."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.errors import RemoteProtocolError, UnknownReference
from openadr_core.limits import CLOCK_DRIFT_MAX_S
from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.report import DataPoint, Measurand, Reading, StatusReading
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import Mailbox, reported
from openadr_vtn.domain.errand import ErrandKind
from openadr_vtn.domain.reporting import (
    OfferedReport,
    RequestedReport,
    RequestState,
    TelemetryWish,
    cancelled,
    canonical,
    confirmed,
    is_too_much,
    received,
    refused,
    requests_for,
    spans_of,
)

OF_METADATA = "METADATA-"
"""How the ids of our requests for metadata begin: they are pending until they are answered, and not stored."""
CLOCK_DRIFT_MAX = timedelta(seconds=CLOCK_DRIFT_MAX_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentReport:
    """Readings as they came: values in the unit that was offered, and no time for a point in time."""

    request_id: str
    specifier_id: str
    readings: tuple[Reading, ...]
    statuses: tuple[StatusReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of the reports in one message."""

    faults: tuple[RemoteProtocolError | None, ...]
    """What is wrong with each, in order."""
    too_much: tuple[RequestedReport, ...]
    """Requests that were cancelled and that the party still serves (2.0b R335)."""
    mailbox: Mailbox


# -- what is offered and asked for -----------------------------------------------------


async def offer_reports(
    uow: UnitOfWork,
    party: Party,
    offers: Sequence[OfferedReport],
    *,
    wish: TelemetryWish,
    new_id: Callable[[], str],
    now: datetime,
) -> list[RequestedReport]:
    """What we ask for, now that these are all the reports the party can make (2.0b R306).

    The same offers again get the same requests, those of an operator among them: an answer that was
    lost, or a party that was started anew, costs nothing.
    """
    before = await uow.reports.open_requests(party.id)
    if before and _by_specifier(offers) == _by_specifier(await uow.reports.offers(party.id)):
        return [requested for requested in before if requested.cancel_asked_at is None]
    await uow.reports.replace_offers(party.id, offers)
    requests = list(requests_for(offers, wish, new_id=new_id, now=now))
    await uow.reports.save_requests(party.id, requests)
    return requests


async def settle_requests(uow: UnitOfWork, party_id: str, request_id: str, pending: Collection[str]) -> list[str]:
    """The party answers what it was asked for, under the requestID that it was asked under: the ids of what that was.

    Interpretation: peers return other requestIDs, or none. What lists an errand's requests answers it, and
    what returns nothing answers the oldest that was sent; else it answers what was asked for in passing,
    when the party registered its reports (R344).
    """
    waiting = [one for one in await uow.errands.of_parties([party_id]) if one.kind is ErrandKind.CREATE_REPORT]
    told = [errand for errand in waiting if errand.attempts]
    found = (
        next((errand for errand in told if errand.id == request_id), None)
        or next((errand for errand in told if set(errand.content.split()) & set(pending)), None)
        or (told[0] if told and not request_id else None)
    )
    if found is not None:
        await uow.errands.remove(found)
        return found.content.split()
    in_queue = {request_id for errand in waiting for request_id in errand.content.split()}
    return [one.request.id for one in await uow.reports.open_requests(party_id) if one.request.id not in in_queue]


async def confirm_requests(
    uow: UnitOfWork, party: Party, pending: Collection[str], *, refusal: str, asked: Collection[str], now: datetime
) -> list[RemoteProtocolError | None]:
    """The party says which requests are pending; what is wrong with each of these.

    ``refusal`` is its code and text if it said no to some of what was ``asked`` with the message that
    it answers: to those that it does not list.
    """
    known = {requested.request.id: requested for requested in await uow.reports.requests(party.id)}
    faults: list[RemoteProtocolError | None] = []
    changed = []
    for request_id in pending:
        requested = known.get(request_id)
        is_ours = requested is not None or request_id.startswith(OF_METADATA)
        faults.append(None if is_ours else UnknownReference("no such report was asked for", clause="R304"))
        if requested is not None and requested.confirmed_at is None:
            changed.append(confirmed(requested, now))
    if refusal:
        changed += [
            refused(requested, refusal, now)
            for request_id in asked
            if request_id not in pending
            and (requested := known.get(request_id)) is not None
            and requested.state is RequestState.ASKED
        ]
    await uow.reports.save_requests(party.id, changed)
    return faults


async def confirm_cancel(uow: UnitOfWork, party: Party, pending: Collection[str], now: datetime) -> None:
    """The party says what is pending after a cancel: what is not, is cancelled, whatever code it gave (2.0b R336)."""
    await uow.reports.save_requests(
        party.id,
        [
            cancelled(requested, now)
            for requested in await uow.reports.open_requests(party.id)
            if requested.state is RequestState.CANCELLING and requested.request.id not in pending
        ],
    )


# -- what comes ------------------------------------------------------------------------


async def receive_reports(
    uow: UnitOfWork, party: Party, mailbox: Mailbox, reports: Sequence[SentReport], now: datetime
) -> Receipt:
    """Store what was asked for, in canonical units.

    A report that was received before is received again with the same effect (2.0b R346).
    """
    requests = {requested.request.id: requested for requested in await uow.reports.requests(party.id)}
    offers = _by_specifier(await uow.reports.offers(party.id))
    faults: list[RemoteProtocolError | None] = []
    taken = _Taken()
    changed: dict[str, RequestedReport] = {}
    too_much: dict[str, RequestedReport] = {}
    for report in reports:
        requested, offered = requests.get(report.request_id), offers.get(report.specifier_id)
        if requested is None or offered is None or requested.request.specifier_id != report.specifier_id:
            faults.append(UnknownReference("no such report was asked for", clause="R304"))
            continue
        before = changed.get(report.request_id, requested)
        if is_too_much(before):
            too_much[report.request_id] = before
        seen = _seen(report, before, offered, now)
        changed[report.request_id] = received(
            before, [reading for _, reading in seen.readings], now, statuses=[status for _, status in seen.statuses]
        )
        taken = taken.with_these(seen)
        faults.append(seen.fault)
    await uow.reports.add_readings(party.id, taken.readings, now)
    await uow.reports.add_statuses(party.id, taken.statuses, now)
    await uow.reports.save_requests(party.id, list(changed.values()))
    mailbox = await _note_reported(uow, party.id, mailbox, [reading for _, reading in taken.readings], now)
    return Receipt(faults=tuple(faults), too_much=tuple(too_much.values()), mailbox=mailbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What of one report, or of several, is stored."""

    readings: tuple[tuple[DataPoint, Reading], ...] = ()
    statuses: tuple[tuple[DataPoint, StatusReading], ...] = ()
    fault: RemoteProtocolError | None = None

    def with_these(self, others: "_Taken") -> "_Taken":
        return _Taken(readings=self.readings + others.readings, statuses=self.statuses + others.statuses)


def _seen(report: SentReport, requested: RequestedReport, offered: OfferedReport, now: datetime) -> _Taken:
    """What was asked for and is not of the future.

    A reading of the future would outlive every true one: a later one for the same interval is all
    that replaces it.
    """
    request = requested.request
    points = {point.r_id: point for point in offered.offer.data_points if point.r_id in request.r_ids}
    latest = now + max(request.granularity, CLOCK_DRIFT_MAX)
    asked = [
        (point, reading, span)
        for reading, span in zip(report.readings, spans_of(report.readings, request.granularity), strict=True)
        if (point := points.get(reading.r_id)) is not None and point.measurand is not Measurand.STATUS
    ]
    readings = tuple(
        (point, canonical(reading, offered.factors[point.r_id], span))
        for point, reading, span in asked
        if reading.starts_at + reading.duration <= latest
    )
    asked_statuses = [
        (point, status)
        for status in report.statuses
        if (point := points.get(status.r_id)) is not None and point.measurand is Measurand.STATUS
    ]
    statuses = tuple(pair for pair in asked_statuses if pair[1].at <= latest)
    fault: RemoteProtocolError | None = None
    if len(asked) + len(asked_statuses) < len(report.readings) + len(report.statuses):
        fault = UnknownReference("a rID was not asked for", clause="R304")
    elif len(readings) + len(statuses) < len(asked) + len(asked_statuses):
        fault = RemoteProtocolError("an interval ends in the future", clause="R315")
    return _Taken(readings=readings, statuses=statuses, fault=fault)


async def _note_reported(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, readings: Sequence[Reading], now: datetime
) -> Mailbox:
    """The first reading from inside an event is a fact of the delivery ledger."""
    keys = [
        due.key
        for due in mailbox.dues
        if due.delivery.reported_at is None and any(is_inside(reading, due.event) for reading in readings)
    ]
    if not keys:
        return mailbox
    await uow.deliveries.mark_reported(party_id, keys, now)
    return mailbox.after(keys, lambda row: reported(row, now))


def is_inside(reading: Reading, event: DrEvent) -> bool:
    """Whether what was measured began while the event ran."""
    ends = [moment for moment in (event.ends_at, event.cancelled_at) if moment is not None]
    return event.starts_at <= reading.starts_at < min(ends, default=reading.starts_at + reading.duration)


def _by_specifier(offers: Iterable[OfferedReport]) -> dict[str, OfferedReport]:
    return {offered.offer.specifier_id: offered for offered in offers}
