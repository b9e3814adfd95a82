"""What a VEN of OpenADR 3 tells of its state in an event: once, the last word, whatever gets lost."""

import json
import random
from datetime import timedelta

import pytest

from openadr_core.exchange import Response
from openadr_core.model.opt import Opt, OptType
from openadr_ven.domain import indications as i
from openadr_ven.domain.records import from_record
from openadr_ven.protocols.oadr3 import Memory, Oadr3Session
from tests.ven.protocols.test_oadr3_hearing import NOW, ScriptedVtn, json_answer, settings_of

EVENT = {
    "id": "e1", "objectType": "EVENT", "programID": "p1", "createdDateTime": "2030-07-01T17:00:00Z",
    "modificationDateTime": "2030-07-01T17:00:00Z",
    "intervalPeriod": {"start": "2030-07-01T19:00:00Z", "duration": "PT1H"},
    "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}],
}  # fmt: skip
PROGRAM = {"id": "p1", "programName": "relief", "objectType": "PROGRAM"}
NAME = "e1 OPERATING_STATE"
OUT, IN = "RUNNING_OPTED_OUT", "RUNNING_NORMAL"


@pytest.fixture
def vtn() -> ScriptedVtn:
    """It knows us and our event, which is not answered yet."""
    vtn = ScriptedVtn(Oadr3Session(settings=settings_of(webhook=None), dice=random.Random(1), now=NOW))
    vtn.answers = {
        ("GET", "/vens"): json_answer([{"id": "v1", "venName": "house"}]),
        ("GET", "/programs"): json_answer([PROGRAM]),
        ("GET", "/events"): json_answer([EVENT]),
        ("POST", "/reports"): json_answer({"id": "r1"}, 201),
        ("PUT", "/reports/r1"): json_answer({"id": "r1"}),
    }
    assert [type(one) for one in vtn.run()] == [i.Registered, i.EventReceived]
    vtn.asked.clear()
    return vtn


def say(vtn: ScriptedVtn, opt_type: OptType) -> None:
    vtn.session.answer(Opt(event_id="e1", version=0, opt_type=opt_type, at=vtn.now))


def state_told(vtn: ScriptedVtn, method: str, path: str) -> str:
    body = vtn.bodies[method, path]
    assert body["reportName"] == NAME
    return str(body["resources"][0]["intervals"][0]["payloads"][0]["values"][0])


def test_who_takes_part_says_nothing(vtn: ScriptedVtn) -> None:
    say(vtn, OptType.IN)
    vtn.run()
    assert vtn.asked == []


def test_it_is_told_once_and_its_change_in_place(vtn: ScriptedVtn) -> None:
    say(vtn, OptType.OUT)
    vtn.run()
    assert vtn.asked == [("GET", "/reports"), ("POST", "/reports")]
    assert state_told(vtn, "POST", "/reports") == OUT
    say(vtn, OptType.OUT)
    assert vtn.later(0) == []
    assert vtn.asked == []
    say(vtn, OptType.IN)
    vtn.later(0)
    assert vtn.asked == [("PUT", "/reports/r1")]
    assert state_told(vtn, "PUT", "/reports/r1") == IN


def test_one_whose_answer_was_lost_is_looked_for_and_not_made_twice(vtn: ScriptedVtn) -> None:
    say(vtn, OptType.OUT)
    request = vtn.session.next_request(now=vtn.now)
    while request is not None and request.method != "POST":
        vtn.session.receive_response(vtn.answer(request), now=vtn.now)
        request = vtn.session.next_request(now=vtn.now)
    assert request is not None
    vtn.answer(request)
    vtn.session.request_failed(now=vtn.now, reason="lost")
    vtn.answers["GET", "/reports"] = json_answer([{"id": "r1", "reportName": NAME}])
    vtn.later(10)
    assert vtn.asked == [("GET", "/reports"), ("PUT", "/reports/r1")]


