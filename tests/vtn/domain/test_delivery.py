"""What a party is owed follows from its ledger and the time; nothing is lost by being said and not heard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.limits import (
    CANCELLED_SENDS_MAX,
    DELIVERY_RESEND_MAX_S,
    PUSH_REMINDERS_MAX,
    RETRY_JITTER,
    UNANSWERED_SENDS_MAX,
)
from openadr_core.model.party import PartyState
from openadr_core.model.target import by_name
from openadr_vtn.domain import delivery as ledger
from openadr_vtn.domain.delivery import (
    WHEN_IT_POLLS,
    WHEN_PUSHED,
    Delivery,
    Due,
    Mailbox,
    Reminding,
    next_telling,
    owed,
    snapshot,
)
from openadr_vtn.domain.targeting import dues
from tests.vtn.samples import HOUR, a_party, a_program, an_event

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def a_due(*, event_id: str = "event-1", **changes: object) -> Due:
    event = an_event(NOW, event_id=event_id, **changes)
    row = Delivery(event_id=event_id, version=event.version, event_version=event.version, party_id="p", entitled_at=NOW)
    return Due(event=event, delivery=row)


def holding(*dues: Due, reminding: Reminding = WHEN_IT_POLLS) -> Mailbox:
    return Mailbox(dues=dues, reminding=reminding)


def test_what_was_never_sent_is_owed_at_once() -> None:
    assert next_telling(holding(a_due()), NOW) == NOW


def test_what_was_sent_is_said_again_after_growing_pauses_until_it_is_answered() -> None:
    due, now, pauses = a_due(duration=None), NOW, []
    for _ in range(9):
        due = replace(due, delivery=ledger.sent(due.delivery, now))
        again = next_telling(holding(due), now)
        assert again is not None
        pauses.append((again - now).total_seconds())
        now = again
    assert pauses == [2, 4, 8, 16, 32, *[DELIVERY_RESEND_MAX_S] * 4]
    assert next_telling(holding(replace(due, delivery=ledger.answered(due.delivery, now))), now) is None


def test_a_fetched_event_that_must_be_answered_is_still_owed() -> None:
    due = a_due()
    fetched = ledger.fetched(ledger.sent(due.delivery, NOW), NOW)
    assert next_telling(holding(replace(due, delivery=fetched)), NOW) is not None


def test_an_event_without_answer_is_owed_until_it_was_fetched_or_said_often() -> None:
    due = a_due(response_required=False)
    row = ledger.sent(due.delivery, NOW)
    assert next_telling(holding(replace(due, delivery=row)), NOW) is not None
    assert next_telling(holding(replace(due, delivery=ledger.fetched(row, NOW))), NOW) is None
    for _ in range(UNANSWERED_SENDS_MAX - 1):
        row = ledger.sent(row, NOW)
    assert next_telling(holding(replace(due, delivery=row)), NOW) is None


@pytest.mark.openadr20b("T10", "T13")
def test_who_has_taken_a_push_is_reminded_ever_less_and_then_no_more() -> None:
    due, now, pauses = a_due(duration=None), NOW, []
    for _ in range(PUSH_REMINDERS_MAX - 1):
        due = replace(due, delivery=ledger.fetched(ledger.sent(due.delivery, now), now))
        again = next_telling(holding(due, reminding=WHEN_PUSHED), now)
        assert again is not None
        pauses.append((again - now).total_seconds())
        now = again
    meant = [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert all(abs(pause / s - 1) <= RETRY_JITTER for pause, s in zip(pauses, meant, strict=True))
    assert pauses[-1] != pauses[-2] != pauses[-3]
    mailbox = holding(due, reminding=WHEN_PUSHED)
    assert ledger.last_told(mailbox, [due.key], now) == [due.key]
    spent = replace(due, delivery=ledger.sent(due.delivery, now))
    assert ledger.is_given_up(spent, now, WHEN_PUSHED)
    assert not ledger.is_given_up(spent, now, WHEN_IT_POLLS)
    silent = holding(spent, reminding=WHEN_PUSHED)
    assert next_telling(silent, now + HOUR) is None
    assert snapshot(silent, now + HOUR) == [spent], "R50: what is pushed for another reason holds it too"
    late = replace(spent, delivery=ledger.answered(spent.delivery, now))
    assert not ledger.is_given_up(late, now, WHEN_PUSHED)


def test_two_parties_that_were_told_together_are_reminded_apart() -> None:
    one = replace(a_due(), delivery=ledger.sent(a_due().delivery, NOW))
    other = replace(one, delivery=replace(one.delivery, party_id="q"))
    moments = {next_telling(holding(due, reminding=WHEN_PUSHED), NOW) for due in (one, other, one)}
    assert len(moments) == 2, "and each at the same moment, whoever asks"


@pytest.mark.openadr20b("R52", "V11")
def test_a_cancelled_event_that_was_pushed_in_vain_is_pushed_no_more() -> None:
    due = a_due(version=1, cancelled_at=NOW, duration=None)
    often = replace(due, delivery=replace(due.delivery, sent_at=NOW, attempts=PUSH_REMINDERS_MAX))
    assert next_telling(holding(often), NOW) is not None
    assert next_telling(holding(often, reminding=WHEN_PUSHED), NOW) is None
    assert snapshot(holding(often, reminding=WHEN_PUSHED), NOW) == []


def test_who_was_asked_for_no_answer_and_has_it_is_not_given_up() -> None:
    due = a_due(response_required=False)
    row = replace(due.delivery, sent_at=NOW, attempts=UNANSWERED_SENDS_MAX)
    assert ledger.is_given_up(replace(due, delivery=row), NOW, WHEN_PUSHED)
    assert not ledger.is_given_up(replace(due, delivery=ledger.fetched(row, NOW)), NOW, WHEN_PUSHED)


@pytest.mark.openadr20b("R66", "V5")
def test_an_event_that_is_over_is_owed_no_more() -> None:
    assert next_telling(holding(a_due()), NOW + HOUR) is None
    assert next_telling(holding(a_due(start_after=HOUR)), NOW + HOUR) is not None


def test_only_the_latest_version_counts() -> None:
    old, new = a_due(), a_due(version=1)
    assert owed([new.event], [old.delivery]) == []
    assert owed([new.event], [old.delivery, new.delivery]) == [new]


@pytest.mark.openadr20b("R3", "R15", "R50", "R66", "V5", "V10", "V12")
def test_a_snapshot_is_whole_and_in_order() -> None:
    """2.0b R50 and R15: all far, near and active events; active ones first by priority, the rest by start."""
    later = a_due(event_id="later", starts_at=NOW + 2 * HOUR)
    sooner = a_due(event_id="sooner", starts_at=NOW + HOUR, priority=1)
    urgent = a_due(event_id="urgent", priority=0)
    plain = a_due(event_id="plain", priority=None)
    done = a_due(event_id="done", starts_at=NOW - 2 * HOUR)
    waiting = a_due(event_id="waiting", starts_at=NOW - HOUR, start_after=HOUR)
    answered = replace(urgent, delivery=ledger.answered(urgent.delivery, NOW))
    shown = snapshot(holding(later, plain, done, sooner, answered, waiting), NOW)
    assert [due.event.id for due in shown] == ["urgent", "plain", "waiting", "sooner", "later"]


@pytest.mark.openadr20b("R15", "R52", "V11", "V12")
def test_a_cancelled_event_keeps_its_place_until_it_is_acknowledged() -> None:
    first = a_due(event_id="first", priority=1, version=1, cancelled_at=NOW)
    second = a_due(event_id="second", priority=2)
    assert [due.event.id for due in snapshot(holding(second, first), NOW)] == ["first", "second"]
    acknowledged = replace(first, delivery=ledger.answered(first.delivery, NOW))
    assert [due.event.id for due in snapshot(holding(second, acknowledged), NOW)] == ["second"]


def test_each_entitled_party_is_owed_each_version_once(now: datetime) -> None:
    program, event = a_program(now).program, an_event(now)
    one, two = a_party(now), a_party(now, "ven-two", registered=False)
    strangers = [
        a_party(now, "pending", state=PartyState.PENDING),
        a_party(now, "refused", state=PartyState.REFUSED),
        a_party(now, "elsewhere", targets=()),
    ]
    rows = list(dues(event, program, [one, two, *strangers], [], now))
    assert [row.party_id for row in rows] == [one.id, two.id]
    assert list(dues(event, program, [one, two], rows, now)) == []
    assert [row.version for row in dues(replace(event, version=1), program, [one, two], rows, now)] == [1, 1]


def test_a_party_that_reports_only_gets_no_events(now: datetime) -> None:
    party = a_party(now)
    assert party.registration is not None
    party = replace(party, registration=replace(party.registration, report_only=True))
    assert list(dues(an_event(now), a_program(now).program, [party], [], now)) == []


def test_a_party_that_an_event_no_longer_addresses_sees_it_cancelled(now: datetime) -> None:
    program, party = a_program(now).program, a_party(now)
    had = list(dues(an_event(now), program, [party], [], now))
    moved = an_event(now, version=1, targets=by_name("zone-b"))
    (row,) = dues(moved, program, [party], had, now)
    assert (row.withdrawn, row.version) == (True, 1)
    seen = ledger.as_seen(Due(event=moved, delivery=row))
    assert (seen.cancelled_at, seen.version) == (now, 1)
    # However the event goes on, the party is rid of it: what it is still owed is that news.
    assert list(dues(replace(moved, version=2), program, [party], [*had, row], now)) == []
    assert owed([replace(moved, version=2)], [*had, row]) == [Due(event=replace(moved, version=2), delivery=row)]
    (back,) = dues(an_event(now, version=2), program, [party], [*had, row], now)
    assert (back.withdrawn, back.version, back.event_version) == (False, 2, 2)


@pytest.mark.openadr20b("R5", "R10", "V1", "R57", "R58")
def test_each_news_to_a_party_counts_though_the_event_stays_as_it_was(now: datetime) -> None:
    """Lost, got back, changed, lost: each under a number that the party has not heard, whatever the event's is."""
    program, party, event = a_program(now).program, a_party(now), an_event(now)
    stranger = replace(party, targets=())
    rows = list(dues(event, program, [party], [], now))
    rows += dues(event, program, [stranger], rows, now)
    rows += dues(event, program, [party], rows, now)
    rows += dues(event, program, [party], rows, now)
    changed = replace(event, version=1)
    rows += dues(changed, program, [party], rows, now)
    told = [(row.version, row.event_version, row.withdrawn) for row in rows]
    assert told == [(0, 0, False), (1, 0, True), (2, 0, False), (3, 1, False)]
    (due,) = owed([changed], rows)
    assert ledger.as_seen(due).version == 3
    cancelled = replace(event, version=2, cancelled_at=now)
    (last,) = dues(cancelled, program, [party], rows, now)
    assert (last.version, last.withdrawn) == (4, False)
    assert list(dues(cancelled, program, [a_party(now, "ven-late")], rows, now)) == [], "never told, so no news"


