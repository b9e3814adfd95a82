"""Resources of OpenADR 3.1: what is behind vens, as business logic and vens write it."""

from dataclasses import replace
from datetime import datetime

from openadr_core.errors import Conflict, NotFound
from openadr_core.model.party import Party, PartyState
from openadr_core.oadr3.encode import client_id_of
from openadr_core.oadr3.messages import ResourceRequest
from openadr_core.oadr3.names import Operation
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.handlers.vens import check_speaker
from openadr_vtn.application.oadr3_ports import Page, ResourceFilter, StoredResource
from openadr_vtn.application.object_changes import note_resources, stored_resource_text
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.application.viewers import Viewer


async def create_resource(
    store: Store, request: ResourceRequest, viewer: Viewer, *, resource_id: str, now: datetime
) -> str:
    """Conflict if its ven is not there (or another's), or has one of that name."""
    check_speaker(request, viewer)
    async with store.unit_of_work() as uow:
        await uow.alone()
        party = await _owner(uow, request, viewer)
        await _refuse_namesake(uow, party, request.name)
        stored = StoredResource(
            id=resource_id,
            party_id=party.id,
            name=request.name,
            targets=request.targets,
            document=request.document,
            created_at=now,
            modified_at=now,
        )
        await uow.resources.add(stored)
        await _owe(uow, party.id, stored.targets, (), now)
        await note_resources(uow, Operation.CREATE, [stored], party, now)
        await uow.audit.append(_entry(now, viewer, "create resource", stored))
    return stored_resource_text(stored, party)


async def replace_resource(
    store: Store, resource_id: str, request: ResourceRequest, viewer: Viewer, now: datetime
) -> str:
    """The resource under this description; it keeps its ven, and a ven does not change its targets."""
    check_speaker(request, viewer)
    async with store.unit_of_work() as uow:
        await uow.alone()
        before, party = await _resource(uow, resource_id, viewer)
        if request.ven_id not in {None, before.party_id}:
            raise Conflict("a resource stays its ven's: delete it, and create another")
        _check_client(request, party)
        if request.name != before.name:
            await _refuse_namesake(uow, party, request.name)
        stored = replace(
            before,
            name=request.name,
            targets=request.targets if request.by_business else before.targets,
            document=request.document,
            modified_at=now,
        )
        await uow.resources.replace(stored)
        await _owe(uow, party.id, stored.targets, before.targets, now)
        await note_resources(uow, Operation.UPDATE, [stored], party, now)
        await uow.audit.append(_entry(now, viewer, "replace resource", stored))
    return stored_resource_text(stored, party)


async def remove_resource(store: Store, resource_id: str, viewer: Viewer, now: datetime) -> str:
    """The resource as it was; what was reported of it stays."""
    async with store.unit_of_work() as uow:
        await uow.alone()
        stored, party = await _resource(uow, resource_id, viewer)
        await uow.resources.remove(stored)
        await _owe(uow, party.id, (), stored.targets, now)
        await note_resources(uow, Operation.DELETE, [stored], party, now)
        await uow.audit.append(_entry(now, viewer, "remove resource", stored))
    return stored_resource_text(stored, party)


async def resource_seen(store: Store, resource_id: str, viewer: Viewer) -> str:
    async with store.view() as view:
        stored, party = await _resource(view, resource_id, viewer)
    return stored_resource_text(stored, party)


async def resources_seen(
    store: Store,
    viewer: Viewer,
    page: Page,
    *,
    targets: tuple[str, ...] = (),
    ven_id: str | None = None,
    name: str | None = None,
) -> Listed[str]:
    """The oldest first, as JSON texts; a ven sees its own."""
    if not viewer.is_business and viewer.party is None:
        return Listed(items=[], total=0)
    of = ResourceFilter(wanted=frozenset(targets) or None, party_id=viewer.party_id, ven_id=ven_id, name=name)
    async with store.view() as view:
        found = await view.resources.page(of, page)
        total = await view.resources.count(of)
        parties = {party.id: party for party in await view.parties.by_ids({stored.party_id for stored in found})}
    return Listed(items=[stored_resource_text(stored, parties[stored.party_id]) for stored in found], total=total)


async def _owner(uow: UnitOfWork, request: ResourceRequest, viewer: Viewer) -> Party:
    """Interpretation: a ven that is another's is answered as one that is not there, so that nobody learns of it."""
    ven_id = request.ven_id or viewer.party_id
    party = None if ven_id is None else await uow.parties.by_id(ven_id)
    own = viewer.is_business or ven_id == viewer.party_id
    if party is None or party.state is not PartyState.APPROVED or not own:
        raise Conflict(f"there is no ven {ven_id}" if ven_id else "this client has no ven")
    _check_client(request, party)
    return party


async def _resource(uow: UnitOfWork, resource_id: str, viewer: Viewer) -> tuple[StoredResource, Party]:
    """NotFound for another's resource, as for one that is not there."""
    stored = await uow.resources.by_id(resource_id)
    if stored is not None and (viewer.is_business or stored.party_id == viewer.party_id):
        party = await uow.parties.by_id(stored.party_id)
        if party is not None:
            return stored, party
    raise NotFound(f"there is no resource {resource_id}")


def _check_client(request: ResourceRequest, party: Party) -> None:
    if request.client_id not in {None, client_id_of(party)}:
        raise Conflict("clientID: is not that of the resource's ven")


async def _refuse_namesake(uow: UnitOfWork, party: Party, name: str) -> None:
    if any(stored.name == name for stored in await uow.resources.of_parties([party.id])):
        raise Conflict(f"this ven has a resource called {name} already")


async def _owe(
    uow: UnitOfWork, party_id: str, targets: tuple[str, ...], before: tuple[str, ...], now: datetime
) -> None:
    """What a ven is granted through a resource makes other events its own, and may take some away."""
    if set(targets) != set(before) and (party := await uow.parties.by_id(party_id)) is not None:
        await owe_current(uow, party, now)


def _entry(now: datetime, viewer: Viewer, action: str, stored: StoredResource) -> AuditEntry:
    return AuditEntry(at=now, actor=viewer.actor, action=action, subject=stored.id, detail=f"of {stored.party_id}")
