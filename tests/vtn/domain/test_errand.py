"""The queue of what a party is owed besides events: in order, again and again, and not for ever (2.0b Q1, Q3)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.limits import DELIVERY_RESEND_MAX_S, UNANSWERED_SENDS_MAX
from openadr_vtn.domain import errand as queue
from openadr_vtn.domain.delivery import Delivery, Due, Mailbox, due_errand, next_due_at, sent
from openadr_vtn.domain.errand import Errand, ErrandKind, answered_errand, next_errand
from tests.vtn.samples import an_event

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST = Errand(party_id="p", id="e1", kind=ErrandKind.REGISTER_REPORT, made_at=NOW)
SECOND_ONE = replace(FIRST, id="e2", content="more", made_at=NOW + SECOND)

pytestmark = pytest.mark.openadr20b("Q1", "Q3")


def test_one_is_told_at_once_and_again_after_growing_pauses_and_then_given_up() -> None:
    errand, at, pauses = FIRST, NOW, []
    while not errand.is_spent:
        found = next_errand([errand])
        assert found is not None
        pauses.append((found[0] - at).total_seconds())
        at = found[0]
        errand = queue.sent(errand, at)
    assert pauses == [0, 2, 4, 8, 16]
    assert next_errand([errand]) == (at + 32 * SECOND, errand)
    assert next_errand([]) is None


def test_none_overtakes_one_that_may_not_have_been_read() -> None:
    assert next_errand([FIRST, SECOND_ONE]) == (NOW, FIRST)
    told = queue.sent(FIRST, NOW)
    assert next_errand([told, SECOND_ONE]) == (NOW + 2 * SECOND, told)
    read = queue.heard(told, NOW + SECOND)
    assert next_errand([read, SECOND_ONE]) == (NOW + SECOND, SECOND_ONE)
    assert next_errand([read, queue.sent(SECOND_ONE, NOW + SECOND)]) == (NOW + 2 * SECOND, read)


@pytest.mark.openadr20b("R303")
def test_an_answer_is_known_by_its_request_id_and_else_by_its_kind() -> None:
    told = [queue.sent(FIRST, NOW), queue.sent(SECOND_ONE, NOW)]
    assert answered_errand(told, ErrandKind.REGISTER_REPORT, "e2") == told[1]
    assert answered_errand(told, ErrandKind.REGISTER_REPORT, "") == told[0]
    assert answered_errand([FIRST, SECOND_ONE], ErrandKind.REGISTER_REPORT, "e2") is None


@pytest.mark.openadr20b("R301")
def test_our_reports_come_before_events(now: datetime) -> None:
    """R301: before other traffic; and an event that was told just now holds nothing else back."""
    event = an_event(now)
    due = Due(
        event=event, delivery=Delivery(event_id=event.id, version=0, event_version=0, party_id="p", entitled_at=now)
    )
    errand = replace(FIRST, made_at=now)
    assert due_errand(Mailbox(dues=(due,), errands=(errand,)), now) == errand
    assert next_due_at(Mailbox(dues=(due,), errands=(errand,)), now) == now
    assert next_due_at(Mailbox(errands=(queue.sent(errand, now),)), now) == now + 2 * SECOND
    told = replace(due, delivery=sent(due.delivery, now))
    assert due_errand(Mailbox(dues=(told,), errands=(errand,)), now) == errand
    assert due_errand(Mailbox(dues=(told,)), now) is None


@given(
    st.integers(1, 4),
    st.lists(st.sampled_from(["heard", "lost", "answered", "wait"]), max_size=40),
)
def test_whatever_is_lost_each_is_answered_or_given_up_and_first_read_in_order(count: int, fates: list[str]) -> None:
    waiting = [replace(FIRST, id=f"e{number}") for number in range(count)]
    now, read = NOW, list[str]()
    for fate in [*fates, *["wait", "heard"] * (UNANSWERED_SENDS_MAX + 1) * count]:
        now += timedelta(seconds=DELIVERY_RESEND_MAX_S) if fate == "wait" else SECOND
        found = next_errand(waiting)
        if fate == "wait" or found is None or found[0] > now:
            continue
        errand = found[1]
        if errand.is_spent:
            waiting.remove(errand)
            continue
        after = queue.sent(errand, now)
        if fate != "lost":
            after = queue.heard(after, now)
            read += [] if errand.id in read else [errand.id]
        waiting[waiting.index(errand)] = after
        if fate == "answered":
            waiting.remove(after)
    assert waiting == []
    assert read == sorted(read)
