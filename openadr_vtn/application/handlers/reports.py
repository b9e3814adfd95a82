"""What a party can measure, what we ask of it, and what it sends."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite

from openadr_core.errors import RemoteProtocolError, UnknownReference
from openadr_core.limits import CLOCK_DRIFT_MAX_S, READING_MAX_W
from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.report import DataPoint, Quality, Reading
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import Mailbox, reported
from openadr_vtn.domain.reporting import (
    OfferedReport,
    RequestedReport,
    TelemetryWish,
    confirmed,
    received,
    requests_for,
)

NO_TIME = timedelta(0)
CLOCK_DRIFT_MAX = timedelta(seconds=CLOCK_DRIFT_MAX_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentReport:
    """Readings as they came: values in the unit that was offered, and no time for a point in time."""

    request_id: str
    specifier_id: str
    readings: tuple[Reading, ...]


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

    The same offers again get the same requests: an answer that was lost costs nothing.
    """
    before = await uow.reports.requests(party.id)
    if before and _by_specifier(offers) == _by_specifier(await uow.reports.offers(party.id)):
        return before
    await uow.reports.replace_offers(party.id, offers)
    requests = list(requests_for(offers, wish, new_id=new_id, now=now))
    await uow.reports.save_requests(party.id, requests)
    return requests


async def confirm_requests(
    uow: UnitOfWork, party: Party, request_ids: Iterable[str], now: datetime
) -> list[RemoteProtocolError | None]:
    """The party says these are pending; what is wrong with each."""
    known = {requested.request.id: requested for requested in await uow.reports.requests(party.id)}
    faults: list[RemoteProtocolError | None] = []
    for request_id in request_ids:
        requested = known.get(request_id)
        faults.append(None if requested else UnknownReference("no such report was asked for", clause="R304"))
        if requested is not None and requested.confirmed_at is None:
            await uow.reports.save_requests(party.id, [confirmed(requested, now)])
    return faults


async def receive_reports(
    uow: UnitOfWork, party: Party, mailbox: Mailbox, reports: Sequence[SentReport], now: datetime
) -> tuple[list[RemoteProtocolError | None], Mailbox]:
    """Store what was asked for, in watts; what is wrong with each report, in order.

    A report that was received before is received again with the same effect (2.0b R346).
    """
    requests = {requested.request.id: requested for requested in await uow.reports.requests(party.id)}
    offers = _by_specifier(await uow.reports.offers(party.id))
    faults: list[RemoteProtocolError | None] = []
    readings: list[tuple[DataPoint, Reading]] = []
    changed: dict[str, RequestedReport] = {}
    for report in reports:
        requested, offered = requests.get(report.request_id), offers.get(report.specifier_id)
        if requested is None or offered is None or requested.request.specifier_id != report.specifier_id:
            faults.append(UnknownReference("no such report was asked for", clause="R304"))
            continue
        wanted = list(_wanted(report, requested, offered))
        latest = now + max(requested.request.granularity, CLOCK_DRIFT_MAX)
        seen = [(point, reading) for point, reading in wanted if reading.starts_at + reading.duration <= latest]
        readings += seen
        before = changed.get(report.request_id, requested)
        changed[report.request_id] = received(before, [reading for _, reading in seen], now)
        faults.append(_fault(strange=len(wanted) < len(report.readings), early=len(seen) < len(wanted)))
    await uow.reports.add_readings(party.id, readings, now)
    await uow.reports.save_requests(party.id, list(changed.values()))
    return faults, await _note_reported(uow, party.id, mailbox, [reading for _, reading in readings], now)


def _fault(*, strange: bool, early: bool) -> RemoteProtocolError | None:
    if strange:
        return UnknownReference("a rID was not asked for", clause="R304")
    # It would outlive every true reading: a later one for the same interval is all that replaces it.
    return RemoteProtocolError("an interval ends in the future", clause="R315") if early else None


def _wanted(
    report: SentReport, requested: RequestedReport, offered: OfferedReport
) -> Iterator[tuple[DataPoint, Reading]]:
    points = {point.r_id: point for point in offered.offer.data_points if point.r_id in requested.request.r_ids}
    for reading in report.readings:
        if reading.r_id in points:
            yield points[reading.r_id], _in_watts(reading, requested, offered)


async def _note_reported(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, readings: Sequence[Reading], now: datetime
) -> Mailbox:
    """The first reading from inside an event is a fact of the delivery ledger."""
    keys = [
        due.key
        for due in mailbox.dues
        if due.delivery.reported_at is None and any(_is_inside(reading, due.event) for reading in readings)
    ]
    if not keys:
        return mailbox
    await uow.deliveries.mark_reported(party_id, keys, now)
    return mailbox.after(keys, lambda row: reported(row, now))


def _is_inside(reading: Reading, event: DrEvent) -> bool:
    ends = [moment for moment in (event.ends_at, event.cancelled_at) if moment is not None]
    return event.starts_at <= reading.starts_at < min(ends, default=reading.starts_at + reading.duration)


def _in_watts(reading: Reading, requested: RequestedReport, offered: OfferedReport) -> Reading:
    """The reading in watts, over the time it stands for.

    Interpretation: 2.0b leaves open for how long a point in time stands (R315); it is taken for
    the interval that was asked for. What is no number is a placeholder, and bad (R318); so is what
    no party can have.
    """
    watts = reading.value * offered.factors[reading.r_id]
    good = isfinite(watts) and abs(watts) <= READING_MAX_W
    return replace(
        reading,
        value=watts if good else 0.0,
        quality=reading.quality if good else Quality.BAD,
        duration=reading.duration if reading.duration > NO_TIME else requested.request.granularity,
    )


def _by_specifier(offers: Iterable[OfferedReport]) -> dict[str, OfferedReport]:
    return {offered.offer.specifier_id: offered for offered in offers}
