"""A VTN that is there and fails over what we say: one message must not keep us from all others."""

from collections.abc import Callable
from datetime import datetime

import pytest

from openadr_core.exchange import Response
from openadr_core.model.opt import OptType
from openadr_core.model.report import ReportRequest
from openadr_core.oadr2 import messages as m
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.backoff import STUMBLES_MAX
from openadr_ven.protocols.oadr2 import Oadr2Session
from tests.ven.protocols.conversation import INTERVAL, a_session, answers, deliver, of, opt_in
from tests.ven.protocols.scripted_vtn import VEN_ID, ScriptedVtn, a_report_request, an_event, talk
from tests.ven.protocols.test_oadr2_ven_reports import readings_of

FAILS: list[Callable[[], Response]] = [
    lambda: Response(status=500),
    lambda: Response(status=200, body=b"<html>It works!</html>"),
]


def wait_out(session: Oadr2Session, vtn: ScriptedVtn, now: datetime, turns: int = 2 * STUMBLES_MAX) -> datetime:
    """Let it try again and again, as its pauses ask."""
    for _ in range(turns):
        talk(session, vtn, now=now)
        now = max(now, session.next_wakeup() or now)
    return now


@pytest.mark.openadr20b("T8", "T10")
@pytest.mark.parametrize("fails", FAILS)
def test_an_answer_over_which_it_fails_is_let_go_in_the_end(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, fails: Callable[[], Response]
) -> None:
    now += INTERVAL
    deliver(registered, vtn, an_event(), now=now)
    vtn.script[m.CreatedEvent] = fails
    registered.answer(opt_in(now=now))
    now = wait_out(registered, vtn, now)
    assert len(vtn.said(m.CreatedEvent)) == STUMBLES_MAX
    assert registered.memory.answers == ()
    # The VTN asks again for what it has not understood.
    del vtn.script[m.CreatedEvent]
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    assert registered.memory.answers == ()
    assert [one.opt_type for one in answers(vtn)] == [OptType.IN.value] * (STUMBLES_MAX + 1)


@pytest.mark.openadr20b("T8", "T10", "R405")
@pytest.mark.parametrize("fails", FAILS)
@pytest.mark.parametrize("kind", [m.RegisterReport, m.RequestEvent])
def test_it_gets_no_further_in_its_reports_and_we_poll_all_the_same(
    vtn: ScriptedVtn, now: datetime, kind: type[m.Message], fails: Callable[[], Response]
) -> None:
    session = a_session(now)
    vtn.script[kind] = fails
    wait_out(session, vtn, now)
    assert len(vtn.said(kind)) == STUMBLES_MAX
    assert vtn.said(m.Poll)
    (refused,) = of(i.VtnRefused, session.indications())
    assert refused.code == "500"


@pytest.mark.openadr20b("T8", "T14", "G5")
def test_a_reply_that_is_answered_by_an_empty_200_is_acknowledged(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    # So does openleadr acknowledge the oadrResponse to its oadrRequestReregistration.
    vtn.queue.append(m.RequestReregistration(ven_id=VEN_ID))
    vtn.script[m.Response] = lambda: Response(status=200)
    talk(registered, vtn, now=now + INTERVAL)
    assert len(vtn.said(m.Response)) == 1
    assert vtn.said(m.CreatePartyRegistration)[-1].ven_id == VEN_ID


@pytest.mark.openadr20b("T10")
def test_readings_over_which_it_fails_are_kept_and_let_others_pass(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(a_report_request(now=now),)))
    now += INTERVAL
    talk(registered, vtn, now=now)
    asked = asked_of(registered)
    registered.report(Batch(number=1, request=asked, readings=readings_of(now)))
    registered.report(Batch(number=2, request=asked, readings=readings_of(now + INTERVAL)))
    vtn.script[m.UpdateReport] = lambda: (
        Response(status=500) if vtn.said(m.UpdateReport)[-1].reports[0].dtstart == now else good
    )
    good = m.UpdatedReport(response=m.EiResponse(response_code="200"), ven_id=VEN_ID)
    later = wait_out(registered, vtn, now)
    assert of(i.ReportDelivered, registered.indications()) == [i.ReportDelivered(batch=2)]
    del vtn.script[m.UpdateReport]
    wait_out(registered, vtn, later)
    assert of(i.ReportDelivered, registered.indications()) == [i.ReportDelivered(batch=1)]


@pytest.mark.openadr20b("G5")
@pytest.mark.parametrize("kind", [m.CreatedEvent, m.UpdateReport])
def test_a_vtn_that_has_forgotten_us_has_not_heard_what_we_said(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, kind: type[m.Message]
) -> None:
    # openleadr answers anything with oadrRequestReregistration once it has lost its memory.
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(a_report_request(now=now),)))
    now += INTERVAL
    talk(registered, vtn, now=now)
    asked = asked_of(registered)
    now += INTERVAL
    deliver(registered, vtn, an_event(), now=now)
    registered.answer(opt_in(now=now))
    registered.report(Batch(number=1, request=asked, readings=readings_of(now)))

    def forgotten() -> m.Message:
        del vtn.script[kind]
        return m.RequestReregistration(ven_id=VEN_ID)

    vtn.script[kind] = forgotten
    wait_out(registered, vtn, now, turns=3)
    assert len(vtn.said(kind)) == 2
    assert len(vtn.said(m.CreatePartyRegistration)) == 1
    assert of(i.ReportDelivered, registered.indications()) == [i.ReportDelivered(batch=1)]


def asked_of(session: Oadr2Session) -> ReportRequest:
    """What the VTN has asked to be reported."""
    (asked,) = of(i.ReportRequested, session.indications())
    return asked.request
