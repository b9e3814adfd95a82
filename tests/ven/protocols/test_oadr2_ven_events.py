"""Events as the 2.0b pull VEN takes and answers them, rule by rule, without a socket."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.market_context import ANY, normalised
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr2 import Oadr2Session
from tests.ven.protocols.conversation import INTERVAL, NO_REQUEST, SETTINGS, a_session, answers, deliver, of, opt_in
from tests.ven.protocols.scripted_vtn import (
    CONTEXT,
    OK,
    VEN_ID,
    VTN_ID,
    ScriptedVtn,
    an_event,
    distribute,
    read,
    talk,
)  # fmt: skip


@pytest.mark.openadr20b("R12", "R42", "R43", "R56", "R62", "N1", "N2", "N3")
def test_an_event_is_indicated_and_answered_once_decided(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    now += INTERVAL
    (found,) = of(i.EventReceived, deliver(registered, vtn, an_event(), now=now, request_id="d9"))
    assert found.event.signals[0].intervals[0].value == 5e6  # kW of relief by the program's sign
    assert not vtn.said(m.CreatedEvent)  # nothing is said before it is decided
    registered.answer(opt_in(now=now))
    talk(registered, vtn, now=now)
    (created,) = vtn.said(m.CreatedEvent)
    assert created.response == NO_REQUEST  # R43
    assert answers(vtn) == [
        m.EventResponse(
            response_code="200", request_id="d9", event_id="event-1", modification_number=0, opt_type="optIn"
        )
    ]
    talk(registered, vtn, now=now + INTERVAL)
    assert len(vtn.said(m.CreatedEvent)) == 1  # acknowledged: said once


@pytest.mark.openadr20b("T10", "N1")
def test_an_answer_is_repeated_until_it_is_acknowledged(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    now += INTERVAL
    deliver(registered, vtn, an_event(), now=now)
    registered.answer(opt_in(now=now))
    vtn.script[m.CreatedEvent] = lambda: None
    for _ in range(3):
        talk(registered, vtn, now=now)
        now = registered.next_wakeup() or now
    del vtn.script[m.CreatedEvent]
    talk(registered, vtn, now=now)
    assert len(vtn.said(m.CreatedEvent)) == 4
    assert registered.memory.answers == ()


@pytest.mark.openadr20b("R42", "R57", "R62", "N1", "N2", "N3")
def test_the_same_version_again_is_answered_again_and_changes_nothing(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    now += INTERVAL
    deliver(registered, vtn, an_event(), now=now)
    registered.answer(Opt(event_id="event-1", version=0, opt_type=OptType.OUT, at=now, reason="busy"))
    talk(registered, vtn, now=now)
    found = deliver(registered, vtn, an_event(), now=now + INTERVAL, request_id="d2")
    assert found == []
    assert [(one.request_id, one.opt_type, one.response_description) for one in answers(vtn)] == [
        ("d1", "optOut", "busy"), ("d2", "optOut", "busy"),
    ]  # fmt: skip


@pytest.mark.openadr20b("R57", "R58", "N3")
def test_a_higher_version_replaces_and_a_lower_one_is_450(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    now += INTERVAL
    deliver(registered, vtn, an_event(version=3), now=now)
    (changed,) = of(i.EventChanged, deliver(registered, vtn, an_event(version=4, value=4000), now=now + INTERVAL))
    assert changed.event.signals[0].intervals[0].value == 4e6
    assert deliver(registered, vtn, an_event(version=2, status="cancelled"), now=now + 2 * INTERVAL) == []
    assert [(one.response_code, one.modification_number) for one in answers(vtn)] == [("450", 2)]


def test_a_decision_about_an_overtaken_version_is_not_told(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    deliver(registered, vtn, an_event(version=1), now=now + INTERVAL)
    registered.answer(opt_in(version=0, now=now))
    talk(registered, vtn, now=now + 2 * INTERVAL)
    assert not vtn.said(m.CreatedEvent)


@pytest.mark.openadr20b("R36", "R59", "R60", "N4")
def test_a_cancelled_event_is_stopped_and_confirmed(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    now += INTERVAL
    deliver(registered, vtn, an_event(), now=now)
    registered.answer(opt_in(now=now))
    now += INTERVAL
    (cancelled,) = of(i.EventCancelled, deliver(registered, vtn, an_event(version=1, status="cancelled"), now=now))
    assert cancelled.event.cancelled_at == now
    assert not cancelled.implied
    assert answers(vtn)[-1].modification_number == 1
    assert answers(vtn)[-1].opt_type == "optIn"
    # R60: what is resent is confirmed again, and indicated no more.
    assert deliver(registered, vtn, an_event(version=1, status="cancelled"), now=now + INTERVAL) == []
    assert len(answers(vtn)) == 3


@pytest.mark.openadr20b("R21", "R60", "N4", "E9")
def test_an_unknown_cancelled_event_is_answered_and_otherwise_ignored(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    assert deliver(registered, vtn, an_event(status="cancelled"), now=now + INTERVAL) == []
    assert [one.response_code for one in answers(vtn)] == ["200"]


@pytest.mark.openadr20b("R61", "N5")
def test_what_is_not_listed_any_more_is_cancelled(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    deliver(registered, vtn, an_event("one"), an_event("two"), now=now + INTERVAL)
    (cancelled,) = of(i.EventCancelled, deliver(registered, vtn, an_event("two"), now=now + 2 * INTERVAL))
    assert cancelled.event.id == "one"
    assert cancelled.implied


@pytest.mark.openadr20b("R61", "N5")
def test_what_is_over_may_be_left_out(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    deliver(registered, vtn, an_event(minutes=2), now=now + INTERVAL)
    assert deliver(registered, vtn, now=now + timedelta(minutes=2)) == []
    assert registered.memory.known == ()


@pytest.mark.openadr20b("R12", "N1")
def test_never_means_never(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    now += INTERVAL
    silent = an_event(response_required=False)
    assert of(
        i.EventReceived,
        deliver(registered, vtn, silent, an_event("x", response_required=False, context="http://other"), now=now),
    )
    registered.answer(opt_in(now=now))
    talk(registered, vtn, now=now + INTERVAL)
    assert not vtn.said(m.CreatedEvent)


@pytest.mark.openadr20b("R19", "R33", "R48", "R109", "N11", "N12", "N14")
@pytest.mark.parametrize(
    ("event", "code"),
    [
        (an_event(context="http://example.org/programs/other"), "462"),
        (an_event(target=m.Target(ven_ids=("somebody-else",))), "462"),
        (an_event(signal_name="BID_LOAD"), "460"),
        (replace(an_event(), active_period=replace(an_event().active_period, duration=timedelta(minutes=9))), "454"),
        (replace(an_event(), signals=(replace(an_event().signals[0], item_base=None),)), "460"),
    ],
    ids=["context", "target", "signal", "sums", "unit"],
)
def test_an_event_that_cannot_be_followed_is_refused_by_its_code(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, event: m.Event, code: str
) -> None:
    found = deliver(registered, vtn, an_event("good"), event, now=now + INTERVAL)
    assert [one.code for one in of(i.EventRefused, found)] == [code]
    assert [(one.event_id, one.response_code, one.opt_type) for one in answers(vtn)] == [("event-1", code, "optOut")]
    # R19: the good one in the same payload is taken all the same.
    assert [one.event.id for one in of(i.EventReceived, found)] == ["good"]
    # Sent again it is answered again, and indicated no more.
    assert of(i.EventRefused, deliver(registered, vtn, an_event("good"), event, now=now + 2 * INTERVAL)) == []


@pytest.mark.openadr20b("R22", "N10")
@pytest.mark.parametrize(
    ("target", "names"),
    [
        (m.Target(), []),
        (m.Target(group_ids=("feeder-9", "x")), ["feeder-9", "x"]),
        (m.Target(ven_ids=(VEN_ID,), resource_ids=("y",)), ["y", VEN_ID]),
        (m.Target(ven_ids=("somebody-else",), resource_ids=("y",)), ["y"]),
    ],
)
def test_targets_are_alternatives_and_of_parties_only_we_are_left(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, target: m.Target, names: list[str]
) -> None:
    """Which devices the rest of them mean, the agent knows."""
    (found,) = of(i.EventReceived, deliver(registered, vtn, an_event(target=target), now=now + INTERVAL))
    assert [one.name for one in found.event.targets] == names


@pytest.mark.openadr20b("R48", "N11")
def test_a_ven_may_take_part_in_any_program(vtn: ScriptedVtn, now: datetime) -> None:
    signs = {ANY: ReliefSign.NEGATIVE, normalised(CONTEXT): ReliefSign.POSITIVE}
    session = Oadr2Session(
        settings=replace(SETTINGS, enrolled=Enrolled(relief_signs=signs)), decode=read, dice=random.Random(1), now=now
    )
    talk(session, vtn, now=now)
    session.indications()
    events = (an_event("one"), an_event("two", context="urn:any:other"))
    found = of(i.EventReceived, deliver(session, vtn, *events, now=now + INTERVAL))
    assert [one.event.signals[0].intervals[0].value for one in found] == [5e6, -5e6]


@pytest.mark.openadr20b("R62", "R58", "N1")
@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
def test_one_event_twice_in_a_payload_ends_as_its_newer_version(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, versions: tuple[int, int]
) -> None:
    now += INTERVAL
    found = deliver(registered, vtn, *(an_event(version=version) for version in versions), now=now)
    taken = [one.event.version for one in found if isinstance(one, i.EventReceived | i.EventChanged)]
    assert taken[-1] == 2
    registered.answer(opt_in(version=2, now=now))
    talk(registered, vtn, now=now + INTERVAL)
    said = [(one.modification_number, one.response_code) for one in answers(vtn)]
    assert said == ([(2, "200")] if versions == (1, 2) else [(1, "450"), (2, "200")])


@pytest.mark.openadr20b("R66", "R114", "N8", "N15")
def test_a_status_but_cancelled_changes_nothing(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    """We reckon by our own clock; what is completed for the VTN may still run here (start tolerance)."""
    now += INTERVAL
    event = an_event(start_after=timedelta(minutes=5))
    deliver(registered, vtn, event, now=now)
    for status in ("far", "near", "active", "completed", "none"):
        again = replace(event, descriptor=replace(event.descriptor, event_status=status))
        assert deliver(registered, vtn, again, now=now + timedelta(minutes=3)) == []
    assert [known.event.id for known in registered.memory.known] == ["event-1"]


@pytest.mark.openadr20b("R512", "E7")
@pytest.mark.parametrize("context", ["HTTP://EXAMPLE.org/programs/relief", CONTEXT])
def test_a_market_context_is_compared_as_a_uri(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, context: str
) -> None:
    assert of(i.EventReceived, deliver(registered, vtn, an_event(context=context), now=now + INTERVAL))


def test_a_change_that_we_cannot_follow_stops_what_we_did(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    found = deliver(registered, vtn, an_event(version=1, signal_name="BID_LOAD"), now=now + 2 * INTERVAL)
    assert [type(one) for one in found] == [i.EventCancelled, i.EventRefused]


def begun(event: m.Event, now: datetime, *values: float) -> m.Event:
    """The event as it is written at that moment, with these values, a minute each."""
    intervals = tuple(
        m.Interval(duration=timedelta(minutes=1), uid=str(uid), value=value) for uid, value in enumerate(values)
    )
    signals = (replace(event.signals[0], intervals=intervals),)
    return replace(event, descriptor=replace(event.descriptor, created_date_time=now), signals=signals)


@pytest.mark.openadr20b("R20", "V2")
@pytest.mark.parametrize("moved", [timedelta(minutes=5), timedelta(0)])
def test_what_was_past_when_an_event_was_told_cannot_change_and_what_is_held_goes_on(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, moved: timedelta
) -> None:
    now += INTERVAL
    starts_at = now - timedelta(seconds=90)
    first = begun(an_event(starts_at=starts_at), now, 5000, 5000)
    deliver(registered, vtn, first, now=now)
    registered.answer(opt_in(now=now))
    talk(registered, vtn, now=now)
    changed = begun(an_event(version=1, starts_at=starts_at + moved), now, 4000 if not moved else 5000, 5000)
    (refused,) = deliver(registered, vtn, changed, now=now + INTERVAL)
    assert isinstance(refused, i.EventRefused)
    assert (refused.version, refused.code) == (1, "451")
    assert [(one.modification_number, one.response_code, one.opt_type) for one in answers(vtn)] == [
        (0, "200", "optIn"), (1, "451", "optOut"),
    ]  # fmt: skip
    assert deliver(registered, vtn, changed, now=now + 2 * INTERVAL) == []  # told to people once, to the VTN each time
    assert answers(vtn)[-1].response_code == "451"
    later = begun(an_event(version=2, starts_at=starts_at), now, 5000, 4000)  # the interval that runs
    (taken,) = of(i.EventChanged, deliver(registered, vtn, later, now=now + 3 * INTERVAL))
    assert taken.event.version == 2


@pytest.mark.openadr20b("R20", "V2")
def test_a_change_that_was_made_in_time_may_come_late(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """The event was told before its start, so it may have been moved before its start too."""
    now += INTERVAL
    starts_at = now + timedelta(minutes=1)
    deliver(registered, vtn, begun(an_event(starts_at=starts_at), now, 5000, 5000), now=now)
    now += timedelta(minutes=2)
    moved = begun(an_event(version=1, starts_at=starts_at + timedelta(minutes=5)), now, 4000, 5000)
    assert of(i.EventChanged, deliver(registered, vtn, moved, now=now))


@pytest.mark.openadr20b("R21", "R35", "R512", "N13", "E7", "E9")
def test_another_vtns_payload_is_refused_whole(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    vtn.queue.append(distribute(an_event(), vtn_id=VTN_ID.lower()))  # R512: case counts
    talk(registered, vtn, now=now + INTERVAL)
    assert registered.indications() == []
    (created,) = vtn.said(m.CreatedEvent)
    assert created.response.response_code == "452"
    assert created.event_responses is None
    assert registered.memory.known == ()


@pytest.mark.openadr20b("R30", "N6")
def test_the_drawn_delay_is_kept_until_start_after_changes(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    two, three = timedelta(minutes=2), timedelta(minutes=3)
    (first,) = of(i.EventReceived, deliver(registered, vtn, an_event(start_after=two), now=now + INTERVAL))
    (same,) = of(i.EventChanged, deliver(registered, vtn, an_event(version=1, start_after=two), now=now + 2 * INTERVAL))
    (other,) = of(
        i.EventChanged, deliver(registered, vtn, an_event(version=2, start_after=three), now=now + 3 * INTERVAL)
    )
    assert 0 <= first.delay_fraction == same.delay_fraction <= 1
    assert other.delay_fraction != same.delay_fraction


def test_a_refused_answer_is_not_repeated(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    registered.answer(opt_in(now=now))
    vtn.script[m.CreatedEvent] = lambda: m.Response(response=m.EiResponse(response_code="450"), ven_id=VEN_ID)
    talk(registered, vtn, now=now + INTERVAL)
    assert [one.code for one in of(i.VtnRefused, registered.indications())] == ["450"]
    talk(registered, vtn, now=now + 3 * INTERVAL)
    assert len(vtn.said(m.CreatedEvent)) == 1


def test_an_openleadr_vtn_that_has_no_events_says_so_with_a_response(vtn: ScriptedVtn, now: datetime) -> None:
    """Interpretation: oadrResponse 200 to oadrRequestEvent is an empty list."""
    session = a_session(now)
    vtn.script[m.RequestEvent] = lambda: m.Response(response=OK, ven_id=VEN_ID)
    talk(session, vtn, now=now)
    assert session.memory.synchronised
