"""What an operator sees of a party's reports: what it offers, what was asked of it, what it measured. It only reads."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from openadr_core.model.party import Party
from openadr_core.model.report import Measurand, Reading, ReportOffer
from openadr_core.units import WATT_HOUR
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.said_ports import StoredReading, StoredStatus
from openadr_vtn.domain.reporting import RequestedReport, late_by, mean_power

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURVE = timedelta(minutes=30)
"""How much of the party's power its page shows."""
NEWEST_READ = 50
"""Readings of one series that are looked through for the newest of each point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    requested: RequestedReport
    late_by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsOfParty:
    party: Party
    offers: tuple[ReportOffer, ...]
    requests: tuple[RequestView, ...]
    """The newest first."""
    newest: tuple[StoredReading, ...]
    """Of each data point that has told anything."""
    statuses: tuple[StoredStatus, ...]
    """Of each resource, the newest."""
    usage: tuple[Reading, ...]
    """The party's power of late."""
    baseline: tuple[Reading, ...]


async def offers_of(uow: UnitOfWork, named: str) -> tuple[Party, list[ReportOffer]]:
    party = await party_named(uow, named)
    return party, [offered.offer for offered in await uow.reports.offers(party.id)]


async def requests_of_party(uow: UnitOfWork, named: str, now: datetime) -> tuple[Party, list[RequestView]]:
    """The newest first, those that have ended too, for as long as they are kept."""
    party = await party_named(uow, named)
    requests = await uow.reports.requests(party.id)
    return party, [RequestView(requested=one, late_by=late_by(one, now)) for one in reversed(requests)]


async def readings_of_party(
    uow: UnitOfWork,
    named: str,
    since: datetime,
    until: datetime,
    *,
    measurand: Measurand | None = None,
    source: str | None = None,
    limit: int,
) -> list[StoredReading]:
    """Those that start in ``[since, until)``: the newest ``limit``, the newest first."""
    party = await party_named(uow, named)
    found: list[StoredReading] = []
    for what, where in await uow.reports.sources(party.id):
        if measurand in {None, what} and source in {None, where}:
            found += await uow.reports.readings(party.id, what, where, since, until, limit=limit)
    found.sort(key=_place, reverse=True)
    return found[:limit]


async def statuses_of_party(
    uow: UnitOfWork, named: str, since: datetime, until: datetime, *, limit: int
) -> list[StoredStatus]:
    party = await party_named(uow, named)
    return await uow.reports.statuses(party.id, since, until, limit=limit)


async def reports_of_party(uow: UnitOfWork, named: str, now: datetime) -> ReportsOfParty:
    """All at once, as the party's page shows it; NotFound if there is no such party."""
    party, offers = await offers_of(uow, named)
    _, requests = await requests_of_party(uow, party.id, now)
    since, until = now - CURVE, now + timedelta(minutes=1)
    return ReportsOfParty(
        party=party,
        offers=tuple(offers),
        requests=tuple(requests),
        newest=tuple(await _newest(uow, party.id, until)),
        statuses=tuple(await uow.reports.latest_statuses(party.id)),
        usage=tuple(await power_series(uow, party.id, Measurand.USAGE, since, until)),
        baseline=tuple(await power_series(uow, party.id, Measurand.BASELINE, since, until)),
    )


async def power_series(
    uow: UnitOfWork, party_id: str, measurand: Measurand, since: datetime, until: datetime
) -> list[Reading]:
    """The party's power, in watts; where it tells energy alone, the mean power that it is.

    A party may report under the name of the one thing that it has instead of its own. Of several names
    nothing is summed up: one may be a part of another.
    """
    if found := await _power_of(uow, party_id, measurand, since, until, source=""):
        return found
    named = {source for what, source in await uow.reports.sources(party_id) if what is measurand}
    if len(named) != 1 or named == {""}:
        return []
    return await _power_of(uow, party_id, measurand, since, until, source=named.pop())


async def _power_of(
    uow: UnitOfWork, party_id: str, measurand: Measurand, since: datetime, until: datetime, *, source: str
) -> list[Reading]:
    found = await uow.reports.series(party_id, measurand, since, until, source=source)
    return found or mean_power(
        await uow.reports.series(party_id, measurand, since, until, unit=WATT_HOUR, source=source)
    )


async def _newest(uow: UnitOfWork, party_id: str, until: datetime) -> list[StoredReading]:
    newest: dict[tuple[Measurand, str, str, str], StoredReading] = {}
    for measurand, source in await uow.reports.sources(party_id):
        for one in await uow.reports.readings(party_id, measurand, source, EPOCH, until, limit=NEWEST_READ):
            newest.setdefault((measurand, source, one.reading.r_id, one.unit), one)
    return list(newest.values())


def _place(one: StoredReading) -> tuple[datetime, str, str, str]:
    return (one.reading.starts_at, one.measurand.value, one.source, one.reading.r_id)