def test_what_the_agent_says_in_the_meantime_is_the_last_word(vtn: ScriptedVtn) -> None:
    say(vtn, OptType.OUT)
    request = vtn.session.next_request(now=vtn.now)
    assert request is not None
    vtn.session.receive_response(vtn.answer(request), now=vtn.now)
    request = vtn.session.next_request(now=vtn.now)
    assert request is not None
    assert OUT in request.body.decode()
    say(vtn, OptType.IN)
    vtn.session.receive_response(vtn.answer(request), now=vtn.now)
    vtn.later(0)
    assert vtn.asked == [("PUT", "/reports/r1")]
    assert state_told(vtn, "PUT", "/reports/r1") == IN


def test_a_report_that_somebody_took_away_is_made_anew(vtn: ScriptedVtn) -> None:
    say(vtn, OptType.OUT)
    vtn.run()
    vtn.answers["PUT", "/reports/r1"] = json_answer({"title": "Not Found"}, 404)
    say(vtn, OptType.IN)
    assert vtn.later(0) == []
    assert vtn.asked == [("PUT", "/reports/r1"), ("POST", "/reports")]
    assert state_told(vtn, "POST", "/reports") == IN


def test_a_refusal_is_said_and_not_repeated(vtn: ScriptedVtn) -> None:
    vtn.answers["POST", "/reports"] = json_answer({"detail": "write_reports is wanted"}, 403)
    say(vtn, OptType.OUT)
    (refused,) = vtn.run()
    assert isinstance(refused, i.VtnRefused)
    assert (refused.code, refused.description) == ("403", "HTTP 403: write_reports is wanted")
    assert vtn.later(60) == []
    assert vtn.asked == []


def test_after_a_restart_what_was_told_is_not_told_again(vtn: ScriptedVtn) -> None:
    say(vtn, OptType.OUT)
    vtn.run()
    memory = from_record(Memory, vtn.session.record())
    vtn.session = Oadr3Session(settings=settings_of(webhook=None), dice=random.Random(2), now=vtn.now, memory=memory)
    assert [type(one) for one in vtn.later(0)] == [i.Registered]
    assert "/reports" not in {path for _, path in vtn.asked}


def test_a_page_that_is_said_to_be_as_it_was_and_never_came_is_no_list(vtn: ScriptedVtn) -> None:
    vtn.answers["GET", "/events"] = Response(status=304)
    (unreachable,) = vtn.later(3600)
    assert isinstance(unreachable, i.VtnUnreachable)
    assert "never read" in unreachable.reason


def test_a_pause_that_the_vtn_asks_for_is_kept(vtn: ScriptedVtn) -> None:
    headers = {"retry-after": "120"}
    vtn.answers["GET", "/programs"] = Response(
        status=429, body=json.dumps({"detail": "slowly"}).encode(), headers=headers
    )
    (unreachable,) = vtn.later(3600)
    assert isinstance(unreachable, i.VtnUnreachable)
    assert unreachable.reason == "HTTP 429: slowly"
    assert unreachable.retry_at >= vtn.now + timedelta(seconds=120)
    assert vtn.later(60) == []
    assert vtn.asked == []


@pytest.mark.openadr3("R7.10")
@pytest.mark.parametrize(
    "answer",
    [
        Response(status=200, body=b"[]", headers={"content-type": "text/html; charset=utf-8"}),
        Response(status=200, body=b"", headers={"content-type": "application/json"}),
        Response(status=200, body=b'{"events": []}'),
        Response(status=500, body=b"[]"),
    ],
)
def test_no_answer_but_a_list_calls_an_event_off(vtn: ScriptedVtn, answer: Response) -> None:
    vtn.answers["GET", "/events"] = answer
    (unreachable,) = vtn.later(3600)
    assert isinstance(unreachable, i.VtnUnreachable)


@pytest.mark.openadr3("R7.10")
def test_while_lists_cannot_be_read_what_is_to_be_told_is_told(vtn: ScriptedVtn) -> None:
    vtn.answers["GET", "/reports"] = json_answer([])
    vtn.answers["GET", "/events"] = Response(status=500)
    say(vtn, OptType.OUT)
    said = [type(one) for one in [*vtn.later(3600), *vtn.later(60), *vtn.later(60)]]
    assert i.EventCancelled not in said
    assert state_told(vtn, "POST", "/reports") == OUT
    vtn.answers["GET", "/events"] = json_answer([EVENT])
    assert [type(one) for one in vtn.later(3600)] == [i.VtnReachable], "and it reads again"
