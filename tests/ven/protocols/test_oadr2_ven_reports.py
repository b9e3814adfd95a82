"""Reports as the 2.0b pull VEN offers and delivers them, rule by rule, without a socket."""

from datetime import datetime, timedelta

import pytest

from openadr_core.exchange import Response
from openadr_core.model.report import (
    Control,
    ControlValue,
    Quality,
    Reading,
    ReportRequest,
    ResourceStatus,
    StatusReading,
)
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.measures import quality_code, quality_of
from openadr_ven.application.report_offers import USAGE_OFFER
from openadr_ven.domain import indications as i
from openadr_ven.domain.held import Batch
from openadr_ven.protocols.oadr2 import Oadr2Session
from openadr_ven.protocols.oadr2.reports import update
from tests.ven.protocols.conversation import INTERVAL, OFFERS, SECOND, a_session, deliver, of, opt_in
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


def readings_of(now: datetime) -> tuple[Reading, ...]:
    return tuple(
        Reading(r_id=r_id, starts_at=now + n * SECOND, duration=SECOND, value=-1.5e6 + n)
        for n in range(5)
        for r_id in ("power", "energy", "baseline")
    )


@pytest.mark.openadr20b("R313", "R314", "R315", "R316", "R342", "R-17", "R-18", "R-19", "T10")
def test_readings_are_sent_until_they_are_acknowledged(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(a_report_request(now=now),)))
    now += INTERVAL
    talk(registered, vtn, now=now)
    (asked,) = of(i.ReportRequested, registered.indications())
    registered.report(Batch(number=7, request=asked.request, readings=readings_of(now)))
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
    assert [len(one.payloads) for one in report.intervals] == [3] * 5
    assert all(one.duration == SECOND for one in report.intervals)


