"""What an operator sees: parties, events, who answered what, and target against delivered. It only reads."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.errors import NotFound
from openadr_core.model.event import DrEvent, EventStatus
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.party import Party
from openadr_core.model.report import Measurand, Reading
from openadr_vtn.application.handlers.availability_views import (
    QualificationView,
    effective_opts,
    qualification_views,
)
from openadr_vtn.application.handlers.events import NOTE, PAGE
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.handlers.report_views import power_series
from openadr_vtn.application.oadr3_ports import StoredResource
from openadr_vtn.application.ports import AuditEntry, StoredProgram, UnitOfWork
from openadr_vtn.application.sep2_reach import untold_of
from openadr_vtn.domain.delivery import Delivery, Due, is_given_up, newest
from openadr_vtn.domain.errand import Errand
from openadr_vtn.domain.performance import Step, asked_at, target_steps, together
from openadr_vtn.domain.pushing import PushState, reminding_of
from openadr_vtn.domain.reporting import Delivered, RequestedReport, delivered, gaps, late_by

BEFORE = timedelta(seconds=30)
"""How much of the time before an event its curves show."""
AFTER = timedelta(minutes=2)
"""How long after its end it is still worth watching."""
SHOWN = (Measurand.USAGE, Measurand.BASELINE)
"""What of a party's readings an event's report holds."""
GAP_MIN = timedelta(seconds=1)
"""A shorter hole between readings is rounding."""
SERIES_MAX = timedelta(hours=6)
"""The newest part of a long event is what a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyView:
    party: Party
    last_seen_at: datetime | None
    reports: tuple[RequestedReport, ...]
    late_by: timedelta
    """How long the latest of its reports has been due."""
    push: PushState | None
    """How the last push to it went, if it is pushed to."""
    resources: tuple[StoredResource, ...]
    """What is behind it, as OpenADR 3 knows it; the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyDetail:
    view: PartyView
    waiting: tuple[Errand, ...]
    """What it is owed besides events, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    event: DrEvent
    program_name: str
    status: EventStatus
    entitled: int
    fetched: int
    opted_in: int
    opted_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """What happened between us and one party about one version of an event."""

    party: Party
    delivery: Delivery
    opt: Opt | None
    """The party's answer to this version."""
    given_up: bool
    """It was told in vain so often that it is not told again until something changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyPerformance:
    """What one party reported about an event."""

    party: Party
    opt: Opt | None
    """Its latest answer, whichever version that was for, or what it said since for all that it has."""
    delivered: tuple[Delivered, ...]
    missing: tuple[tuple[datetime, datetime], ...]
    """Stretches of the event that no reading covers, though they are long enough past."""
    late_by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    view: EventView
    versions: int
    ledger: tuple[LedgerRow, ...]
    answers: tuple[tuple[Party, Opt], ...]
    """Every answer that was ever given, each time it changed: by version, then in the order they came."""
    parties: tuple[PartyPerformance, ...]
    target: tuple[Step, ...]
    delivered: tuple[Delivered, ...]
    """All parties together."""
    target_w: float | None
    """Now; None for an event that asks for no relief."""
    delivered_w: float | None
    """By the latest reports; None before the first."""
    notes: tuple[AuditEntry, ...]
    """What people wrote about it, the oldest first."""
    qualifications: tuple[QualificationView, ...]
    """What parties said to it for some of what they have (2.0b R206)."""
    not_told_to_devices: tuple[str, ...]
    """Why devices of IEEE 2030.5 are not told some of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """What a party said of an event and measured during it, as 3.1 reports it to the operator."""

    event: DrEvent
    party: Party
    opt: Opt | None
    series: Mapping[Measurand, list[Reading]]
    until: datetime


async def party_views(uow: UnitOfWork, now: datetime) -> list[PartyView]:
    """Those that wait for an operator first, then by name."""
    last_seen = await uow.parties.last_seen()
    requests = await uow.reports.all_open_requests()
    pushes = await uow.pushes.of_parties(await uow.pushes.party_ids())
    parties, views = await uow.parties.all(), []
    resources: dict[str, list[StoredResource]] = {}
    for resource in await uow.resources.of_parties(party.id for party in parties):
        resources.setdefault(resource.party_id, []).append(resource)
    for party in parties:
        reports = requests.get(party.id, [])
        views.append(
            PartyView(
                party=party,
                last_seen_at=last_seen.get(party.id),
                reports=tuple(reports),
                late_by=latest_by(reports, now),
                push=pushes.get(party.id),
                resources=tuple(resources.get(party.id, ())),
            )
        )
    return sorted(views, key=lambda view: (view.party.state != "pending", view.party.name))


