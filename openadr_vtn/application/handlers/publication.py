"""What a written event owes to whom: the delivery rows, in the transaction that writes the event."""

from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.program import Program
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.targeting import dues


async def publish(uow: UnitOfWork, event: DrEvent, program: Program, now: datetime) -> int:
    """Owe this version of the event to every party that it is for, or is no longer for; how many they are."""
    await uow.alone()
    owed = list(dues(event, program, await uow.parties.all(), await uow.deliveries.of_event(event.id), now))
    await uow.deliveries.owe(owed)
    return len(owed)
