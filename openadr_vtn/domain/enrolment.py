"""Who becomes a party, by which certificate, and what a registration is: states and rules."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from openadr_core.errors import RuleBroken, UnknownReference, Unsupported, WrongState
from openadr_core.identity import Peer
from openadr_core.model.party import Certificate, Party, PartyState, Registration
from openadr_vtn.domain.pushing import push_address

NAME_MAX_CHARS = 64
COMMON_NAME = re.compile(r"(?:^|[,+])CN=((?:[^,+\\]|\\.)*)")
"""In the text of a subject, as RFC 4514 writes it."""
ESCAPED = re.compile(r"\\(.)")

TRANSITIONS: dict[tuple[PartyState, str], PartyState] = {
    (PartyState.PENDING, "approve"): PartyState.APPROVED,
    (PartyState.PENDING, "refuse"): PartyState.REFUSED,
    (PartyState.APPROVED, "approve"): PartyState.APPROVED,
    (PartyState.APPROVED, "refuse"): PartyState.REFUSED,
    (PartyState.REFUSED, "approve"): PartyState.APPROVED,
    (PartyState.REFUSED, "refuse"): PartyState.REFUSED,
}
"""What an operator may do to a party, and what it is then. Done twice, it is as done once."""


def certificate_of(peer: Peer, now: datetime) -> Certificate:
    return Certificate(
        sha256=peer.certificate_sha256,
        fingerprint_20b=peer.fingerprint_20b,
        lfdi=peer.lfdi,
        subject=peer.subject,
        first_seen_at=now,
        ends_at=peer.ends_at,
    )


def with_end_of(party: Party, peer: Peer) -> Party:
    """The party, once its certificate has been seen of which only the fingerprint was known."""
    seen = (
        replace(one, ends_at=peer.ends_at) if one.sha256 == peer.certificate_sha256 and one.ends_at is None else one
        for one in party.certificates
    )
    return replace(party, certificates=tuple(seen))


def newcomer(peer: Peer, *, party_id: str, name: str, poll_interval: timedelta, now: datetime) -> Party:
    """A party that waits for an operator. Its name is for eyes: it grants nothing until it is approved."""
    return Party(
        id=party_id,
        name=name,
        state=PartyState.PENDING,
        certificates=(certificate_of(peer, now),),
        first_seen_at=now,
        poll_interval=poll_interval,
    )


def names_of(peer: Peer) -> tuple[str, str]:
    """What to call a newcomer: by its certificate's common name, or, where that is taken, by more than it."""
    found = COMMON_NAME.search(peer.subject)
    plain = ESCAPED.sub(r"\1", found[1]) if found else ""
    shown = "".join(character for character in plain if character.isprintable())[:NAME_MAX_CHARS].strip()
    return shown or peer.fingerprint_20b, f"{shown} {peer.fingerprint_20b}".strip()


def approved(party: Party, *, name: str | None = None, targets: tuple[str, ...] | None = None) -> Party:
    """The party, let in; under another name and with other targets where they are given.

    RuleBroken for a name that would show as another than it is: with control or bidirectional characters.
    """
    if name is not None and not name.isprintable():
        raise RuleBroken("name: holds a character that does not show (a control or a change of direction)")
    return replace(
        party,
        state=TRANSITIONS[party.state, "approve"],
        name=party.name if name is None else name,
        targets=party.targets if targets is None else targets,
    )


def preconfigured(
    peer: Peer, *, party_id: str, name: str, targets: tuple[str, ...], poll_interval: timedelta, now: datetime
) -> Party:
    """A party that an operator lets in before it ever connects, under a venID of the operator's (2.0b R402, R405).

    RuleBroken for a name that would show as another than it is.
    """
    known = newcomer(peer, party_id=party_id, name=name, poll_interval=poll_interval, now=now)
    return approved(known, name=name, targets=targets)


def registered_out_of_band(party: Party, registration_id: str, now: datetime) -> Party:
    """The party with a registration that was agreed on without a word on the wire (2.0b R405)."""
    registration = Registration(
        registration_id=registration_id,
        profile="2.0b",
        transport="simpleHttp",
        pull=True,
        report_only=False,
        xml_signature=False,
        registered_at=now,
    )
    return replace(party, registration=registration)


def refused(party: Party) -> Party:
    """The party, shut out; nothing that it registered stays."""
    return replace(party, state=TRANSITIONS[party.state, "refuse"], registration=None)


def closed(party: Party) -> Party:
    """The party, shut out for good: whoever comes next may have its name and be its client."""
    return replace(refused(party), name=f"{party.name} (removed {party.id})", client_id=None, document="{}")


def with_certificate(party: Party, certificate: Certificate, *, keep: bool) -> Party:
    """The party under a new certificate; it keeps the ones it has while it rotates, if asked.

    A venID has one fingerprint at a time (2.0b 10.5.1): two are a rotation that an operator ends.
    """
    if any(one.sha256 == certificate.sha256 for one in party.certificates):
        kept = party.certificates if keep else tuple(c for c in party.certificates if c.sha256 == certificate.sha256)
        return replace(party, certificates=kept)
    kept = party.certificates[-1:] if keep else ()
    return replace(party, certificates=(*kept, certificate))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWish:
    """What a party asks for when it registers."""

    registration_id: str | None
    profile: str
    transport: str
    pull: bool
    report_only: bool
    xml_signature: bool
    transport_address: str


def registered(party: Party, wish: RegistrationWish, *, new_id: str, now: datetime) -> tuple[Party, bool]:
    """The party, registered, and whether the registration is a new one.

    With the id of the registration that is there it is changed (2.0b 8.4.1); without one it begins
    anew, under the same id (R406): a wish that comes twice because its answer was lost gets the
    same answer twice.
    """
    if party.state is not PartyState.APPROVED:
        raise WrongState(f"party {party.id} is {party.state}")
    if wish.profile != "2.0b" or wish.transport != "simpleHttp":
        raise Unsupported("only profile 2.0b over simpleHttp is done here")
    # Where a party that polls could be reached is nothing to us.
    address = "" if wish.pull else push_address(wish.transport_address)
    current = party.registration
    if wish.registration_id and (current is None or wish.registration_id != current.registration_id):
        raise UnknownReference("the registrationID is not the one that was given", clause="R400")
    registration = Registration(
        registration_id=new_id if current is None else current.registration_id,
        profile=wish.profile,
        transport=wish.transport,
        pull=wish.pull,
        report_only=wish.report_only,
        xml_signature=wish.xml_signature,
        registered_at=current.registered_at if current is not None and wish.registration_id else now,
        transport_address=address,
    )
    return replace(party, registration=registration), not wish.registration_id


def unregistered(party: Party, registration_id: str) -> Party:
    """The party without its registration (2.0b R407)."""
    if party.registration is None or party.registration.registration_id != registration_id:
        raise UnknownReference("the registrationID is not the one that was given", clause="R400")
    return replace(party, registration=None)
