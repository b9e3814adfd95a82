"""Enrolment by an operator: who is let in, under which name and certificate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from openadr_core.errors import Conflict, NotFound
from openadr_core.identity import Peer
from openadr_core.model.party import Party, PartyState, SignatureRule
from openadr_vtn.application.handlers import errands
from openadr_vtn.application.outbox import owe_current
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.domain.enrolment import (
    approved,
    certificate_of,
    preconfigured,
    refused,
    registered_out_of_band,
    with_certificate,
)
from openadr_vtn.domain.errand import ErrandKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconfiguration:
    """What an operator knows of a party before it ever connects."""

    peer: Peer
    name: str
    targets: tuple[str, ...]
    poll_interval: timedelta
    party_id: str | None = None
    """The venID that was agreed on; None: one of ours."""
    registration_id: str | None = None
    """Where the registration was agreed on too, and will not come over the wire."""


async def parties(store: Store, state: PartyState | None = None) -> list[Party]:
    async with store.view() as view:
        return await view.parties.all(state)


async def approve_party(
    store: Store,
    named: str,
    *,
    actor: str,
    now: datetime,
    name: str | None = None,
    targets: tuple[str, ...] | None = None,
) -> Party:
    """Let a party in: from now on it is owed every current event that addresses it.

    ``named`` is its id, its name or a fingerprint of its certificate. Conflict if the new name is another's.
    """
    async with store.unit_of_work() as uow:
        # First of all: what it is owed is read beside what is being published (see UnitOfWork.alone).
        await uow.alone()
        party = approved(await party_named(uow, named), name=name, targets=targets)
        other = await uow.parties.by_name(party.name)
        if other is not None and other.id != party.id:
            raise Conflict(f"another party is called {party.name}")
        await uow.parties.save(party)
        await owe_current(uow, party, now)
        await uow.audit.append(_entry(now, actor, "approve party", party, f"as {party.name}"))
    return party


async def preconfigure_party(
    store: Store, known: Preconfiguration, *, actor: str, new_id: Callable[[], str], now: datetime
) -> Party:
    """A party that is let in before it connects (2.0b R402, R405): owed every current event that addresses it.

    Conflict if its id, its name or its certificate is another's. A pending party that came with the
    certificate was this one: it is closed.
    """
    async with store.unit_of_work() as uow:
        await uow.alone()
        party = preconfigured(
            known.peer,
            party_id=known.party_id or new_id(),
            name=known.name,
            targets=known.targets,
            poll_interval=known.poll_interval,
            now=now,
        )
        if await uow.parties.by_id(party.id) is not None:
            raise Conflict(f"another party has the id {party.id}")
        if await uow.parties.by_name(party.name) is not None:
            raise Conflict(f"another party is called {party.name}")
        await _free_certificate(uow, party, known.peer.certificate_sha256, actor, now)
        if known.registration_id is not None:
            party = registered_out_of_band(party, known.registration_id, now)
        await uow.parties.add(party)
        if party.registration is not None:
            await errands.owe(uow, party.id, ErrandKind.REGISTER_REPORT, new_id=new_id, now=now)
        await owe_current(uow, party, now)
        await uow.audit.append(_entry(now, actor, "preconfigure party", party, f"as {party.name}"))
    return party


async def change_poll_interval(
    store: Store, named: str, interval: timedelta, *, actor: str, new_id: Callable[[], str], now: datetime
) -> Party:
    """Ask a party to poll so often (2.0b R403). A registered one is asked to register again, and told then."""
    async with store.unit_of_work() as uow:
        party = replace(await party_named(uow, named), poll_interval=interval)
        await uow.parties.save(party)
        if party.registration is not None:
            await errands.owe(uow, party.id, ErrandKind.REQUEST_REREGISTRATION, new_id=new_id, now=now)
        detail = f"{interval.total_seconds():g} s"
        await uow.audit.append(_entry(now, actor, "change poll interval", party, detail))
    return party


async def enrol_power(store: Store, named: str, power_w: float | None, *, actor: str, now: datetime) -> Party:
    """Write down what power its owner has signed up for; None: nobody knows."""
    async with store.unit_of_work() as uow:
        party = replace(await party_named(uow, named), enrolled_w=power_w)
        await uow.parties.save(party)
        detail = "unknown" if power_w is None else f"{power_w:g} W"
        await uow.audit.append(_entry(now, actor, "enrol power", party, detail))
    return party


async def refuse_party(store: Store, named: str, *, actor: str, reason: str, now: datetime) -> Party:
    """Shut a party out, at once; its registration ends."""
    async with store.unit_of_work() as uow:
        party = refused(await party_named(uow, named))
        await uow.parties.save(party)
        await uow.audit.append(_entry(now, actor, "refuse party", party, reason))
    return party


async def deny_certificates(
    store: Store, named: str, sha256: str | None, *, actor: str, reason: str, now: datetime
) -> Party:
    """Put a party's certificate on the deny-list, or all of them: for good, and at once, also where it is connected.

    A certificate whose key was stolen does not get better: the party comes back with another one.
    NotFound if the party has none such.
    """
    async with store.unit_of_work() as uow:
        party = await party_named(uow, named)
        digits = None if sha256 is None else sha256.replace(":", "").lower()
        wanted = [one for one in party.certificates if digits in {None, one.sha256}]
        if not wanted:
            raise NotFound(f"{party.name} has no such certificate")
        for one in wanted:
            await uow.parties.deny(one.sha256, reason, now)
            await uow.audit.append(_entry(now, actor, "deny certificate", party, f"{one.sha256} {reason}".strip()))
        party = await party_named(uow, party.id)
        await uow.parties.save(party)
    return party


async def replace_certificate(store: Store, named: str, peer: Peer, *, actor: str, keep: bool, now: datetime) -> Party:
    """Give a party another certificate; with ``keep`` the one it has counts too, until the next change.

    A pending party that came with that certificate was this one: it is closed. Conflict if the
    certificate is that of a party which an operator has decided on.
    """
    certificate = certificate_of(peer, now)
    async with store.unit_of_work() as uow:
        party = await party_named(uow, named)
        await _free_certificate(uow, party, certificate.sha256, actor, now)
        party = with_certificate(party, certificate, keep=keep)
        await uow.parties.save(party)
        await uow.audit.append(_entry(now, actor, "replace certificate", party, certificate.sha256))
    return party


async def choose_signatures(
    store: Store, named: str, rule: SignatureRule | None, *, actor: str, now: datetime
) -> Party:
    """Say whether a party signs its messages; None: as the deployment says."""
    async with store.unit_of_work() as uow:
        party = replace(await party_named(uow, named), signatures=rule)
        await uow.parties.save(party)
        await uow.audit.append(_entry(now, actor, "choose signatures", party, rule.value if rule else "default"))
    return party


async def party_named(uow: UnitOfWork, named: str) -> Party:
    """The party with this id, or else with this name, or else with this certificate (by any of its fingerprints)."""
    party = await uow.parties.by_id(named) or await uow.parties.by_name(named)
    if party is not None:
        return party
    digits = named.replace(":", "").lower()
    found = [party for party in await uow.parties.all() if digits in _fingerprints(party)]
    if len(found) != 1:
        raise NotFound(f"there is no party {named}" if not found else f"{named} fits {len(found)} parties")
    return found[0]


async def _free_certificate(uow: UnitOfWork, party: Party, sha256: str, actor: str, now: datetime) -> None:
    """Take the certificate from a party that only came with it; Conflict if an operator gave it to another."""
    if await uow.parties.is_denied(sha256):
        raise Conflict("that certificate is on the deny-list")
    holder = await uow.parties.by_certificate(sha256)
    if holder is None or holder.id == party.id:
        return
    if holder.state is not PartyState.PENDING:
        raise Conflict(f"that certificate is party {holder.name}'s")
    await uow.parties.save(replace(refused(holder), certificates=()))
    await uow.audit.append(_entry(now, actor, "close party", holder, f"its certificate is {party.name}'s"))


def _fingerprints(party: Party) -> set[str]:
    return {
        text.replace(":", "").lower()
        for certificate in party.certificates
        for text in (certificate.sha256, certificate.fingerprint_20b, certificate.lfdi)
    }


def _entry(now: datetime, actor: str, action: str, party: Party, detail: str) -> AuditEntry:
    return AuditEntry(at=now, actor=actor, action=action, subject=party.id, detail=detail)
