"""Registration, polling and memory of the 2.0b pull VEN, rule by rule, without a socket."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
    a_report_request,
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
                # Of the past nobody asks what could have been asked for.
                *[("upRegulationCapacityAvailable", "Derived", ("powerReal", "W", "none"))]
                * (report.report_name == "METADATA_TELEMETRY_USAGE"),
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
    (lost,) = of(i.RegistrationLost, registered.indications())
    assert lost.stays_away
    registered.register(now=now)
    talk(registered, vtn, now=now)
    assert registered.memory.registered


@pytest.mark.openadr20b("R407", "R61", "G7")
@pytest.mark.parametrize("by", ["us", "the VTN"])
def test_who_ends_a_registration_ends_what_was_asked_under_it(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, by: str
) -> None:
    """Nobody could stop it any more. One that was only lost is soon there again, and so are its events."""
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    registered.answer(opt_in(now=now))
    if by == "us":
        registered.unregister()
    else:
        vtn.queue.append(m.CancelPartyRegistration(request_id="x", registration_id="reg-1", ven_id=VEN_ID))
    talk(registered, vtn, now=now + 2 * INTERVAL)
    (ended,) = of(i.EventCancelled, registered.indications())
    assert (ended.event.id, ended.event.cancelled_at, ended.implied) == ("event-1", now + 2 * INTERVAL, True)
    assert registered.memory.known == ()


@pytest.mark.openadr20b("R405", "G5")
@pytest.mark.parametrize("changes", [{"ven_name": "new-name"}, {"report_only": True}, {"xml_signature": True}])
def test_what_we_tell_of_ourselves_has_changed_so_we_register_again_under_our_ids(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, changes: dict[str, object]
) -> None:
    for settings, times in ((SETTINGS, 0), (replace(SETTINGS, **changes), 1)):  # type: ignore[arg-type]
        vtn.heard.clear()
        memory = from_record(Memory, registered.record())
        again = Oadr2Session(settings=settings, decode=read, dice=random.Random(1), now=now, memory=memory)
        talk(again, vtn, now=now)
        said = vtn.said(m.CreatePartyRegistration)
        assert [(one.registration_id, one.ven_id) for one in said] == [("reg-1", VEN_ID)] * times
    assert (said[0].ven_name == "new-name") == ("ven_name" in changes)
    assert bool(vtn.said(m.RequestEvent)) == (not said[0].report_only), "a VEN for reports asks for no events"


@pytest.mark.openadr20b("R402", "R405", "G2", "G4", "G13")
def test_ids_that_were_agreed_on_before(vtn: ScriptedVtn, now: datetime) -> None:
    """A venID is told when we register, and given up if the VTN gives another; a whole registration is simply there."""
    settings = replace(SETTINGS, ven_id="AGREED")
    session = Oadr2Session(settings=settings, decode=read, dice=random.Random(1), now=now)
    talk(session, vtn, now=now)
    (create,) = vtn.said(m.CreatePartyRegistration)
    assert (create.registration_id, create.ven_id) == (None, "AGREED")
    assert {one.ven_id for one in vtn.said(m.Poll)} == {VEN_ID}
    vtn.heard.clear()
    settings = replace(settings, ven_id=VEN_ID, registration_id="paper-7")
    session = Oadr2Session(settings=settings, decode=read, dice=random.Random(1), now=now)
    talk(session, vtn, now=now)
    assert vtn.said(m.CreatePartyRegistration) == []
    assert {one.ven_id for one in vtn.said(m.Poll)} == {VEN_ID}
    vtn.script[m.Poll] = lambda: m.Response(response=m.EiResponse(response_code="463"))
    talk(session, vtn, now=now + INTERVAL)
    vtn.script.clear()
    talk(session, vtn, now=now + 5 * INTERVAL)
    assert [one.ven_id for one in vtn.said(m.CreatePartyRegistration)] == [VEN_ID], "the VTN knows nothing of it"


@pytest.mark.openadr20b("R405", "G12")
@pytest.mark.parametrize(
    "payload",
    [
        distribute(an_event()),
        m.CreateReport(request_id="c", report_requests=(a_report_request(now=datetime(2026, 7, 15, tzinfo=UTC)),)),
        m.CancelPartyRegistration(request_id="x", registration_id="", ven_id=VEN_ID),
        m.RequestReregistration(ven_id=VEN_ID),
        m.Response(response=m.EiResponse(response_code="200")),
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_what_a_vtn_says_to_who_is_not_registered_is_ignored(
    session: Oadr2Session, vtn: ScriptedVtn, now: datetime, payload: m.Message
) -> None:
    vtn.script[m.CreatePartyRegistration] = lambda: payload
    for _ in range(3):
        talk(session, vtn, now=now)
        now += 10 * INTERVAL
    assert {type(one) for one in session.indications()} <= {i.VtnUnreachable, i.VtnReachable}
    assert {type(one) for one in vtn.heard} == {m.CreatePartyRegistration}
    vtn.script.clear()
    talk(session, vtn, now=now)
    assert session.memory.registered


@pytest.mark.openadr20b("T11", "Q4")
def test_polls_drift_apart_by_a_part_of_the_interval_and_are_never_early(vtn: ScriptedVtn, now: datetime) -> None:
    settings = replace(SETTINGS, poll_jitter=0.5, poll_interval=timedelta(milliseconds=2500))
    session = Oadr2Session(settings=settings, decode=read, dice=random.Random(1), now=now)
    waits = []
    for _ in range(20):
        talk(session, vtn, now=now)
        wakeup = session.next_wakeup()
        assert wakeup is not None
        waits.append((wakeup - now).total_seconds())
        now = wakeup
    assert 2.5 <= min(waits) < max(waits) <= 3.75
    assert len(set(waits)) == 20


@pytest.mark.openadr20b("Q2", "Q3", "R500")
def test_all_three_orders_of_annex_c_are_survived(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    """Answer, then poll; the poll ignored while an answer is owed; the next item before the earlier answer is taken."""
    report = m.RegisterReport(request_id="r1", ven_id=VEN_ID)
    vtn.queue.extend([report, distribute(an_event())])
    talk(registered, vtn, now=now + INTERVAL)
    kinds = [type(one) for one in vtn.heard]
    assert kinds[:3] == [m.Poll, m.RegisteredReport, m.Poll]
    vtn.heard.clear()
    idle = m.Response(response=m.EiResponse(response_code="200"))
    vtn.script[m.RegisteredReport] = lambda: None
    vtn.queue.extend([replace(report, request_id="r2"), idle])
    talk(registered, vtn, now=now + 2 * INTERVAL)
    del vtn.script[m.RegisteredReport]
    now += 20 * INTERVAL
    talk(registered, vtn, now=now)
    assert [one.response.request_id for one in vtn.said(m.RegisteredReport)] == ["r2", "r2"], "told until it is taken"
    vtn.heard.clear()
    vtn.queue.extend(
        [replace(report, request_id="r3"), replace(report, request_id="r4"), replace(report, request_id="r3")]
    )
    now += 20 * INTERVAL
    talk(registered, vtn, now=now)
    assert [one.response.request_id for one in vtn.said(m.RegisteredReport)] == ["r3", "r4", "r3"]


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