def test_a_report_that_the_vtn_does_not_know_is_given_up(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    request = ReportRequest(
        id="gone", specifier_id="fleet_usage", r_ids=("power",), granularity=SECOND, report_back=5 * SECOND,
        starts_at=now, duration=None,
    )  # fmt: skip
    registered.report(Batch(number=1, request=request, readings=readings_of(now)))
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
    registered.report(Batch(number=2, request=of(i.ReportRequested, found)[1].request, readings=readings_of(now)))
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


# -- what is written -------------------------------------------------------------------


def written(r_ids: tuple[str, ...], now: datetime, *, back: timedelta = 5 * SECOND, length: int = 1) -> m.Report:
    """The report of two intervals."""
    request = ReportRequest(
        id="r", specifier_id="fleet_usage", r_ids=r_ids, granularity=SECOND, report_back=back, starts_at=now,
        duration=None,
    )  # fmt: skip
    readings = tuple(
        Reading(r_id=r_id, starts_at=now + second * SECOND, duration=length * SECOND, value=1.5)
        for second in (length, 0)  # in whatever order they come
        for r_id in r_ids
    )
    batch = Batch(number=1, request=request, readings=readings)
    message = update(batch, USAGE_OFFER, request_id="q", ven_id=VEN_ID, now=now)
    assert read(encode(message)) == message
    (report,) = message.reports
    return report


@pytest.mark.openadr20b("R313", "R314", "R315", "R316", "R342", "R-17", "R-18", "R-19")
@pytest.mark.parametrize(
    ("r_ids", "length"),
    [(("power",), None), (("power", "baseline"), None), (("energy",), SECOND), (("power", "energy"), SECOND)],
)
def test_a_sum_says_how_long_and_a_point_in_time_does_not(
    now: datetime, r_ids: tuple[str, ...], length: timedelta | None
) -> None:
    report = written(r_ids, now)
    assert [one.dtstart for one in report.intervals] == [now, now + SECOND]
    assert {one.duration for one in report.intervals} == {length}
    assert (report.dtstart, report.duration) == (now, None if length is None else 2 * SECOND)
    assert (report.report_name, report.report_request_id, report.report_specifier_id) == (
        "TELEMETRY_USAGE", "r", "fleet_usage",
    )  # fmt: skip
    assert report.descriptions == ()


@pytest.mark.openadr20b("R337", "R-11")
def test_the_only_report_of_a_range_of_rates_says_how_long(now: datetime) -> None:
    assert {one.duration for one in written(("power",), now, back=timedelta(0)).intervals} == {SECOND}


@pytest.mark.openadr20b("R334", "R315", "R318", "R-20", "R-21")
def test_statuses_are_points_in_time_of_one_shape(now: datetime) -> None:
    request = ReportRequest(
        id="r", specifier_id="fleet_status", r_ids=("fleet",), granularity=SECOND, report_back=2 * SECOND,
        starts_at=now, duration=None,
    )  # fmt: skip
    controls = {Control.CAPACITY: ControlValue(current=0.5, minimum=0.0, maximum=1.0, normal=1.0)}
    stands = ResourceStatus(online=True, manual_override=False, controls=controls)
    statuses = tuple(
        StatusReading(r_id="fleet", at=now + second * SECOND, status=stands, quality=quality, cause=cause)
        for second, quality, cause in ((1, Quality.BAD, "Not Connected"), (0, Quality.GOOD, ""))
    )
    batch = Batch(number=1, request=request, statuses=statuses)
    message = update(batch, OFFERS[1], request_id="q", ven_id=VEN_ID, now=now)
    assert read(encode(message)) == message
    (report,) = message.reports
    assert [(one.dtstart, one.duration) for one in report.intervals] == [(now, None), (now + SECOND, None)]
    payloads = [one.payloads[0] for one in report.intervals]
    assert [one.data_quality for one in payloads] == ["Quality Good - Non Specific", "Quality Bad - Not Connected"]
    assert {one.value for one in payloads} == {
        m.ResourceStatus(
            online=True,
            manual_override=False,
            capacity=m.LoadControlValue(current=0.5, minimum=0.0, maximum=1.0, normal=1.0),
        )
    }


@pytest.mark.openadr20b("R318", "R319", "R-20")
@pytest.mark.parametrize(
    ("quality", "cause", "code"),
    [
        (Quality.GOOD, "", "Quality Good - Non Specific"),
        (Quality.UNCHANGED, "", "No New Value - Previous Value Used"),
        (Quality.LIMITED, "Field/Low", "Quality Limit - Field/Low"),
        (Quality.ESTIMATED, "Last Usable Value", "Quality Uncertain - Last Usable Value"),
        (Quality.BAD, "Comm Failure", "Quality Bad - Comm Failure"),
        (Quality.MISSING, "", "No Quality - No Value"),
    ],
)
def test_quality_is_told_in_the_standards_words_and_read_back(quality: Quality, cause: str, code: str) -> None:
    assert quality_code(quality, cause) == code
    assert quality_of(code) == (quality, cause)


# -- what goes wrong -------------------------------------------------------------------


def a_batch(number: int, now: datetime, *, request_id: str = "r", last: bool = False) -> Batch:
    request = ReportRequest(
        id=request_id, specifier_id="fleet_usage", r_ids=("power",), granularity=SECOND, report_back=5 * SECOND,
        starts_at=now, duration=None,
    )  # fmt: skip
    reading = Reading(r_id="power", starts_at=now + number * SECOND, duration=SECOND, value=float(number))
    return Batch(number=number, request=request, readings=(reading,), last=last)


@pytest.mark.openadr20b("T10")
@pytest.mark.parametrize(
    "nonsense",
    [
        Response(status=200, body=b""),
        Response(status=200, body=b"<html>busy</html>"),
        Response(status=500),
    ],
)
def test_one_report_without_a_sensible_answer_stops_no_other(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, nonsense: Response
) -> None:
    """And it is not lost either: it is told again behind the others, until it is answered."""
    for number in range(4):
        registered.report(a_batch(number, now))
    hopeless = {1.0}

    def answer() -> m.Message | Response:
        value = vtn.said(m.UpdateReport)[-1].reports[0].intervals[0].payloads[0].value
        return nonsense if value in hopeless else m.UpdatedReport(response=OK, ven_id=VEN_ID)

    vtn.script[m.UpdateReport] = answer
    delivered: list[int] = []
    for second in range(60):
        talk(registered, vtn, now=now + second * SECOND)
        delivered += [one.batch for one in of(i.ReportDelivered, registered.indications())]
    assert delivered == [0, 2, 3]
    hopeless.clear()
    talk(registered, vtn, now=now + timedelta(minutes=5))
    assert of(i.ReportDelivered, registered.indications()) == [i.ReportDelivered(batch=1)]


@pytest.mark.openadr20b("R329")
def test_with_its_last_report_a_request_is_pending_no_more(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime
) -> None:
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(a_report_request("r", now=now),)))
    talk(registered, vtn, now=now + INTERVAL)
    registered.report(a_batch(1, now))
    talk(registered, vtn, now=now + INTERVAL)
    assert list(registered.memory.pending_reports) == ["r"]
    registered.report(a_batch(2, now, last=True))
    talk(registered, vtn, now=now + INTERVAL)
    assert not registered.memory.pending_reports


@pytest.mark.openadr20b("R336", "R345", "R-24", "R-25")
@pytest.mark.parametrize("to_follow", [False, True])
def test_what_waits_of_a_cancelled_report_is_told_only_if_one_is_to_follow(
    registered: Oadr2Session, vtn: ScriptedVtn, now: datetime, to_follow: bool
) -> None:
    vtn.queue.append(m.CreateReport(request_id="c1", report_requests=(a_report_request("r", now=now),)))
    now += INTERVAL
    talk(registered, vtn, now=now)
    registered.report(a_batch(1, now))
    registered.report(a_batch(2, now, request_id="other"))
    vtn.queue.append(m.CancelReport(request_id="x", report_request_ids=("r",), report_to_follow=to_follow))
    vtn.heard.clear()
    talk(registered, vtn, now=now + INTERVAL)
    told = [one.reports[0].report_request_id for one in vtn.said(m.UpdateReport)]
    assert told == (["r", "other"] if to_follow else ["other"])
