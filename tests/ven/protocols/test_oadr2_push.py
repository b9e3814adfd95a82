"""A VEN that does not poll, rule by rule, without a socket: what the VTN pushes at it, and what it answers (T13)."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer, peer_of
from openadr_core.limits import RETRY_AFTER_MAX_S, XML_BODY_MAX_BYTES
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import BASE, VEN_SERVICES, inflated
from openadr_core.oadr2.session import TURNS, Role, turn_of
from openadr_ven.domain import indications as i
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr2 import Memory, Oadr2Session, Pushed
from openadr_ven.protocols.oadr2.speech import ei_response
from tests.ven.protocols.conversation import SETTINGS, answers, of, opt_in
from tests.ven.protocols.scripted_vtn import (
    VEN_ID,
    ScriptedVtn,
    a_report_request,
    an_event,
    distribute,
    read,
    talk,
)

VTN = peer_of(b"the VTN's certificate", subject="CN=vtn")
STRANGER = peer_of(b"another certificate of the same authority", subject="CN=other")
ADDRESS = "https://ven.example:8443/myVEN/"
PUSHED = replace(SETTINGS, pushed=Pushed(address=ADDRESS, vtn_sha256=frozenset({VTN.certificate_sha256})))
XML = {"content-type": "application/xml"}
SECOND = timedelta(seconds=1)


def a_pushed_session(now: datetime, memory: Memory | None = None) -> Oadr2Session:
    return Oadr2Session(settings=PUSHED, decode=read, dice=random.Random(1), now=now, memory=memory)


@pytest.fixture
def session(now: datetime) -> Oadr2Session:
    return a_pushed_session(now)


def pushed(message: m.Message, *, service: str | None = None, **headers: str) -> Request:
    turn = turn_of(Role.VTN, type(message))
    where = service or (turn.service if turn else "EiEvent")
    sent = XML | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="POST", path=f"/myVEN{BASE}{where}", body=encode(message), headers=sent)


def tell(session: Oadr2Session, message: m.Message, *, now: datetime, peer: Peer = VTN) -> m.Message | None:
    """What answers in the HTTP response; None for an empty one."""
    response = session.receive_request(pushed(message), peer, now=now)
    assert response.status == 200
    return read(response.body) if response.body else None


SAID_BY_VTN: dict[type[m.Message], m.Message] = {
    m.DistributeEvent: distribute(an_event()),
    m.RegisterReport: m.RegisterReport(request_id="r1", ven_id=VEN_ID),
    m.UpdateReport: m.UpdateReport(request_id="u1", ven_id=VEN_ID),
    m.CancelReport: m.CancelReport(request_id="x1", report_request_ids=("none",), report_to_follow=False),
    m.CancelPartyRegistration: m.CancelPartyRegistration(request_id="p1", registration_id="reg-1", ven_id=VEN_ID),
    m.RequestReregistration: m.RequestReregistration(ven_id=VEN_ID),
}
ANSWERED_BY: dict[type[m.Message], type[m.Message]] = {
    m.RegisterReport: m.RegisteredReport,
    m.CreateReport: m.CreatedReport,
    m.UpdateReport: m.UpdatedReport,
    m.CancelReport: m.CanceledReport,
    m.CancelPartyRegistration: m.CanceledPartyRegistration,
    m.RequestReregistration: m.Response,
}


def said_by_vtn(kind: type[m.Message], now: datetime) -> m.Message:
    if kind is m.CreateReport:
        return m.CreateReport(request_id="c1", report_requests=(a_report_request(now=now),), ven_id=VEN_ID)
    return SAID_BY_VTN[kind]


# -- how it registers, and that it never polls ----------------------------------------


@pytest.mark.openadr20b("R402", "R405", "R500", "G2", "G9", "Q5", "T12")
def test_it_registers_with_its_address_and_never_polls(session: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    talk(session, vtn, now=now)
    assert [type(one) for one in vtn.heard] == [m.CreatePartyRegistration, m.RegisterReport, m.RequestEvent]
    create = vtn.said(m.CreatePartyRegistration)[0]
    assert (create.http_pull_model, create.transport_address) == (False, ADDRESS)
    assert session.next_wakeup() is None, "it is told when there is something"
    talk(session, vtn, now=now + timedelta(days=1))
    assert not vtn.said(m.Poll)


@pytest.mark.openadr20b("R405", "G5")
def test_who_is_reached_in_another_way_now_registers_again_under_its_ids(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    elsewhere = Pushed(address="https://ven.example/elsewhere", vtn_sha256=frozenset({VTN.certificate_sha256}))
    moved = replace(PUSHED, pushed=elsewhere)
    for settings, address in ((SETTINGS, None), (moved, "https://ven.example/elsewhere")):
        vtn.heard.clear()
        memory = from_record(Memory, registered.record())
        again = Oadr2Session(settings=settings, decode=read, dice=random.Random(1), now=now, memory=memory)
        talk(again, vtn, now=now)
        create = vtn.said(m.CreatePartyRegistration)[0]
        assert (create.registration_id, create.ven_id) == ("reg-1", VEN_ID)
        assert (create.http_pull_model, create.transport_address) == (address is None, address)
    vtn.heard.clear()
    talk(a_pushed_session(now, from_record(Memory, registered.record())), vtn, now=now)
    assert not vtn.said(m.CreatePartyRegistration), "who is reached as before does not"


# -- what answers what (T13) ----------------------------------------------------------


@pytest.mark.openadr20b("T12", "T13", "R12", "R303", "N1")
def test_an_event_is_answered_by_an_empty_200_and_then_in_a_request_of_ours(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    response = registered.receive_request(pushed(distribute(an_event(), request_id="d7")), VTN, now=now)
    assert (response.status, response.body, response.headers) == (200, b"", {})
    (received,) = of(i.EventReceived, registered.indications())
    assert registered.next_wakeup() is None, "the agent has not decided"
    registered.answer(opt_in(received.event.id, now=now))
    assert registered.next_wakeup() is not None
    talk(registered, vtn, now=now)
    (answer,) = answers(vtn)
    assert (answer.event_id, answer.request_id, answer.opt_type) == ("event-1", "d7", "optIn")


@pytest.mark.openadr20b("T13", "R501", "R329", "R303")
@pytest.mark.parametrize("kind", ANSWERED_BY)
def test_everything_else_is_answered_by_its_payload(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, kind: type[m.Message]
) -> None:
    message = said_by_vtn(kind, now)
    answer = tell(registered, message, now=now)
    assert type(answer) is ANSWERED_BY[kind]
    assert answer is not None
    assert ei_response(answer).request_id == getattr(message, "request_id", "")
    talk(registered, vtn, now=now)
    assert kind is m.RequestReregistration or not vtn.heard, "nothing is said twice, once here and once by itself"


@pytest.mark.openadr20b("T13", "R405")
def test_a_request_to_register_again_is_answered_and_then_followed(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    answer = tell(registered, m.RequestReregistration(ven_id=VEN_ID), now=now)
    assert isinstance(answer, m.Response)
    assert answer.response.response_code == "200"
    talk(registered, vtn, now=now)
    create = vtn.said(m.CreatePartyRegistration)[0]
    assert (create.registration_id, create.http_pull_model) == ("reg-1", False)


@pytest.mark.openadr20b("T13", "R301", "R311", "R-9")
def test_a_request_for_metadata_is_answered_and_then_followed(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    wanted = a_report_request("meta-1", now=now, r_ids=("0",))
    wanted = replace(wanted, specifier=replace(wanted.specifier, report_specifier_id="METADATA"))
    answer = tell(registered, m.CreateReport(request_id="c1", report_requests=(wanted,)), now=now)
    assert isinstance(answer, m.CreatedReport)
    talk(registered, vtn, now=now)
    assert [one.report_request_id for one in vtn.said(m.RegisterReport)] == ["meta-1"]


@pytest.mark.openadr20b("T13", "R407", "G7")
def test_a_cancelled_registration_is_answered_erased_and_tried_again_later(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    answer = tell(registered, said_by_vtn(m.CancelPartyRegistration, now), now=now)
    assert isinstance(answer, m.CanceledPartyRegistration)
    assert answer.response == m.EiResponse(response_code="200", request_id="p1")
    assert of(i.RegistrationLost, registered.indications())
    wakeup = registered.next_wakeup()
    assert wakeup is not None
    assert wakeup > now
    talk(registered, vtn, now=wakeup)
    assert registered.memory.registered


# -- once and for all -----------------------------------------------------------------


@pytest.mark.openadr20b("R57", "R62", "N3", "T10")
def test_what_comes_again_is_answered_again_and_changes_nothing(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    tell(registered, distribute(an_event(), request_id="d1"), now=now)
    registered.indications()
    registered.answer(opt_in(now=now))
    talk(registered, vtn, now=now)
    tell(registered, distribute(an_event(), request_id="d2"), now=now)
    assert registered.indications() == []
    talk(registered, vtn, now=now)
    assert [one.request_id for one in answers(vtn)] == ["d1", "d2"]


@pytest.mark.openadr20b("R61", "T10")
def test_a_restarted_session_asks_for_what_it_missed_while_it_could_not_be_reached(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.events = (an_event(),)
    again = a_pushed_session(now, from_record(Memory, registered.record()))
    talk(again, vtn, now=now)
    assert [type(one) for one in vtn.heard] == [m.RegisterReport, m.RequestEvent]  # R309
    assert of(i.EventReceived, again.indications())


def test_pushes_and_requests_of_ours_may_cross(registered: Oadr2Session, vtn: ScriptedVtn, now: datetime) -> None:
    """Two events, the second of which comes while our answer to the first is on its way: both are answered once."""
    tell(registered, distribute(an_event("one")), now=now)
    registered.answer(opt_in("one", now=now))
    request = registered.next_request(now=now)
    assert request is not None
    tell(registered, distribute(an_event("one"), an_event("two"), request_id="d2"), now=now)
    registered.answer(opt_in("two", now=now))
    answer = vtn.answer(request)
    assert isinstance(answer, Response)
    registered.receive_response(answer, now=now)
    talk(registered, vtn, now=now)
    assert [(one.event_id, one.request_id) for one in answers(vtn)] == [("one", "d1"), ("one", "d2"), ("two", "d2")]


@pytest.mark.openadr20b("R61", "N5", "T12", "T13")
def test_an_answer_that_crossed_a_push_cancels_nothing_and_is_asked_for_again(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """The list was written before the event was made, and read after it was pushed."""
    again = a_pushed_session(now, from_record(Memory, registered.record()))
    offer = again.next_request(now=now)
    assert offer is not None
    taken = vtn.answer(offer)
    assert isinstance(taken, Response)
    again.receive_response(taken, now=now)
    request = again.next_request(now=now)
    assert request is not None
    before_the_event = vtn.answer(request)
    assert isinstance(before_the_event, Response)
    vtn.events = (an_event("new"),)
    tell(again, distribute(an_event("new")), now=now)
    again.receive_response(before_the_event, now=now)
    talk(again, vtn, now=now)
    told = again.indications()
    assert [one.event.id for one in of(i.EventReceived, told)] == ["new"]
    assert not of(i.EventCancelled, told)
    assert [type(one) for one in vtn.heard[-2:]] == [m.RequestEvent, m.RequestEvent]
    vtn.events = ()
    tell(again, distribute(), now=now)
    assert of(i.EventCancelled, again.indications()), "what comes alone is believed"


@pytest.mark.openadr20b("R61", "R115", "N5", "T13")
def test_a_push_that_was_written_before_the_list_we_read_cancels_nothing(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """It was connecting while we asked: the list has an event more than it."""
    old = written(an_event("old"), at=now)
    vtn.events = (written(an_event("old"), at=now + SECOND), written(an_event("new"), at=now + SECOND))
    again = a_pushed_session(now, from_record(Memory, registered.record()))
    talk(again, vtn, now=now)
    assert [one.event.id for one in of(i.EventReceived, again.indications())] == ["old", "new"]
    vtn.heard.clear()
    assert tell(again, distribute(old), now=now) is None
    talk(again, vtn, now=now)
    assert [type(one) for one in vtn.heard] == [m.RequestEvent]
    assert not of(i.EventCancelled, again.indications())
    tell(again, distribute(written(an_event("old"), at=now + 2 * SECOND)), now=now)
    assert [one.event.id for one in of(i.EventCancelled, again.indications())] == ["new"]


def written(event: m.Event, *, at: datetime) -> m.Event:
    return replace(event, descriptor=replace(event.descriptor, created_date_time=at))


# -- who may speak, and when ----------------------------------------------------------


@pytest.mark.openadr20b("T12", "S6", "R517")
@pytest.mark.parametrize("kind", TURNS[Role.VTN])
def test_a_stranger_is_told_nothing_and_moves_nothing(
    registered: Oadr2Session, now: datetime, kind: type[m.Message]
) -> None:
    before = registered.record()
    for _ in range(5):
        response = registered.receive_request(pushed(said_by_vtn(kind, now)), STRANGER, now=now)
        assert (response.status, response.body) == (403, b"")
    assert registered.record() == before
    (told,) = registered.indications()
    assert told == i.StrangerRefused(fingerprint=STRANGER.fingerprint_20b, subject="CN=other"), "and once a minute"
    registered.receive_request(pushed(said_by_vtn(kind, now)), STRANGER, now=now + timedelta(minutes=1))
    assert len(registered.indications()) == 1


def test_who_polls_listens_to_nobody(now: datetime) -> None:
    polling = Oadr2Session(settings=SETTINGS, decode=read, dice=random.Random(1), now=now)
    assert polling.receive_request(pushed(distribute()), VTN, now=now).status == 403


@pytest.mark.openadr20b("R405", "R517", "G10", "G12")
@pytest.mark.parametrize("kind", TURNS[Role.VTN])
def test_before_it_is_registered_nothing_is_taken(session: Oadr2Session, now: datetime, kind: type[m.Message]) -> None:
    before = session.record()
    response = session.receive_request(pushed(said_by_vtn(kind, now)), VTN, now=now)
    if kind is m.DistributeEvent:
        assert (response.status, response.headers["retry-after"]) == (503, "1"), "an empty 200 would say we have it"
    else:
        answer = read(response.body)
        assert type(answer) is ANSWERED_BY[kind]
        assert ei_response(answer).response_code == "463"
    assert session.record() == before
    assert session.indications() == []


@pytest.mark.openadr20b("G12", "T8")
@pytest.mark.parametrize("kind", TURNS[Role.VTN])
def test_while_it_registers_the_vtn_shall_come_again(
    session: Oadr2Session, vtn: ScriptedVtn, now: datetime, kind: type[m.Message]
) -> None:
    """The VTN may have registered us already: to say 463 now would be to disown what it just did."""
    assert session.next_request(now=now) is not None
    before = session.record()
    assert session.receive_request(pushed(said_by_vtn(kind, now)), VTN, now=now).status == 503
    assert session.record() == before


@pytest.mark.openadr20b("R21", "E9")
@pytest.mark.parametrize("kind", [kind for kind in ANSWERED_BY if kind is not m.RequestReregistration])
def test_another_venid_is_452_and_nothing_happens(
    registered: Oadr2Session, now: datetime, kind: type[m.Message]
) -> None:
    before = registered.record()
    message = replace(said_by_vtn(kind, now), ven_id=VEN_ID.upper())  # type: ignore[arg-type]
    answer = tell(registered, message, now=now)
    assert type(answer) is ANSWERED_BY[kind]
    assert answer is not None
    assert ei_response(answer).response_code == "452"
    assert registered.record() == before


@pytest.mark.openadr20b("R21", "R35", "N13")
def test_an_event_of_another_vtn_is_not_taken_and_the_error_is_told(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    assert tell(registered, distribute(an_event(), vtn_id="another"), now=now) is None
    assert registered.memory.known == ()
    talk(registered, vtn, now=now)
    assert vtn.said(m.CreatedEvent)[0].response.response_code == "452"


@pytest.mark.openadr20b("R35", "R21", "E10")
def test_an_error_is_told_of_each_payload_also_while_another_is_told(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    def say_ok() -> m.Response:
        if len(vtn.said(m.CreatedEvent)) == 1:
            tell(registered, distribute(an_event(), vtn_id="a third", request_id="second"), now=now)
        return m.Response(response=m.EiResponse(response_code="200"), ven_id=VEN_ID)

    vtn.script[m.CreatedEvent] = say_ok
    for _ in range(2):  # the same payload again is answered once
        tell(registered, distribute(an_event(), vtn_id="another", request_id="first"), now=now)
    talk(registered, vtn, now=now)
    said = [created.response for created in vtn.said(m.CreatedEvent)]
    assert [(one.response_code, one.request_id) for one in said] == [("452", "first"), ("452", "second")]


@pytest.mark.openadr20b("T4", "R33", "R51", "T15", "R23")
@pytest.mark.parametrize(
    ("message", "service"),
    [
        (m.RegisterReport(request_id="r1"), "EiEvent"),
        (distribute(an_event()), "EiReport"),
        (m.CancelPartyRegistration(request_id="p1", registration_id="reg-1"), "EiReport"),
        (m.Poll(ven_id=VEN_ID), "EiEvent"),
        (m.RequestEvent(request_id="q1", ven_id=VEN_ID), "EiEvent"),
        (m.CreatedEvent(response=m.EiResponse(response_code="200"), ven_id=VEN_ID), "EiEvent"),
    ],
)
def test_what_is_said_in_the_wrong_place_or_by_the_wrong_side_is_459(
    registered: Oadr2Session, now: datetime, message: m.Message, service: str
) -> None:
    before = registered.record()
    response = registered.receive_request(pushed(message, service=service), VTN, now=now)
    assert response.status == 200
    assert ei_response(read(response.body)).response_code == "459"
    assert registered.record() == before
    assert registered.indications() == []


# -- HTTP (9.1) -----------------------------------------------------------------------


def changed(**changes: object) -> Callable[[Request], Request]:
    return lambda request: replace(request, **changes)  # type: ignore[arg-type]


GOOD = pushed(m.RegisterReport(request_id="r1", ven_id=VEN_ID))


@pytest.mark.openadr20b("T1", "T2", "T3", "T5", "T6", "T7", "T8", "R53", "R511")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        (changed(), 200),
        (changed(path="/myVEN/OpenADR2/./Simple/2%2E0b/EiReport"), 200),
        (changed(method="GET"), 501),
        (changed(method="PUT"), 501),
        (changed(path=f"{BASE}EiReport"), 404),
        (changed(path=f"/myVTN{BASE}EiReport"), 404),
        (changed(path=f"/myVEN{BASE}eireport"), 404),
        (changed(path=f"/myVEN{BASE}OadrPoll"), 404),
        (changed(path=f"/myVEN{BASE}EiOpt"), 404),
        (changed(headers=XML | {"transfer-encoding": "chunked"}), 411),
        (changed(headers={}), 406),
        (changed(headers={"content-type": "application/xml; charset=utf-16"}), 406),
        (changed(headers={"content-type": "application/xml; charset=utf-8"}), 200),
        (changed(headers=XML | {"accept": "application/json"}), 406),
        (changed(body=b""), 406),
        (changed(body=b"<no-xml"), 406),
        (changed(body=GOOD.body.replace(b"oadrRegisterReport", b"oadrRegisterRapport")), 406),
        (changed(body=b'<!DOCTYPE x [<!ENTITY e "x">]>' + GOOD.body), 406),
        (changed(body=GOOD.body + b" " * XML_BODY_MAX_BYTES), 413),
    ],
)
def test_http_rules_are_those_of_the_vtn(
    registered: Oadr2Session, now: datetime, change: Callable[[Request], Request], status: int
) -> None:
    registered.receive_request(GOOD, VTN, now=now)  # from then on it changes nothing
    before = registered.record()
    response = registered.receive_request(change(GOOD), VTN, now=now)
    assert response.status == status
    assert status == 200 or response.body == b""
    assert registered.record() == before
    assert registered.receive_request(GOOD, VTN, now=now).status == 200, "the next valid message works"


@pytest.mark.openadr20b("T1")
def test_its_services_are_those_that_a_vtn_may_address() -> None:
    assert {turn.service for turn in TURNS[Role.VTN].values()} == set(VEN_SERVICES)


@pytest.mark.openadr20b("T7")
def test_an_answer_is_compressed_for_whoever_asks(registered: Oadr2Session, now: datetime) -> None:
    plain = registered.receive_request(GOOD, VTN, now=now)
    packed = registered.receive_request(
        pushed(m.RegisterReport(request_id="r1", ven_id=VEN_ID), accept_encoding="gzip"), VTN, now=now
    )
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert inflated(packed.body, "gzip", max_bytes=XML_BODY_MAX_BYTES) == plain.body
    empty = registered.receive_request(pushed(distribute(), accept_encoding="gzip"), VTN, now=now)
    assert (empty.body, empty.headers) == (b"", {})


@pytest.mark.openadr20b("T8", "T10")
@pytest.mark.parametrize(
    ("told", "at_least_s", "at_most_s"),
    [
        ("7", 7, 7),
        ("0", 0.9, 1.1),
        ("", 0.9, 1.1),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.9, 1.1),
        ("-5", 0.9, 1.1),
        ("999999999999", RETRY_AFTER_MAX_S, RETRY_AFTER_MAX_S),
    ],
)
def test_a_busy_vtn_is_left_alone_for_as_long_as_it_asks(
    session: Oadr2Session, vtn: ScriptedVtn, now: datetime, told: str, at_least_s: float, at_most_s: float
) -> None:
    vtn.script[m.CreatePartyRegistration] = lambda: Response(status=503, headers={"retry-after": told})
    talk(session, vtn, now=now)
    wakeup = session.next_wakeup()
    assert wakeup is not None
    assert at_least_s <= (wakeup - now).total_seconds() <= at_most_s
