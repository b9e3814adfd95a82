"""Which addresses are pushed to, when it is tried again, and what is not said twice: without a store or a socket."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.errors import RemoteProtocolError
from openadr_core.model.party import PartyState
from openadr_vtn.domain.delivery import Delivery, Due, Mailbox
from openadr_vtn.domain.errand import Errand, ErrandKind
from openadr_vtn.domain.pushing import (
    PushState,
    delivered,
    failed,
    is_pushed_to,
    mark_of,
    next_push_at,
    push_address,
    takeable,
)
from tests.vtn.samples import a_party, a_registration, an_event

LONGEST = timedelta(seconds=60)


@pytest.mark.openadr20b("R402", "T12", "G2")
@pytest.mark.parametrize(
    "address",
    [
        "https://ven.example",
        "https://ven.example/",
        "https://ven.example:8443/myVEN/",
        "https://192.0.2.7:8443/",
        "https://[2001:db8::7]:8443/a/b",
        "HTTPS://Ven.Example/OpenADR2/Simple/2.0b",
    ],
)
def test_an_address_is_a_host_and_a_prefix(address: str) -> None:
    assert push_address(address) == address


@pytest.mark.openadr20b("R402", "T12", "R67")
@pytest.mark.parametrize(
    "address",
    [
        "", "ven.example", "http://ven.example/", "https://", "https:///path", "file:///etc/passwd",
        "ven@xmpp.example/client", "https://user@ven.example/", "https://user:secret@ven.example/",
        "https://ven.example/?query", "https://ven.example/#fragment", "https://ven.example:99999/",
        "https://ven.example:0/", "https://ven.example:port/", "https://ven .example/", "https://ven.example/\n",
        "https://vén.example/", "https://[::1/", f"https://ven.example/{'x' * 500}",
    ],
)  # fmt: skip
def test_anything_else_is_invalid_data(address: str) -> None:
    with pytest.raises(RemoteProtocolError):
        push_address(address)


def test_who_is_pushed_to(now: datetime) -> None:
    party = a_party(now, registration=replace(a_registration(now), pull=False))
    assert is_pushed_to(party)
    assert not is_pushed_to(a_party(now))
    assert not is_pushed_to(replace(party, state=PartyState.REFUSED))
    assert not is_pushed_to(replace(party, registration=None))


def failing(before: PushState | None, now: datetime, *, at_least_s: float = 0.0, seed: int = 1) -> PushState:
    return failed(
        before, "p", "down", now, longest=LONGEST, at_least_s=at_least_s, dice=random.Random(seed)
    )  # fmt: skip


@pytest.mark.openadr20b("T10")
def test_pauses_double_from_about_a_second_to_a_cap_and_no_two_parties_keep_step(now: datetime) -> None:
    state: PushState | None = None
    for expected_s in (1, 2, 4, 8, 16, 32, 60, 60, 60):
        state = failing(state, now, seed=expected_s)
        assert state.retry_at is not None
        assert abs((state.retry_at - now).total_seconds() - expected_s) <= 0.1 * expected_s + 1e-6
        now = state.retry_at
    assert state is not None
    assert state.failures == 9
    firsts = {failing(None, now, seed=seed).retry_at for seed in range(100)}
    assert len(firsts) > 90, "R8: a thousand VENs behind one line do not come back in one moment"


@pytest.mark.openadr20b("T8")
def test_who_is_busy_is_left_alone_as_long_as_it_asks(now: datetime) -> None:
    assert failing(None, now, at_least_s=30).retry_at == now + timedelta(seconds=30)


def a_mailbox(now: datetime, *versions: int, errands: tuple[Errand, ...] = ()) -> Mailbox:
    dues = tuple(
        Due(
            event=an_event(now, event_id=f"event-{number}", version=version),
            delivery=Delivery(
                event_id=f"event-{number}", version=version, event_version=version, party_id="p", entitled_at=now
            ),
        )
        for number, version in enumerate(versions)
    )
    return Mailbox(dues=dues, errands=errands)


ERRAND = ErrandKind.REGISTER_REPORT


def test_nothing_is_tried_before_its_time(now: datetime) -> None:
    mailbox = a_mailbox(now, 0)
    assert next_push_at(mailbox, None, now) == now
    assert next_push_at(mailbox, delivered("p", now), now) == now
    down = failing(None, now)
    assert next_push_at(mailbox, down, now) == down.retry_at
    assert next_push_at(Mailbox(), down, now) is None


@pytest.mark.openadr20b("T8")
def test_what_was_refused_for_good_waits_until_it_is_something_else(now: datetime) -> None:
    mailbox = a_mailbox(now, 0, 3)
    refused = PushState(
        party_id="p", at=now, outcome="HTTP 406", refused=mark_of(due.key for due in mailbox.dues)
    )  # fmt: skip
    assert next_push_at(mailbox, refused, now) is None
    assert next_push_at(mailbox, failing(refused, now), now) is None, "a failure in between does not undo it"
    assert next_push_at(a_mailbox(now, 1, 3), refused, now) == now
    assert next_push_at(a_mailbox(now, 0, 3, 0), refused, now) == now
    assert next_push_at(a_mailbox(now, 0), refused, now) == now
    errand = Errand(party_id="p", id="e", kind=ERRAND, made_at=now)
    waiting = a_mailbox(now, 0, 3, errands=(errand,))
    assert takeable(waiting, refused, now).errands == (errand,), "what else there is may be said"
    assert next_push_at(waiting, refused, now) == now


def test_a_mark_tells_sets_of_versions_apart() -> None:
    assert mark_of([("a", 1), ("b", 2)]) == mark_of([("b", 2), ("a", 1)])
    marks = {mark_of(keys) for keys in ([], [("a", 1)], [("a", 2)], [("a", 1), ("b", 2)], [("a', 1), ('b", 2)])}
    assert len(marks) == 5
