"""Registration, polling and memory of the 2.0b pull VEN, rule by rule, without a socket."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError
from openadr_core.exchange import Response
from openadr_core.oadr2 import messages as m
from openadr_ven.domain import indications as i
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session
from openadr_ven.protocols.session import Session
from tests.ven.protocols.conversation import (
    INTERVAL,
    SETTINGS,
    a_session,
    answers,
    deliver,
    of,
    opt_in,
)
from tests.ven.protocols.scripted_vtn import (
    VEN_ID,
    VTN_ID,
    ScriptedVtn,
    an_event,
    distribute,
    read,
    talk,
)  # fmt: skip


@pytest.mark.openadr20b("R301", "R309", "R401", "R402", "R405", "R501", "G2", "G4", "G8", "G9", "Q4", "T15")
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


@pytest.mark.openadr20b("R301", "R311", "R312", "R327", "R331", "R333", "R-3", "R-4", "R-5", "R-9")
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
    assert [one.report_name for one in offer.reports] == [
        "METADATA_TELEMETRY_USAGE",
        "METADATA_TELEMETRY_STATUS",
        "METADATA_HISTORY_USAGE",
    ]
    assert len({one.report_specifier_id for one in offer.reports}) == 3  # R308
    for report in offer.reports:
        assert (report.report_request_id, report.dtstart, report.intervals) == ("0", None, ())
        assert report.duration is not None
        for point in report.descriptions:
            rate = point.sampling_rate
            if report.report_name == "METADATA_HISTORY_USAGE":
                assert rate is None
            else:
                assert rate is not None
                assert rate.min_period <= rate.max_period <= report.duration
        if report.report_name == "METADATA_TELEMETRY_STATUS":
            assert {(one.report_type, one.reading_type, one.item_base) for one in report.descriptions} == {
                ("x-resourceStatus", "x-notApplicable", None)
            }
            sources = [one.report_data_source for one in report.descriptions]
            assert sources == [m.Target(resource_ids=(name,)) for name in ("fleet", "fleet-battery")]
        else:
            found = [(one.report_type, one.reading_type, one.item_base) for one in report.descriptions]
            assert [(kind, how, unit and (unit.name, unit.units, unit.si_scale_code)) for kind, how, unit in found] == [
                ("usage", "Direct Read", ("powerReal", "W", "none")),
                ("usage", "Direct Read", ("energyReal", "Wh", "none")),
                ("baseline", "Derived", ("powerReal", "W", "none")),
            ]


@pytest.mark.openadr20b("R401", "G8")
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


@pytest.mark.openadr20b("R500", "R517", "G10")
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


@pytest.mark.openadr20b("R405", "G5")
def test_the_vtn_may_ask_us_to_register_again_under_the_same_ids(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.RequestReregistration(ven_id=VEN_ID))
    talk(registered, vtn, now=now + INTERVAL)
    create = vtn.said(m.CreatePartyRegistration)[0]
    assert (create.registration_id, create.ven_id) == ("reg-1", VEN_ID)
    kinds = [type(one) for one in vtn.heard]
    assert kinds.index(m.Response) < kinds.index(m.CreatePartyRegistration)  # acknowledged first


@pytest.mark.openadr20b("R401", "R407", "G7", "G8")
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


@pytest.mark.openadr20b("R400", "G10")
def test_somebody_elses_registration_cannot_be_cancelled_at_us(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CancelPartyRegistration(request_id="x", registration_id="another", ven_id=VEN_ID))
    talk(registered, vtn, now=now + INTERVAL)
    assert vtn.said(m.CanceledPartyRegistration)[0].response.response_code == "452"
    assert registered.memory.registered


@pytest.mark.openadr20b("R407", "G7")
def test_we_may_leave(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    registered.unregister()
    talk(registered, vtn, now=now)
    assert vtn.said(m.CancelPartyRegistration)[0].registration_id == "reg-1"
    assert not registered.memory.registered
    assert registered.next_wakeup() is None


@pytest.mark.openadr20b("R500", "R303", "Q2")
def test_the_queue_is_drained_before_the_interval_is_waited_for(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.extend([m.RegisterReport(request_id="r1"), distribute(), distribute()])
    talk(registered, vtn, now=now + INTERVAL)
    assert len(vtn.said(m.Poll)) == 4
    assert vtn.said(m.RegisteredReport)[0].response.request_id == "r1"
    assert registered.next_wakeup() == now + 2 * INTERVAL


@pytest.mark.openadr20b("R500", "Q4")
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


@pytest.mark.openadr20b("T8", "T10")
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


@pytest.mark.openadr20b("T10")
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


@pytest.mark.openadr20b("R61", "T10")
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
    assert [type(one) for one in vtn.heard][:3] == [m.RegisterReport, m.RequestEvent, m.CreatedEvent]  # R309
    assert again.indications() == []
    assert answers(vtn)[0].opt_type == "optIn"


def test_an_event_that_was_not_decided_before_the_crash_is_indicated_again(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    again = a_session(now, from_record(Memory, registered.record()))
    assert [one.event.id for one in of(i.EventReceived, again.indications())] == ["event-1"]
