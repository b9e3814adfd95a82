"""What a written event owes to whom: the delivery rows, in the transaction that writes the event."""

from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.program import Program
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.sep2_audience import listeners_of
from openadr_vtn.domain.targeting import dues


async def publish(uow: UnitOfWork, event: DrEvent, program: Program, now: datetime) -> int:
    """Owe this version of the event to every party that it is for, or is no longer for; how many they are."""
    await uow.alone()
    earlier = await uow.deliveries.of_event(event.id)
    # Of an event that nobody was told yet, vens of OpenADR 3 are owed it as a set, and not looked at one by one.
    is_news = not earlier and event.cancelled_at is None
    parties = await uow.parties.certified() if is_news else await uow.parties.all()
    listeners = await listeners_of(uow, event.id)
    owed = list(dues(event, program, parties, earlier, now, listeners=listeners))
    await uow.deliveries.owe(owed)
    return len(owed) + (await uow.deliveries.owe_vens(event, now) if is_news else 0)
