"""A party's own view of what it is owed: events with their rows in its ledger."""

from collections.abc import Collection, Sequence
from datetime import datetime

from openadr_core.model.party import Party
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.application.sep2_audience import ALL, gather_anew, listeners_of
from openadr_vtn.domain.delivery import Delivery, Mailbox, owed
from openadr_vtn.domain.errand import Errand
from openadr_vtn.domain.pushing import reminding_of
from openadr_vtn.domain.sep2.registry import EndDevice
from openadr_vtn.domain.targeting import NOBODY, dues


async def mailboxes_of(uow: UnitOfWork, parties: Collection[Party], now: datetime) -> dict[str, Mailbox]:
    """Every current event that each party is or was to know, at its latest version, and its errands; by party id.

    A party that has registered for reports alone is told of no event any more (2.0b 7.2.2).
    """
    party_ids = [party.id for party in parties]
    listening = [party.id for party in parties if party.registration is None or not party.registration.report_only]
    events = [stored.event for stored in await uow.events.current(now)]
    rows: dict[str, list[Delivery]] = {party_id: [] for party_id in party_ids}
    errands: dict[str, list[Errand]] = {party_id: [] for party_id in party_ids}
    for row in await uow.deliveries.of_parties(listening, [event.id for event in events]) if events else ():
        rows[row.party_id].append(row)
    for errand in await uow.errands.of_parties(party_ids):
        errands[errand.party_id].append(errand)
    return {
        party.id: Mailbox(
            reminding=reminding_of(party), dues=tuple(owed(events, rows[party.id])), errands=tuple(errands[party.id])
        )
        for party in parties
    }


async def owe_current(uow: UnitOfWork, party: Party, now: datetime, devices: Sequence[EndDevice] | None = None) -> None:
    """Owe a party the current events that it has come to be entitled to, and the news of those that it has lost.

    ``devices`` of IEEE 2030.5 are those about which something has changed, but for the fact that one has gone; None:
    it may be any of the party's.
    """
    await uow.alone()
    theirs = await uow.registry.devices(party.id, limit=ALL) if devices is None else devices
    await gather_anew(uow, theirs)
    current = [stored.event for stored in await uow.events.current(now) if stored.event.cancelled_at is None]
    if not current:
        return
    rows = await uow.deliveries.of_parties([party.id], [event.id for event in current])
    programs = {stored.program.id: stored.program for stored in await uow.programs.all()}
    new = [
        due
        for event in current
        for due in dues(
            event,
            programs[event.program_id],
            [party],
            (row for row in rows if row.event_id == event.id),
            now,
            listeners=NOBODY if devices is None and not theirs else await listeners_of(uow, event.id),
        )
    ]
    await uow.deliveries.owe(new)