@pytest.mark.openadr20b("R52", "V11")
def test_a_cancelled_event_that_nobody_acknowledges_is_given_up_in_the_end() -> None:
    due = a_due(version=1, cancelled_at=NOW, duration=None)
    often = replace(due, delivery=replace(due.delivery, attempts=CANCELLED_SENDS_MAX))
    assert snapshot(holding(due), NOW) == [due]
    assert snapshot(holding(often), NOW) == []
    assert next_telling(holding(often), NOW) is None


@given(st.lists(st.sampled_from(["poll heard", "poll lost", "answer heard", "answer lost", "wait"]), max_size=30))
def test_no_loss_of_messages_loses_an_event(happenings: list[str]) -> None:
    """Whatever gets lost, a poll that is heard in the end brings the event, unless the party's answer was heard."""
    due, now, party_has_it = a_due(duration=None), NOW, False
    for happening in [*happenings, "wait", "poll heard"]:
        now += timedelta(seconds=DELIVERY_RESEND_MAX_S) if happening == "wait" else SECOND
        telling = next_telling(holding(due), now)
        if happening.startswith("poll") and telling is not None and telling <= now:
            due = replace(due, delivery=ledger.sent(due.delivery, now))
            party_has_it = party_has_it or happening == "poll heard"
        if happening == "answer heard" and party_has_it:
            due = replace(due, delivery=ledger.answered(due.delivery, now))
    assert party_has_it
