"""The 2.0b pull VEN against a scripted VTN, without a socket: every rule of 1.6 to 1.10 on this path."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError
from openadr_core.exchange import Response
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.program import ReliefSign
from openadr_core.model.report import Reading, ReportRequest
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_ven.application.reporting import OFFER
from openadr_ven.domain import indications as i
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session, SessionSettings
from openadr_ven.protocols.oadr2.events import Enrolled, normalised
from openadr_ven.protocols.session import Session
from tests.ven.protocols.scripted_vtn import (
    CONTEXT,
    OK,
    VEN_ID,
    VTN_ID,
    ScriptedVtn,
    a_report_request,
    an_event,
    distribute,
    read,
    talk,
)  # fmt: skip

I = TypeVar("I")  # noqa: E741
SECOND = timedelta(seconds=1)
INTERVAL = timedelta(seconds=2)
NO_REQUEST = m.EiResponse(response_code="200")
SETTINGS = SessionSettings(
    ven_name="our-ven",
    poll_interval=INTERVAL,
    enrolment_retry=timedelta(seconds=5),
    enrolled=Enrolled(relief_signs={normalised(CONTEXT): ReliefSign.POSITIVE}, names=frozenset({"feeder-9"})),
    offers=(OFFER,),
)


def a_session(now: datetime, memory: Memory | None = None) -> Oadr2Session:
    return Oadr2Session(settings=SETTINGS, decode=read, dice=random.Random(1), now=now, memory=memory)


@pytest.fixture
def vtn() -> ScriptedVtn:
    return ScriptedVtn()


@pytest.fixture
def session(now: datetime) -> Oadr2Session:
    return a_session(now)


@pytest.fixture
def registered(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> Oadr2Session:
    """A session that has told everything and heard nothing yet."""
    talk(session, vtn, now=now)
    session.indications()
    vtn.heard.clear()
    return session


def of(kind: type[I], found: list[i.Indication]) -> list[I]:
    return [one for one in found if isinstance(one, kind)]


def opt_in(event_id: str = "event-1", version: int = 0, *, now: datetime) -> Opt:
    return Opt(event_id=event_id, version=version, opt_type=OptType.IN, at=now)


def deliver(
    session: Oadr2Session, vtn: ScriptedVtn, *events: m.Event, now: datetime, request_id: str = "d1"
) -> list[i.Indication]:
    """One poll that brings these events; what the session indicates."""
    vtn.queue.append(distribute(*events, request_id=request_id))
    talk(session, vtn, now=now)
    return session.indications()


def answers(vtn: ScriptedVtn) -> list[m.EventResponse]:
    return [one for message in vtn.said(m.CreatedEvent) for one in message.event_responses or ()]


# -- registration --------------------------------------------------------------------


def test_a_new_session_registers_offers_reports_asks_for_events_and_polls(
    session: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    kept: Session = session  # the five verbs
    talk(session, vtn, now=now)
    assert [type(one) for one in vtn.heard] == [m.CreatePartyRegistration, m.RegisterReport, m.RequestEvent, m.Poll]
    create = vtn.said(m.CreatePartyRegistration)[0]
    assert create.registration_id is None
    assert create.ven_id is None
    assert create.http_pull_model is True
    (found,) = of(i.Registered, kept.indications())
    assert (found.ven_id, found.vtn_id) == (VEN_ID, VTN_ID)
    assert session.next_wakeup() == now + INTERVAL


def test_metadata_says_what_the_rules_want(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    vtn.queue.append(
        m.CreateReport(
            request_id="c1",
            report_requests=(
                m.ReportRequest(
                    report_request_id="meta-1",
                    specifier=m.ReportSpecifier(
                        report_specifier_id="METADATA",
                        granularity=timedelta(0),
                        report_back_duration=timedelta(0),
                        payloads=(m.SpecifierPayload(r_id="0", reading_type="x-notApplicable"),),
                    ),
                ),
            ),
        )
    )
    talk(registered, vtn, now=now + INTERVAL)
    (offer,) = vtn.said(m.RegisterReport)
    assert offer.report_request_id == "meta-1"  # R311
    (report,) = offer.reports
    assert report.report_name == "METADATA_TELEMETRY_USAGE"
    assert report.report_request_id == "0"
    assert report.duration is not None
    assert all(one.sampling_rate is not None for one in report.descriptions)
    assert {one.report_type for one in report.descriptions} == {"usage", "baseline"}


def test_who_is_not_approved_keeps_asking_at_an_interval(
    session: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    refused = m.EiResponse(response_code="463", response_description="not approved")
    vtn.script[m.CreatePartyRegistration] = lambda: m.CreatedPartyRegistration(
        response=refused, vtn_id=VTN_ID, profiles=(m.Profile(profile_name="2.0b", transport_names=("simpleHttp",)),)
    )
    for _ in range(5):
        talk(session, vtn, now=now)
        assert [type(one) for one in session.indications()] == [i.NotEnrolled]
        wakeup = session.next_wakeup()
        assert wakeup is not None
        assert timedelta(seconds=4) < wakeup - now < timedelta(seconds=6)
        now = wakeup
    assert len(vtn.heard) == 5
    del vtn.script[m.CreatePartyRegistration]
    talk(session, vtn, now=now)
    assert of(i.Registered, session.indications())


@pytest.mark.parametrize("code", ["452", "463"])
def test_a_poll_that_is_refused_means_to_register_anew(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, code: str
) -> None:
    vtn.script[m.Poll] = lambda: m.Response(response=m.EiResponse(response_code=code), ven_id=VEN_ID)
    talk(registered, vtn, now=now + INTERVAL)
    assert of(i.RegistrationLost, registered.indications())
    del vtn.script[m.Poll]
    wakeup = registered.next_wakeup()
    assert wakeup is not None
    talk(registered, vtn, now=wakeup)
    assert vtn.said(m.CreatePartyRegistration)[0].registration_id is None
    assert of(i.Registered, registered.indications())


def test_the_vtn_may_ask_us_to_register_again_under_the_same_ids(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.RequestReregistration(ven_id=VEN_ID))
    talk(registered, vtn, now=now + INTERVAL)
    create = vtn.said(m.CreatePartyRegistration)[0]
    assert (create.registration_id, create.ven_id) == ("reg-1", VEN_ID)
    kinds = [type(one) for one in vtn.heard]
    assert kinds.index(m.Response) < kinds.index(m.CreatePartyRegistration)  # acknowledged first


def test_a_cancelled_registration_is_answered_erased_and_tried_again_later(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CancelPartyRegistration(request_id="x", registration_id="reg-1", ven_id=VEN_ID))
    now += INTERVAL
    talk(registered, vtn, now=now)
    (answer,) = vtn.said(m.CanceledPartyRegistration)
    assert answer.response == m.EiResponse(response_code="200", request_id="x")
    assert of(i.RegistrationLost, registered.indications())
    assert registered.memory.report_requests == ()
    wakeup = registered.next_wakeup()
    assert wakeup is not None
    assert wakeup - now > timedelta(seconds=4)
    talk(registered, vtn, now=wakeup)
    assert registered.memory.registered


def test_somebody_elses_registration_cannot_be_cancelled_at_us(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CancelPartyRegistration(request_id="x", registration_id="another", ven_id=VEN_ID))
    talk(registered, vtn, now=now + INTERVAL)
    assert vtn.said(m.CanceledPartyRegistration)[0].response.response_code == "452"
    assert registered.memory.registered


def test_we_may_leave(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    registered.unregister()
    talk(registered, vtn, now=now)
    assert vtn.said(m.CancelPartyRegistration)[0].registration_id == "reg-1"
    assert not registered.memory.registered
    assert registered.next_wakeup() is None


# -- polling and retrying ------------------------------------------------------------


def test_the_queue_is_drained_before_the_interval_is_waited_for(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.extend([m.RegisterReport(request_id="r1"), distribute(), distribute()])
    talk(registered, vtn, now=now + INTERVAL)
    assert len(vtn.said(m.Poll)) == 4
    assert vtn.said(m.RegisteredReport)[0].response.request_id == "r1"
    assert registered.next_wakeup() == now + 2 * INTERVAL


def test_polls_are_never_early_and_never_slower_than_asked(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    assert registered.next_request(now=now + INTERVAL - timedelta(milliseconds=1)) is None
    talk(registered, vtn, now=now + INTERVAL)
    assert len(vtn.said(m.Poll)) == 1


def say(outcome: str) -> Response | None:
    if outcome == "nonsense":
        return Response(status=200, body=b"<not-oadr/>")
    return Response(status=int(outcome)) if outcome.isdigit() else None


@given(st.lists(st.sampled_from(["ok", "503", "500", "404", "nothing", "nonsense"]), max_size=30))
def test_whatever_happens_there_is_a_next_time_and_pauses_stay_bounded(outcomes: list[str]) -> None:
    now = datetime.fromisoformat("2026-07-15T18:30:00+00:00")
    vtn, session = ScriptedVtn(), a_session(now)
    for outcome in outcomes:
        vtn.script = dict.fromkeys((m.CreatePartyRegistration, m.Poll, m.RequestEvent), partial(say, outcome))
        if outcome == "ok":
            vtn.script = {}
        talk(session, vtn, now=now)
        wakeup = session.next_wakeup()
        assert wakeup is not None
        assert now < wakeup <= now + INTERVAL * 1.1
        now = wakeup
    vtn.script = {}
    talk(session, vtn, now=now)
    assert session.memory.registered


def test_pauses_double_from_about_a_second(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    slow = Oadr2Session(
        settings=replace(SETTINGS, poll_interval=timedelta(seconds=60)), decode=read, dice=random.Random(1), now=now
    )
    vtn.script[m.CreatePartyRegistration] = lambda: None
    pauses = []
    for _ in range(9):
        talk(slow, vtn, now=now)
        wakeup = slow.next_wakeup()
        assert wakeup is not None
        pauses.append((wakeup - now).total_seconds())
        now = wakeup
    for pause, expected in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert abs(pause - expected) <= 0.1 * expected + 1e-6
    assert [one.failures for one in of(i.VtnUnreachable, slow.indications())] == list(range(1, 10))
    del vtn.script[m.CreatePartyRegistration]
    talk(slow, vtn, now=now)
    assert of(i.VtnReachable, slow.indications()) == [i.VtnReachable(failures=9)]


def test_an_answer_to_no_request_is_our_bug(session: Oadr2Session, now: datetime) -> None:
    with pytest.raises(LocalProtocolError):
        session.receive_response(Response(status=200), now=now)


# -- events --------------------------------------------------------------------------


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


def test_an_unknown_cancelled_event_is_answered_and_otherwise_ignored(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    assert deliver(registered, vtn, an_event(status="cancelled"), now=now + INTERVAL) == []
    assert [one.response_code for one in answers(vtn)] == ["200"]


def test_what_is_not_listed_any_more_is_cancelled(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    deliver(registered, vtn, an_event("one"), an_event("two"), now=now + INTERVAL)
    (cancelled,) = of(i.EventCancelled, deliver(registered, vtn, an_event("two"), now=now + 2 * INTERVAL))
    assert cancelled.event.id == "one"
    assert cancelled.implied


def test_what_is_over_may_be_left_out(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    deliver(registered, vtn, an_event(minutes=2), now=now + INTERVAL)
    assert deliver(registered, vtn, now=now + timedelta(minutes=2)) == []
    assert registered.memory.known == ()


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


@pytest.mark.parametrize(
    "target", [m.Target(), m.Target(group_ids=("feeder-9", "x")), m.Target(ven_ids=(VEN_ID,), resource_ids=("y",))]
)
def test_targets_are_ored_and_an_empty_one_is_us(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, target: m.Target
) -> None:
    assert of(i.EventReceived, deliver(registered, vtn, an_event(target=target), now=now + INTERVAL))


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


def test_another_vtns_payload_is_refused_whole(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    vtn.queue.append(distribute(an_event(), vtn_id=VTN_ID.lower()))  # R512: case counts
    talk(registered, vtn, now=now + INTERVAL)
    assert registered.indications() == []
    (created,) = vtn.said(m.CreatedEvent)
    assert created.response.response_code == "452"
    assert created.event_responses is None
    assert registered.memory.known == ()


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


# -- memory --------------------------------------------------------------------------


def test_a_restarted_session_goes_on_with_its_registration_and_asks_for_the_events(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    now += INTERVAL
    deliver(registered, vtn, an_event(), now=now)
    registered.answer(opt_in(now=now))
    again = a_session(now, from_record(Memory, registered.record()))
    vtn.heard.clear()
    vtn.events = (an_event(),)
    talk(again, vtn, now=now)
    assert [type(one) for one in vtn.heard][:2] == [m.RequestEvent, m.CreatedEvent]
    assert again.indications() == []
    assert answers(vtn)[0].opt_type == "optIn"


def test_an_event_that_was_not_decided_before_the_crash_is_indicated_again(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    again = a_session(now, from_record(Memory, registered.record()))
    assert [one.event.id for one in of(i.EventReceived, again.indications())] == ["event-1"]


# -- reports -------------------------------------------------------------------------


def test_requests_may_come_with_the_registered_report(vtn: ScriptedVtn, now: datetime) -> None:
    vtn.report_requests = (a_report_request(now=now, r_ids=("power", "baseline")),)
    session = a_session(now)
    talk(session, vtn, now=now)
    (asked,) = of(i.ReportRequested, session.indications())
    assert asked.request == ReportRequest(
        id="rr-1", specifier_id="fleet_usage", r_ids=("power", "baseline"), granularity=SECOND,
        report_back=5 * SECOND, starts_at=now, duration=None,
    )  # fmt: skip
    assert vtn.said(m.CreatedReport)[0].pending_report_request_ids == ("rr-1",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"report_specifier_id": "nothing"}, "452"),
        ({"payloads": (m.SpecifierPayload(r_id="nothing", reading_type="x-notApplicable"),)}, "452"),
        ({"granularity": timedelta(seconds=10)}, "454"),
    ],
)
def test_a_request_that_we_cannot_serve_gets_its_code(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, change: dict[str, object], code: str
) -> None:
    request = a_report_request(now=now)
    bad = replace(request, report_request_id="bad", specifier=replace(request.specifier, **change))  # type: ignore[arg-type]
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(bad, request)))
    talk(registered, vtn, now=now + INTERVAL)
    (created,) = vtn.said(m.CreatedReport)
    assert created.response.response_code == code
    assert created.response.request_id == "c1"
    assert created.pending_report_request_ids == ("rr-1",)  # the other one is served


def readings_of(now: datetime) -> list[Reading]:
    return [
        Reading(r_id=r_id, starts_at=now + n * SECOND, duration=SECOND, value=-1.5e6 + n)
        for n in range(5)
        for r_id in ("power", "baseline")
    ]


def test_readings_are_sent_until_they_are_acknowledged(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(a_report_request(now=now),)))
    now += INTERVAL
    talk(registered, vtn, now=now)
    (asked,) = of(i.ReportRequested, registered.indications())
    registered.report(7, asked.request, readings_of(now))
    vtn.script[m.UpdateReport] = lambda: Response(status=503)
    talk(registered, vtn, now=now)
    assert not of(i.ReportDelivered, registered.indications())
    del vtn.script[m.UpdateReport]
    talk(registered, vtn, now=registered.next_wakeup() or now)
    assert of(i.ReportDelivered, registered.indications()) == [i.ReportDelivered(batch=7)]
    first, second = vtn.said(m.UpdateReport)
    assert first.reports[0].intervals == second.reports[0].intervals
    (report,) = second.reports
    assert report.report_name == "TELEMETRY_USAGE"
    assert report.dtstart == report.intervals[0].dtstart == now
    assert report.duration == 5 * SECOND
    assert [len(one.payloads) for one in report.intervals] == [2] * 5
    assert all(one.duration == SECOND for one in report.intervals)


def test_a_report_that_the_vtn_does_not_know_is_given_up(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    request = ReportRequest(
        id="gone", specifier_id="fleet_usage", r_ids=("power",), granularity=SECOND, report_back=5 * SECOND,
        starts_at=now, duration=None,
    )  # fmt: skip
    registered.report(1, request, readings_of(now))
    vtn.script[m.UpdateReport] = lambda: m.UpdatedReport(response=m.EiResponse(response_code="452"), ven_id=VEN_ID)
    talk(registered, vtn, now=now + INTERVAL)
    assert [one.batch for one in of(i.ReportRefused, registered.indications())] == [1]


def test_a_report_is_cancelled_by_message_or_in_passing(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    requests = (a_report_request("a", now=now), a_report_request("b", now=now))
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=requests))
    vtn.queue.append(m.CancelReport(request_id="c2", report_request_ids=("a", "zzz"), report_to_follow=True))
    now += INTERVAL
    talk(registered, vtn, now=now)
    found = registered.indications()
    assert of(i.ReportCancelled, found) == [i.ReportCancelled(request_id="a", to_follow=True)]
    (answer,) = vtn.said(m.CanceledReport)
    assert answer.response.response_code == "452"  # R336: one of the ids is unknown
    assert answer.pending_report_request_ids == ("b",)
    cancel = m.CancelReport(request_id="", report_request_ids=("b",), report_to_follow=False)
    vtn.script[m.UpdateReport] = lambda: m.UpdatedReport(response=OK, ven_id=VEN_ID, cancel_report=cancel)
    registered.report(2, of(i.ReportRequested, found)[1].request, readings_of(now))
    talk(registered, vtn, now=now)
    assert of(i.ReportCancelled, registered.indications()) == [i.ReportCancelled(request_id="b", to_follow=False)]


def test_a_report_from_the_vtn_is_none_that_we_asked_for(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.UpdateReport(request_id="u1"))
    talk(registered, vtn, now=now + INTERVAL)
    assert vtn.said(m.UpdatedReport)[0].response == m.EiResponse(response_code="452", request_id="u1")


def test_every_message_we_send_is_one_that_its_encoder_and_schema_agree_on(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """``ScriptedVtn`` validates all that it hears; a round trip shows that nothing was lost on the way."""
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    registered.answer(opt_in(now=now))
    talk(registered, vtn, now=now + INTERVAL)
    assert all(read(encode(message)) == message for message in vtn.heard)
