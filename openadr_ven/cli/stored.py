"""The agent's store, as commands read and write it beside the running agent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openadr_core.errors import NotFound
from openadr_ven.adapters.sql.store import open_migrated
from openadr_ven.application.ports import UnitOfWork
from openadr_ven.domain.held import HeldEvent
from openadr_ven.settings import Settings


@asynccontextmanager
async def stored(settings: Settings) -> AsyncIterator[UnitOfWork]:
    """One transaction on the store that the settings name."""
    store = await open_migrated(settings.store)
    try:
        async with store.unit_of_work() as unit:
            yield unit
    finally:
        await store.close()


async def held_event(unit: UnitOfWork, event_id: str) -> HeldEvent:
    """NotFound if the agent knows no such event."""
    for held in await unit.held_events():
        if held.event.id == event_id:
            return held
    raise NotFound(f"no event {event_id}; `openadr-ven event list` shows them")
