"""A party's own view of what it is owed: events with their rows in its ledger."""

from datetime import datetime

from openadr_core.model.party import Party
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import Due, owed
from openadr_vtn.domain.targeting import dues


async def dues_of(uow: UnitOfWork, party_id: str, now: datetime) -> list[Due]:
    """Every current event that the party is or was to know, at its latest version."""
    events = [stored.event for stored in await uow.events.current(now)]
    rows = await uow.deliveries.of_party(party_id, [event.id for event in events])
    return owed(events, rows)


async def owe_current(uow: UnitOfWork, party: Party, now: datetime) -> None:
    """Owe a party the current events that it came to be entitled to after they were written."""
    current = [stored.event for stored in await uow.events.current(now) if stored.event.cancelled_at is None]
    rows = await uow.deliveries.of_party(party.id, [event.id for event in current])
    programs = {stored.program.id: stored.program for stored in await uow.programs.all()}
    new = [
        due
        for event in current
        for due in dues(
            event, programs[event.program_id], [party], (row for row in rows if row.event_id == event.id), now
        )
    ]
    await uow.deliveries.owe(new)
