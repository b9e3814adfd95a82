"""Whom an event is for, and what each of them is owed because of it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party, PartyState
from openadr_core.model.program import Program
from openadr_vtn.domain.delivery import Delivery


def is_for(event: DrEvent, program: Program, party: Party) -> bool:
    """An approved party of the program that the event addresses; whether it is registered yet does not matter.

    A party that registered for reports alone does no events (2.0b 7.2.2).
    """
    if party.state is not PartyState.APPROVED:
        return False
    if party.registration is not None and party.registration.report_only:
        return False
    return party.is_addressed_by(program.targets) and party.share_of(event.targets) is not None


def dues(
    event: DrEvent, program: Program, parties: Iterable[Party], earlier: Iterable[Delivery], now: datetime
) -> Iterator[Delivery]:
    """What is owed to these parties for this version of the event and is not in the ledger yet.

    ``earlier`` are the event's rows that are there. A party that had an earlier version, and for
    which this one is not, is owed the news that it is rid of the event.
    """
    newest: dict[str, Delivery] = {}
    for delivery in sorted(earlier, key=lambda one: one.version):
        newest[delivery.party_id] = delivery
    for party in parties:
        last = newest.get(party.id)
        if last is not None and last.version >= event.version:
            continue
        entitled = is_for(event, program, party)
        withdrawn = not entitled and last is not None and not (last.withdrawn and last.answered_at)
        if entitled or withdrawn:
            yield Delivery(
                event_id=event.id, version=event.version, party_id=party.id, entitled_at=now, withdrawn=withdrawn
            )
