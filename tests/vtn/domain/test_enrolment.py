"""Who is let in is an operator's word; a registration is the party's own, and the same wish gets the same answer."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import UnknownReference, Unsupported, WrongState
from openadr_core.identity import peer_of
from openadr_core.model.party import Party, PartyState
from openadr_vtn.domain import enrolment
from openadr_vtn.domain.enrolment import RegistrationWish
from tests.vtn.samples import a_certificate, a_party, a_peer

WISH = RegistrationWish(
    registration_id=None,
    profile="2.0b",
    transport="simpleHttp",
    pull=True,
    report_only=False,
    xml_signature=False,
    transport_address="",
)


@pytest.fixture
def party(now: datetime) -> Party:
    return a_party(now, registered=False)


def test_every_state_takes_every_word() -> None:
    assert set(enrolment.TRANSITIONS) == {(state, word) for state in PartyState for word in ("approve", "refuse")}


def test_a_newcomer_waits(now: datetime) -> None:
    party = enrolment.newcomer(a_peer(), party_id="p", name="n", poll_interval=timedelta(seconds=2), now=now)
    assert (party.state, party.certificates) == (PartyState.PENDING, (a_certificate(now),))


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("CN=ven-one,O=Test", "ven-one"),
        ("O=Test,CN=ven one", "ven one"),
        (r"CN=Smith\, Sons \+ Co,O=X", "Smith, Sons + Co"),
        ("CN=evil\x1b[2Jname", "evil[2Jname"),
        ("CN=" + "x" * 300, "x" * 64),
    ],
)
def test_a_newcomer_is_called_by_its_common_name(subject: str, name: str) -> None:
    assert enrolment.names_of(replace(a_peer(), subject=subject))[0] == name


@given(st.text())
def test_any_subject_gives_two_different_printable_names(subject: str) -> None:
    peer = peer_of(b"x", subject=subject)
    first, second = enrolment.names_of(peer)
    assert first
    assert (first + second).isprintable()
    assert peer.fingerprint_20b in second


def test_refusal_ends_the_registration(now: datetime) -> None:
    gone = enrolment.refused(a_party(now))
    assert (gone.state, gone.registration) == (PartyState.REFUSED, None)
    assert enrolment.approved(gone, name="again", targets=("t",)).state is PartyState.APPROVED


@pytest.mark.openadr20b("G11")
def test_certificates_are_replaced_or_rotated(now: datetime, party: Party) -> None:
    old, new, third = (a_certificate(now, name) for name in ("ven-one", "new", "third"))
    assert enrolment.with_certificate(party, new, keep=False).certificates == (new,)
    rotating = enrolment.with_certificate(party, new, keep=True)
    assert rotating.certificates == (old, new)
    assert enrolment.with_certificate(rotating, third, keep=True).certificates == (new, third)
    assert enrolment.with_certificate(rotating, new, keep=False).certificates == (new,)
    assert enrolment.with_certificate(rotating, new, keep=True) == rotating


@pytest.mark.openadr20b("R406", "G6", "T10")
def test_the_same_wish_twice_gets_the_same_registration(now: datetime, party: Party) -> None:
    once, new = enrolment.registered(party, WISH, new_id="r1", now=now)
    assert new
    twice, new_again = enrolment.registered(once, WISH, new_id="r2", now=now)
    assert new_again
    assert once == twice


@pytest.mark.openadr20b("R405", "G5")
def test_a_registration_changes_under_its_own_id(now: datetime, party: Party) -> None:
    first, _ = enrolment.registered(party, WISH, new_id="r1", now=now)
    later = now + timedelta(hours=1)
    wish = replace(WISH, registration_id="r1", report_only=True)
    changed, new = enrolment.registered(first, wish, new_id="r2", now=later)
    assert not new
    assert first.registration is not None
    assert changed.registration == replace(first.registration, report_only=True)


@pytest.mark.openadr20b("R400", "R407", "R512", "G7", "G10")
@pytest.mark.parametrize("wrong", ["r2", "R1", "r1 "])
def test_another_registration_id_is_unknown(now: datetime, party: Party, wrong: str) -> None:
    first, _ = enrolment.registered(party, WISH, new_id="r1", now=now)
    for attempt in (party, first):
        with pytest.raises(UnknownReference):
            enrolment.registered(attempt, replace(WISH, registration_id=wrong), new_id="r3", now=now)
        with pytest.raises(UnknownReference):
            enrolment.unregistered(attempt, wrong)
    assert enrolment.unregistered(first, "r1") == party


@pytest.mark.parametrize("unlike", [{"profile": "2.0a"}, {"transport": "xmpp"}])
def test_what_is_not_done_here_is_refused(now: datetime, party: Party, unlike: dict[str, str | bool]) -> None:
    with pytest.raises(Unsupported):
        enrolment.registered(party, replace(WISH, **unlike), new_id="r1", now=now)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [PartyState.PENDING, PartyState.REFUSED])
def test_only_an_approved_party_registers(now: datetime, party: Party, state: PartyState) -> None:
    with pytest.raises(WrongState):
        enrolment.registered(replace(party, state=state), WISH, new_id="r1", now=now)