async def party_detail(uow: UnitOfWork, named: str, now: datetime) -> PartyDetail:
    """Everything that is known about one party; NotFound if there is none."""
    party = await party_named(uow, named)
    reports = await uow.reports.open_requests(party.id)
    view = PartyView(
        party=party,
        last_seen_at=(await uow.parties.last_seen()).get(party.id),
        reports=tuple(reports),
        late_by=latest_by(reports, now),
        push=(await uow.pushes.of_parties([party.id])).get(party.id),
        resources=tuple(await uow.resources.of_parties([party.id])),
    )
    return PartyDetail(view=view, waiting=tuple(await uow.errands.of_parties([party.id])))


async def event_views(uow: UnitOfWork, now: datetime, *, skip: int = 0, limit: int = 50) -> list[EventView]:
    """The open ones first, then those that are over or cancelled; of each the newest first."""
    programs = {stored.program.id: stored for stored in await uow.programs.all()}
    page = await uow.events.open_first(now, skip=skip, limit=limit)
    return [await _event_view(uow, stored.event, programs.get(stored.event.program_id), now) for stored in page]


async def event_detail(uow: UnitOfWork, event_id: str, now: datetime) -> EventDetail:
    """Everything that is known about one event; NotFound if there is none."""
    stored = await uow.events.by_id(event_id)
    if stored is None:
        raise NotFound(f"there is no event {event_id}")
    event = stored.event
    parties = {party.id: party for party in await uow.parties.all()}
    history = await uow.opts.history(event_id)
    ledger = await _ledger(uow, event, parties, history, now)
    latest = await effective_opts(uow, event_id)
    concerned = {row.party.id: row.party for row in ledger if not row.delivery.withdrawn}
    told = [await _performance(uow, event, party, latest.get(party.id), now) for party in concerned.values()]
    steps = target_steps(event, now + SERIES_MAX)
    total = together({each.party.id: each.delivered for each in told}, _window(event, now)[0])
    program = await uow.programs.by_id(event.program_id)
    return EventDetail(
        view=await _event_view(uow, event, program, now),
        versions=event.version + 1,
        ledger=tuple(ledger),
        answers=tuple((parties[party_id], opt) for party_id, opt in history if party_id in parties),
        parties=tuple(told),
        target=tuple(steps),
        delivered=tuple(total),
        target_w=asked_at(steps, now),
        delivered_w=total[-1].delivered_w if total else None,
        notes=tuple(await uow.audit.of_subject(event_id, NOTE)),
        qualifications=tuple(await qualification_views(uow, event_id, list(concerned.values()))),
        not_told_to_devices=() if program is None else await untold_of(uow, stored, program),
    )


async def performances(
    uow: UnitOfWork, event: DrEvent, parties: Sequence[Party], now: datetime
) -> list[PartyPerformance]:
    """What each of these parties reported about the event."""
    latest = await effective_opts(uow, event.id)
    return [await _performance(uow, event, party, latest.get(party.id), now) for party in parties]


async def event_ledger(uow: UnitOfWork, event_id: str, now: datetime) -> list[LedgerRow]:
    """What happened between us and each party about each version, by version; NotFound if there is no such event."""
    stored = await uow.events.by_id(event_id)
    if stored is None:
        raise NotFound(f"there is no event {event_id}")
    parties = {party.id: party for party in await uow.parties.all()}
    return await _ledger(uow, stored.event, parties, await uow.opts.history(event_id), now)


