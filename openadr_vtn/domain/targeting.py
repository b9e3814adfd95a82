"""Whom an event is for, and what each of them is owed because of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party, PartyState
from openadr_core.model.program import Program
from openadr_core.model.target import audience_of
from openadr_vtn.domain.delivery import Delivery, newest
from openadr_vtn.domain.visibility import Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Parties of IEEE 2030.5, by id: whether an event is for one is a matter of its devices."""

    speakers: frozenset[str] = frozenset()
    """Those that have devices."""
    hearing: frozenset[str] = frozenset()
    """Those of which a device is told of the event."""


NOBODY = Listeners()


def is_for(event: DrEvent, program: Program, party: Party) -> bool:
    """An approved party of the program that the event addresses; whether it is registered yet does not matter.

    A party that registered for reports alone does no events (2.0b 7.2.2). To a ven of OpenADR 3 an event is what
    it sees, and there an event is seen by its own targets, whatever its program's are.
    """
    if party.state is not PartyState.APPROVED:
        return False
    if not party.certificates:
        return Sight(granted=party.granted).sees(audience_of(event.targets))
    if not event.signals:
        # Nothing of it can be said in 2.0b.
        return False
    if party.registration is not None and party.registration.report_only:
        return False
    return party.is_addressed_by(program.targets) and party.share_of(event.targets) is not None


def dues(
    event: DrEvent,
    program: Program,
    parties: Iterable[Party],
    earlier: Iterable[Delivery],
    now: datetime,
    *,
    listeners: Listeners = NOBODY,
) -> Iterator[Delivery]:
    """What these parties must be told of the event and is not in the ledger yet.

    ``earlier`` are the event's rows that are there. A party that was told of the event, and that it is not for (any
    more), must hear that it is rid of it; a cancelled event is no news to whom it was never told.
    """
    last_news = {party_id: row for (_, party_id), row in newest(earlier).items()}
    for party in parties:
        last = last_news.get(party.id)
        entitled = is_owed(event, program, party, listeners)
        if last is None:
            if entitled and event.cancelled_at is None:
                yield _delivery(event, party, event.version, now, withdrawn=False)
        elif entitled and (last.withdrawn or last.event_version < event.version):
            yield _delivery(event, party, max(event.version, last.version + 1), now, withdrawn=False)
        elif not entitled and not last.withdrawn:
            yield _delivery(event, party, max(event.version, last.version + 1), now, withdrawn=True)


def is_owed(event: DrEvent, program: Program, party: Party, listeners: Listeners) -> bool:
    """Whether the event is for the party in any protocol that it speaks.

    Interpretation: a party with devices of 2030.5 speaks 2.0b as well if it has registered there, and else not.
    """
    if party.id in listeners.hearing:
        return party.state is PartyState.APPROVED
    if party.id in listeners.speakers and party.registration is None:
        return False
    return is_for(event, program, party)


def _delivery(event: DrEvent, party: Party, version: int, now: datetime, *, withdrawn: bool) -> Delivery:
    return Delivery(
        event_id=event.id,
        version=version,
        event_version=event.version,
        party_id=party.id,
        entitled_at=now,
        withdrawn=withdrawn,
    )
