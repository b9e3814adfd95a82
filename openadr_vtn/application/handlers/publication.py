"""What a written event owes to whom: delivery rows, the first of them in the transaction that writes the event.

The rest follows at once, in transactions of its own, and survives whatever happens in between (:mod:`.fan_out`):
a party polls, and has the event when its row is there, or when it next polls. To write the event again begins
again; a cancel reaches those who were told, and ends it.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.program import Program
from openadr_vtn.application.ports import AuditEntry, UnitOfWork
from openadr_vtn.application.sep2_audience import listeners_of
from openadr_vtn.domain.fan_out import FanOut, Span
from openadr_vtn.domain.targeting import dues

PARTIES_AT_ONCE = 100
"""Looked at before the operator is answered: some milliseconds."""
PARTIES_AT_A_TIME = 400
"""Looked at in one transaction afterwards: some tens of milliseconds."""


async def publish(uow: UnitOfWork, event: DrEvent, program: Program, now: datetime) -> str:
    """Owe this version of the event to every party that it is for, or is no longer for; in words, how far that is."""
    await uow.alone()
    left, owed = await _owe_some(uow, event, program, FanOut(event_id=event.id, at=now), PARTIES_AT_ONCE)
    return f"parties owed: {owed}" if left is None else f"parties owed: {owed} at once, others in a moment"


async def publish_more(uow: UnitOfWork, event_id: str, now: datetime) -> bool:
    """Go on with an event that is owed to more parties, if no other process was faster; whether some are left."""
    await uow.alone()
    fan_out = await uow.fan_outs.of_event(event_id)
    stored = await uow.events.by_id(event_id)
    if fan_out is None or stored is None:
        return False
    program = await uow.programs.by_id(stored.event.program_id)
    if program is None:
        await uow.fan_outs.end(event_id)
        return False
    left, owed = await _owe_some(uow, stored.event, program.program, fan_out, PARTIES_AT_A_TIME)
    if left is None:
        detail = f"parties owed: {owed}"
        await uow.audit.append(
            AuditEntry(at=now, actor="system", action="publish event", subject=event_id, detail=detail)
        )
    return left is not None


async def publish_ahead(uow: UnitOfWork, party_id: str, event_ids: Collection[str]) -> None:
    """Owe events to a party that knows of them before it was its turn: what it does is noted in the ledger."""
    for event_id in sorted(event_ids):
        party = await uow.parties.by_id(party_id) if await uow.fan_outs.of_event(event_id) is not None else None
        if party is not None:
            await _owe_ahead(uow, party, event_id)


async def publish_ahead_to_clients(uow: UnitOfWork, told: Collection[tuple[str, str]]) -> None:
    """The same for vens of OpenADR 3 that were notified: by client id and event id."""
    waiting = {fan_out.event_id for fan_out in await uow.fan_outs.all()}
    for client_id, event_id in sorted(told):
        party = await uow.parties.by_client(client_id) if event_id in waiting else None
        if party is not None:
            await _owe_ahead(uow, party, event_id)


async def _owe_ahead(uow: UnitOfWork, party: Party, event_id: str) -> None:
    fan_out = await uow.fan_outs.of_event(event_id)
    stored = await uow.events.by_id(event_id)
    program = None if stored is None else await uow.programs.by_id(stored.event.program_id)
    if fan_out is None or stored is None or program is None:
        return
    earlier = await uow.deliveries.of_parties([party.id], [event_id])
    listeners = await listeners_of(uow, event_id)
    await uow.deliveries.owe(
        list(dues(stored.event, program.program, [party], earlier, fan_out.at, listeners=listeners))
    )


async def _owe_some(
    uow: UnitOfWork, event: DrEvent, program: Program, fan_out: FanOut, count: int
) -> tuple[FanOut | None, int]:
    """What is left thereafter, and how many deliveries there are by now."""
    upto = await uow.parties.id_after(fan_out.reached, count)
    span = Span(after=fan_out.reached, upto=upto)
    earlier = await uow.deliveries.of_event(event.id, span)
    # Where nobody was told of it yet, vens of OpenADR 3 are owed it as a set, and not looked at one by one.
    is_news = not earlier and event.cancelled_at is None
    parties = await uow.parties.within(span, certified=is_news)
    listeners = await listeners_of(uow, event.id)
    owed = list(dues(event, program, parties, earlier, fan_out.at, listeners=listeners))
    await uow.deliveries.owe(owed)
    vens = await uow.deliveries.owe_vens(event, fan_out.at, span) if is_news else 0
    by_now = fan_out.owed + len(owed) + vens
    if upto is None:
        await uow.fan_outs.end(event.id)
        return None, by_now
    left = replace(fan_out, reached=upto, owed=by_now)
    await uow.fan_outs.put(left)
    return left, by_now