async def event_reports(
    uow: UnitOfWork,
    now: datetime,
    *,
    program_id: str | None = None,
    event_id: str | None = None,
    party_name: str | None = None,
    enough: int | None = None,
) -> list[EventReport]:
    """What each party of 2.0b said of each event and measured during it, in the order of ``event_views``.

    The search ends when it has found ``enough``; without, all there are.
    """
    parties = {
        party.id: party
        for party in await uow.parties.all()
        # What a ven of OpenADR 3 reported is there as it was written.
        if party.certificates and party_name in {None, party.name}
    }
    found: list[EventReport] = []
    async for event in _events(uow, now, program_id, event_id):
        if enough is not None and len(found) >= enough:
            break
        rows, opts = await uow.deliveries.of_event(event.id), await effective_opts(uow, event.id)
        for party_id in dict.fromkeys(row.party_id for row in rows if not row.withdrawn and row.party_id in parties):
            since, until, opt = event.starts_at, _over_at(event, now), opts.get(party_id)
            series = {measurand: await power_series(uow, party_id, measurand, since, until) for measurand in SHOWN}
            if opt is not None or any(series.values()):
                until = until if opt is None else max(until, opt.at)
                found.append(EventReport(event=event, party=parties[party_id], opt=opt, series=series, until=until))
    return found


async def _events(
    uow: UnitOfWork, now: datetime, program_id: str | None, event_id: str | None
) -> AsyncIterator[DrEvent]:
    """All of them, or the one that is named; only of this program, if there is one."""
    if event_id is not None:
        for stored in await uow.events.by_ids([event_id]):
            if program_id in {None, stored.event.program_id}:
                yield stored.event
        return
    read = 0
    while page := await uow.events.open_first(now, program_id=program_id, skip=read, limit=PAGE):
        for stored in page:
            yield stored.event
        read += len(page)


async def _event_view(uow: UnitOfWork, event: DrEvent, program: StoredProgram | None, now: datetime) -> EventView:
    last_news = newest(await uow.deliveries.of_event(event.id)).values()
    rows = [row for row in last_news if not row.withdrawn]
    opts = await effective_opts(uow, event.id)
    return EventView(
        event=event,
        program_name=program.program.name if program else event.program_id,
        status=event.status_at(now),
        entitled=len(rows),
        fetched=sum(row.fetched_at is not None for row in rows),
        opted_in=sum(opt.opt_type is OptType.IN for opt in opts.values()),
        opted_out=sum(opt.opt_type is OptType.OUT for opt in opts.values()),
    )


async def _performance(
    uow: UnitOfWork, event: DrEvent, party: Party, opt: Opt | None, now: datetime
) -> PartyPerformance:
    since, until = _window(event, now)
    metered = await power_series(uow, party.id, Measurand.USAGE, since, until)
    baseline = await power_series(uow, party.id, Measurand.BASELINE, since, until)
    reports = await uow.reports.open_requests(party.id)
    allowed = max((requested.request.report_back for requested in reports), default=timedelta()) * 2
    judged_until = min(_over_at(event, now), now - allowed)
    expects_data = bool(reports) and (opt is None or opt.opt_type is OptType.IN)
    return PartyPerformance(
        party=party,
        opt=opt,
        delivered=tuple(delivered(metered, baseline)),
        missing=tuple(
            (start, end)
            for start, end in gaps(metered, max(event.starts_at, since), judged_until)
            if end - start >= GAP_MIN
        )
        if expects_data and judged_until > event.starts_at
        else (),
        late_by=latest_by(reports, now),
    )


async def _ledger(
    uow: UnitOfWork,
    event: DrEvent,
    parties: Mapping[str, Party],
    history: Sequence[tuple[str, Opt]],
    now: datetime,
) -> list[LedgerRow]:
    last_said = {(party_id, opt.version): opt for party_id, opt in history}
    rows = [row for row in await uow.deliveries.of_event(event.id) if row.party_id in parties]
    last_news = newest(rows)
    return [
        LedgerRow(
            party=parties[delivery.party_id],
            delivery=delivery,
            opt=last_said.get((delivery.party_id, delivery.version)),
            given_up=last_news[event.id, delivery.party_id] is delivery
            and is_given_up(Due(event=event, delivery=delivery), now, reminding_of(parties[delivery.party_id])),
        )
        for delivery in rows
    ]


def latest_by(reports: list[RequestedReport], now: datetime) -> timedelta:
    """By how much the latest of a party's reports is overdue; nothing if none is."""
    return max((late_by(requested, now) for requested in reports), default=timedelta())


def _over_at(event: DrEvent, now: datetime) -> datetime:
    return min(moment for moment in (event.ends_at, event.cancelled_at, now) if moment is not None)


def _window(event: DrEvent, now: datetime) -> tuple[datetime, datetime]:
    until = max(min(_over_at(event, now) + AFTER, now), event.starts_at)
    return max(event.starts_at - BEFORE, until - SERIES_MAX), until
