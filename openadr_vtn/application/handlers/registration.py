"""A party registers, changes its registration, and ends it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from openadr_core.errors import WrongState
from openadr_core.model.party import Party
from openadr_vtn.application.handlers import errands
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.domain.enrolment import RegistrationWish, registered, unregistered
from openadr_vtn.domain.errand import ErrandKind

REGISTER = "register party"
UNREGISTER = "unregister party"
END = "end registration"


async def register(
    uow: UnitOfWork, party: Party, wish: RegistrationWish, *, new_id: Callable[[], str], now: datetime
) -> Party:
    """The party as it is registered now.

    A new registration erases what the party had told under an earlier one (2.0b R406).
    """
    await uow.alone()
    party = await uow.parties.by_id(party.id) or party
    after, is_new = registered(party, wish, new_id=new_id(), now=now)
    if is_new:
        # R406; and what was owed under the old registration is owed no more.
        await _erase(uow, after)
        # R301: then it is told which reports we make.
        await errands.owe(uow, after.id, ErrandKind.REGISTER_REPORT, new_id=new_id, now=now)
    if _without_time(after) != _without_time(party):
        await uow.audit.append(_entry(now, after, REGISTER))
    await uow.pushes.forget(after.id)
    await uow.parties.save(after)
    await owe_current(uow, after, now)
    return after


async def unregister(uow: UnitOfWork, party: Party, registration_id: str, *, now: datetime) -> Party:
    """The party without registration, reports and errands (2.0b R407); its events stay owed to it.

    Asked again, because the answer was lost, it does no more; WrongState if there was nothing to end.
    """
    party = await uow.parties.by_id(party.id) or party
    if party.registration is None:
        ended = {entry.detail for entry in await uow.audit.of_subject(party.id, UNREGISTER)}
        if registration_id not in ended:
            raise WrongState("this party is not registered")
        return party
    after = unregistered(party, registration_id)
    await _erase(uow, after)
    await uow.parties.save(after)
    await uow.audit.append(_entry(now, party, UNREGISTER))
    return after


async def cancel_registration(
    store: Store, named: str, *, actor: str, new_id: Callable[[], str], now: datetime
) -> Party:
    """Tell a party that its registration is cancelled (2.0b R407).

    It stays registered until it has confirmed, or has not answered for long enough: it could not be
    told otherwise. WrongState if it is not registered.
    """
    async with store.unit_of_work() as uow:
        party, registration_id = await _registered_party(uow, named)
        await errands.owe(
            uow, party.id, ErrandKind.CANCEL_PARTY_REGISTRATION, content=registration_id, new_id=new_id, now=now
        )
        await uow.audit.append(_by(actor, now, party, "cancel registration"))
    return party


async def request_reregistration(
    store: Store, named: str, *, actor: str, new_id: Callable[[], str], now: datetime
) -> Party:
    """Ask a party to register again, under its registrationID (2.0b 8.4.1). WrongState if it is not registered."""
    async with store.unit_of_work() as uow:
        party, _ = await _registered_party(uow, named)
        await errands.owe(uow, party.id, ErrandKind.REQUEST_REREGISTRATION, new_id=new_id, now=now)
        await uow.audit.append(_by(actor, now, party, "request reregistration"))
    return party


async def end_registration(uow: UnitOfWork, party_id: str, registration_id: str, *, now: datetime) -> bool:
    """What a cancel of ours comes to, when the party has confirmed it or was asked in vain; whether there was one.

    A party that has registered anew meanwhile may go on.
    """
    party = await uow.parties.by_id(party_id)
    if party is None or party.registration is None or party.registration.registration_id != registration_id:
        return False
    await _erase(uow, party)
    await uow.parties.save(replace(party, registration=None))
    await uow.audit.append(AuditEntry(at=now, actor="system", action=END, subject=party.id, detail=registration_id))
    return True


async def _registered_party(uow: UnitOfWork, named: str) -> tuple[Party, str]:
    party = await party_named(uow, named)
    if party.registration is None:
        raise WrongState(f"{party.name} is not registered")
    return party, party.registration.registration_id


async def _erase(uow: UnitOfWork, party: Party) -> None:
    await uow.reports.replace_offers(party.id, [])
    # Interpretation: R407 erases everything about the peer, so its opt schedules too; what it said to events stays,
    # as the events do.
    await uow.availability.clear(party.id)
    await uow.errands.clear(party.id)


def _without_time(party: Party) -> Party:
    if party.registration is None:
        return party
    return replace(party, registration=replace(party.registration, registered_at=party.first_seen_at))


def _by(actor: str, now: datetime, party: Party, action: str) -> AuditEntry:
    return replace(_entry(now, party, action), actor=actor)


def _entry(now: datetime, party: Party, action: str) -> AuditEntry:
    registration = party.registration
    detail = registration.registration_id if registration is not None else ""
    return AuditEntry(at=now, actor=f"party:{party.id}", action=action, subject=party.id, detail=detail)
