"""The agent's store, as commands read and write it beside the running agent."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from openadr_core.errors import NotFound
from openadr_ven import bootstrap
from openadr_ven.application.ports import UnitOfWork
from openadr_ven.domain.held import HeldEvent
from openadr_ven.settings import Settings


@asynccontextmanager
async def stored(settings: Settings) -> AsyncIterator[UnitOfWork]:
    """One transaction on the store that the settings name."""
    async with AsyncExitStack() as parts:
        store = await bootstrap.open_store(settings, parts)
        async with store.unit_of_work() as unit:
            yield unit


async def held_event(unit: UnitOfWork, event_id: str) -> HeldEvent:
    """NotFound if the agent knows no such event."""
    for held in await unit.held_events():
        if held.event.id == event_id:
            return held
    raise NotFound(f"no event {event_id}; `openadr-ven event list` shows them")
