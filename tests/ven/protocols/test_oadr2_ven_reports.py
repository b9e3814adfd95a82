"""Reports as the 2.0b pull VEN offers and delivers them, rule by rule, without a socket."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from openadr_core.exchange import Response
from openadr_core.model.report import Reading, ReportRequest
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Oadr2Session
from tests.ven.protocols.conversation import INTERVAL, SECOND, a_session, deliver, of, opt_in
from tests.ven.protocols.scripted_vtn import (
    OK,
    VEN_ID,
    ScriptedVtn,
    a_report_request,
    an_event,
    read,
    talk,
)  # fmt: skip


@pytest.mark.openadr20b("R329", "R344", "R-8")
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


@pytest.mark.openadr20b("R300", "R303", "R304", "R317", "R329", "R340", "R-13", "R-16")
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


@pytest.mark.openadr20b("R313", "R314", "R315", "R316", "R342", "R-17", "R-18", "R-19", "T10")
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


@pytest.mark.openadr20b("R328", "R336", "R345", "R-24", "R-25", "R-26")
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


@pytest.mark.openadr20b("R304", "R-16")
def test_a_report_from_the_vtn_is_none_that_we_asked_for(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.UpdateReport(request_id="u1"))
    talk(registered, vtn, now=now + INTERVAL)
    assert vtn.said(m.UpdatedReport)[0].response == m.EiResponse(response_code="452", request_id="u1")


@pytest.mark.openadr20b("R509", "E1", "E2")
def test_every_message_we_send_is_one_that_its_encoder_and_schema_agree_on(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    """``ScriptedVtn`` validates all that it hears; a round trip shows that nothing was lost on the way."""
    deliver(registered, vtn, an_event(), now=now + INTERVAL)
    registered.answer(opt_in(now=now))
    talk(registered, vtn, now=now + INTERVAL)
    assert all(read(encode(message)) == message for message in vtn.heard)
