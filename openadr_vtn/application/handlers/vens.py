"""Vens of OpenADR 3.1: parties, as business logic and the clients that they are write them."""

from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.errors import Conflict, Forbidden, NotFound, SchemaViolation
from openadr_core.model.party import Party, PartyState
from openadr_core.oadr3.encode import client_id_of, ven_text
from openadr_core.oadr3.messages import ResourceRequest, VenRequest
from openadr_core.oadr3.names import Operation
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.oadr3_ports import Page, VenFilter
from openadr_vtn.application.object_changes import note_resources, note_ven, subscription_change
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.enrolment import approved, closed


async def create_ven(
    store: Store, request: VenRequest, viewer: Viewer, *, ven_id: str, poll_interval: timedelta, now: datetime
) -> str:
    """The ven, let in at once: an operator has given its client a secret. Conflict if client or name have one."""
    check_speaker(request, viewer)
    client_id = request.client_id or viewer.client_id
    async with store.unit_of_work() as uow:
        # First of all: what it is owed is read beside what is being published (see UnitOfWork.alone).
        await uow.alone()
        await _refuse_twin(uow, client_id)
        await _refuse_namesake(uow, request.name)
        newcomer = Party(
            id=ven_id,
            name=request.name,
            state=PartyState.PENDING,
            certificates=(),
            first_seen_at=now,
            poll_interval=poll_interval,
            client_id=client_id,
            document=request.document,
            modified_at=now,
        )
        party = approved(newcomer, name=request.name, targets=request.targets)
        await uow.parties.add(party)
        await owe_current(uow, party, now)
        await note_ven(uow, Operation.CREATE, party, now)
        await uow.audit.append(_entry(now, viewer, "create ven", party, f"client {client_id}"))
    return ven_text(party)


async def replace_ven(store: Store, ven_id: str, request: VenRequest, viewer: Viewer, now: datetime) -> str:
    """The ven under this description; a ven keeps its targets and its client, whatever it says of them."""
    check_speaker(request, viewer)
    async with store.unit_of_work() as uow:
        await uow.alone()
        before = await ven_of(uow, ven_id, viewer)
        if request.name != before.name:
            if not request.by_business and before.certificates:
                raise Forbidden("the operator has named this ven")
            await _refuse_namesake(uow, request.name)
        client_id = before.client_id
        if request.client_id is not None and request.client_id != client_id_of(before):
            if client_id is not None:
                raise Conflict("a ven stays its client's: delete it, and create another")
            await _refuse_twin(uow, request.client_id)
            client_id = request.client_id
        party = approved(before, name=request.name, targets=request.targets if request.by_business else None)
        party = replace(party, client_id=client_id, document=request.document, modified_at=now)
        await uow.parties.save(party)
        if party.targets != before.targets or party.name != before.name:
            await owe_current(uow, party, now)
        await note_ven(uow, Operation.UPDATE, party, now)
        await uow.audit.append(_entry(now, viewer, "replace ven", party, f"client {client_id_of(party)}"))
    return ven_text(party)


async def remove_ven(store: Store, ven_id: str, viewer: Viewer, now: datetime) -> str:
    """The ven as it was. It is shut out, its resources and subscriptions go with it, and what it did stays known."""
    async with store.unit_of_work() as uow:
        await uow.alone()
        party = await ven_of(uow, ven_id, viewer)
        if not viewer.is_business and party.certificates:
            raise Forbidden("the operator has enrolled this ven by its certificate")
        resources = await uow.resources.of_parties([party.id])
        for resource in resources:
            await uow.resources.remove(resource)
        await note_resources(uow, Operation.DELETE, resources, party, now)
        shut_out = closed(party)
        await uow.parties.save(shut_out)
        await uow.errands.clear(party.id)
        await _end_subscriptions(uow, party, now)
        await owe_current(uow, shut_out, now)
        await note_ven(uow, Operation.DELETE, party, now)
        detail = f"client {client_id_of(party)}, resources: {len(resources)}"
        await uow.audit.append(_entry(now, viewer, "remove ven", party, detail))
    return ven_text(party)


async def _end_subscriptions(uow: UnitOfWork, party: Party, now: datetime) -> None:
    """Who is a ven no more is told nothing; business logic that has the same client is."""
    of_ven = [one for one in await uow.subscriptions.of_client(client_id_of(party)) if not one.is_business]
    for subscription in of_ven:
        await uow.subscriptions.remove(subscription.id)
    await uow.object_changes.record([subscription_change(Operation.DELETE, one, now) for one in of_ven])


async def ven_seen(store: Store, ven_id: str, viewer: Viewer) -> str:
    async with store.view() as view:
        return ven_text(await ven_of(view, ven_id, viewer))


async def vens_seen(
    store: Store, viewer: Viewer, page: Page, *, targets: tuple[str, ...] = (), name: str | None = None
) -> Listed[str]:
    """The newest first, as JSON texts; a ven sees itself."""
    if not viewer.is_business and viewer.party is None:
        return Listed(items=[], total=0)
    of = VenFilter(wanted=frozenset(targets) or None, party_id=viewer.party_id, name=name)
    async with store.view() as view:
        found = await view.parties.page(of, page)
        total = await view.parties.count_vens(of)
    return Listed(items=[ven_text(party) for party in found], total=total)


def check_speaker(request: VenRequest | ResourceRequest, viewer: Viewer) -> None:
    """Each says by the request's objectType that it is what its token says that it is."""
    if request.by_business is not viewer.is_business:
        raise SchemaViolation(f"objectType: must begin with {'BL' if viewer.is_business else 'VEN'}_ for this client")


async def ven_of(uow: UnitOfWork, ven_id: str, viewer: Viewer) -> Party:
    """NotFound for another's ven, as for one that is not there."""
    party = await uow.parties.by_id(ven_id)
    if party is None or party.state is not PartyState.APPROVED or not _is_its(party, viewer):
        raise NotFound(f"there is no ven {ven_id}")
    return party


def _is_its(party: Party, viewer: Viewer) -> bool:
    return viewer.is_business or party.client_id == viewer.client_id


async def _refuse_twin(uow: UnitOfWork, client_id: str) -> None:
    if await uow.parties.by_client(client_id) is not None:
        raise Conflict("this client has a ven already")


async def _refuse_namesake(uow: UnitOfWork, name: str) -> None:
    if await uow.parties.by_name(name) is not None:
        raise Conflict(f"there is a ven called {name} already")


def _entry(now: datetime, viewer: Viewer, action: str, party: Party, detail: str) -> AuditEntry:
    return AuditEntry(at=now, actor=viewer.actor, action=action, subject=party.id, detail=detail)
