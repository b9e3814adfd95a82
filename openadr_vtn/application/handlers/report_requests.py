"""An operator asks a party for a report, for its metadata, or for no more of a report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import NotFound, WrongState
from openadr_core.model.party import Party
from openadr_vtn.application.handlers import errands
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.domain.errand import ErrandKind
from openadr_vtn.domain.reporting import RequestedReport, RequestWish, cancel_asked, cancelled, request_of

METADATA_WANTED = "METADATA"
"""An errand's content: no request of ours, but all that the party can report (2.0b R327)."""


async def request_reports(
    store: Store, named: str, wishes: Sequence[RequestWish], *, actor: str, new_id: Callable[[], str], now: datetime
) -> tuple[Party, list[RequestedReport]]:
    """Ask a party for some of its reports, all in one message; NotFound, RuleBroken or WrongState says why for none."""
    async with store.unit_of_work() as uow:
        party = await _registered(uow, named)
        offers = await uow.reports.offers(party.id)
        requested = [request_of(wish, offers, request_id=new_id(), now=now) for wish in wishes]
        await uow.reports.save_requests(party.id, requested)
        content = " ".join(one.request.id for one in requested)
        await errands.owe(uow, party.id, ErrandKind.CREATE_REPORT, content=content, new_id=new_id, now=now)
        for one in requested:
            detail = f"{one.request.specifier_id} as {one.request.id}"
            await uow.audit.append(_entry(now, actor, "request report", party, detail))
    return party, requested


async def request_metadata(store: Store, named: str, *, actor: str, new_id: Callable[[], str], now: datetime) -> Party:
    """Ask a party what it can report; it answers by registering its reports anew (2.0b R301)."""
    async with store.unit_of_work() as uow:
        party = await _registered(uow, named)
        await errands.owe(uow, party.id, ErrandKind.CREATE_REPORT, content=METADATA_WANTED, new_id=new_id, now=now)
        await uow.audit.append(_entry(now, actor, "request metadata", party))
    return party


async def cancel_report(
    store: Store,
    named: str,
    request_id: str,
    *,
    to_follow: bool,
    actor: str,
    new_id: Callable[[], str],
    now: datetime,
) -> tuple[Party, RequestedReport]:
    """End a report, after exactly one more if ``to_follow`` (2.0b R345); ended already, it stays as it is.

    What the party was never asked for is not asked of it any more, and it need not be told.
    """
    async with store.unit_of_work() as uow:
        party = await party_named(uow, named)
        found = {one.request.id: one for one in await uow.reports.requests(party.id)}.get(request_id)
        if found is None:
            raise NotFound(f"{party.name} was not asked for a report {request_id}")
        if found.ended_at is not None or found.cancel_asked_at is not None:
            return party, found
        ending = cancel_asked(found, now, to_follow=to_follow)
        if await _is_untold(uow, party, request_id):
            ending = cancelled(replace(ending, to_follow=False), now)
        else:
            await errands.owe(uow, party.id, ErrandKind.CANCEL_REPORT, content=request_id, new_id=new_id, now=now)
        await uow.reports.save_requests(party.id, [ending])
        await uow.audit.append(_entry(now, actor, "cancel report", party, request_id))
    return party, ending


async def requests_of(uow: UnitOfWork, party_id: str, content: str) -> list[RequestedReport]:
    """The requests that an errand's content names."""
    ids = set(content.split())
    return [requested for requested in await uow.reports.requests(party_id) if requested.request.id in ids]


async def _is_untold(uow: UnitOfWork, party: Party, request_id: str) -> bool:
    """Whether the request waits in the queue and was never sent."""
    return any(
        errand.kind is ErrandKind.CREATE_REPORT and request_id in errand.content.split() and not errand.attempts
        for errand in await uow.errands.of_parties([party.id])
    )


async def _registered(uow: UnitOfWork, named: str) -> Party:
    party = await party_named(uow, named)
    if party.registration is None:
        raise WrongState(f"{party.name} is not registered")
    return party


def _entry(now: datetime, actor: str, action: str, party: Party, detail: str = "") -> AuditEntry:
    return AuditEntry(at=now, actor=actor, action=action, subject=party.id, detail=detail)
