"""Programs and events as a client of OpenADR 3.1 sees them, and what its reading of an event leaves in the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from openadr_core.errors import NotFound
from openadr_core.model.target import audience_of, names_of
from openadr_core.oadr3.encode import shown_text
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.handlers.events import live_event
from openadr_vtn.application.handlers.publication import publish_ahead
from openadr_vtn.application.oadr3_ports import EventFilter, Page, ProgramFilter
from openadr_vtn.application.ports import Store, StoredEvent, StoredProgram, UnitOfWork
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.delivery import Delivery, Key, newest
from openadr_vtn.domain.visibility import Sight

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    items: Sequence[T]
    total: int
    """How many there are, on all pages."""
    is_all: bool = True
    """Whether that is all; else there are more, and nobody has counted them."""


async def programs_seen(
    store: Store, viewer: Viewer, page: Page, *, targets: tuple[str, ...] = (), name: str | None = None
) -> Listed[str]:
    """The newest first, as JSON texts."""
    sight = viewer.sight(targets)
    of = ProgramFilter(wanted=sight.wanted, name=name)
    async with store.view() as view:
        found = await view.programs.page(of, page)
        total = await view.programs.count(of)
    return Listed(items=[program_text(stored, sight) for stored in found], total=total)


async def program_seen(store: Store, viewer: Viewer, program_id: str) -> str:
    """NotFound for one that the client may not see, as for one that is not there."""
    async with store.view() as view:
        stored = await view.programs.by_id(program_id)
    sight = viewer.sight_of_one
    if stored is None or not sight.sees(stored.program.targets):
        raise NotFound(f"there is no program {program_id}")
    return program_text(stored, sight)


async def events_seen(
    store: Store,
    viewer: Viewer,
    page: Page,
    *,
    now: datetime,
    targets: tuple[str, ...] = (),
    program_id: str | None = None,
    active: bool | None = None,
) -> Listed[str]:
    """The highest priority first, as JSON texts; ``active``: those that have not transpired."""
    sight = viewer.sight(targets)
    over = None if active is None else not active
    of = EventFilter(wanted=sight.wanted, program_id=program_id, over=over, at=now)
    async with store.view() as view:
        found = await view.events.page(of, page)
        total = await view.events.count(of)
    await _note_fetched(store, viewer, found, now)
    return Listed(items=[event_text(stored, sight) for stored in found], total=total)


async def event_seen(store: Store, viewer: Viewer, event_id: str, now: datetime) -> str:
    """NotFound for one that the client may not see, as for one that is not there."""
    sight = viewer.sight_of_one
    async with store.view() as view:
        stored = await live_event(view, event_id)
    if not sight.sees(audience_of(stored.event.targets)):
        raise NotFound(f"there is no event {event_id}")
    await _note_fetched(store, viewer, [stored], now)
    return event_text(stored, sight)


def program_text(stored: StoredProgram, sight: Sight) -> str:
    program = stored.program
    return shown_text(
        ObjectKind.PROGRAM, program.id, stored.created_at, stored.modified_at, stored.document,
        targets=program.targets, shown=sight.shown(program.targets),
    )  # fmt: skip


def event_text(stored: StoredEvent, sight: Sight) -> str:
    event, names = stored.event, names_of(stored.event.targets)
    return shown_text(
        ObjectKind.EVENT, event.id, event.created_at, event.modified_at, stored.document,
        targets=names, shown=sight.shown(names),
    )  # fmt: skip


async def _note_fetched(store: Store, viewer: Viewer, seen: Sequence[StoredEvent], now: datetime) -> None:
    """The ledger's facts about a ven that comes and reads: the first time it was told an event's version, it has it.

    Thousands come and read when an event was written: what is noted of them shares commits.
    """
    party_id, event_ids = viewer.party_id, [stored.event.id for stored in seen]
    if party_id is None or not seen:
        return
    async with store.view() as view:
        ahead = {fan_out.event_id for fan_out in await view.fan_outs.all()}.intersection(event_ids)
        keys = _unread(await view.deliveries.of_parties([party_id], event_ids))

    async def note(uow: UnitOfWork) -> None:
        await publish_ahead(uow, party_id, ahead)
        there = _unread(await uow.deliveries.of_parties([party_id], event_ids)) if ahead else keys
        await uow.deliveries.mark_pushed(party_id, there, now)

    if ahead or keys:
        await store.together(party_id, note)


def _unread(rows: Sequence[Delivery]) -> list[Key]:
    news = [row for row in newest(rows).values() if row.fetched_at is None and not row.withdrawn]
    return [(row.event_id, row.version) for row in news]
