"""How a VEN of OpenADR 3 has its VTN tell it of changes, and what it makes of whoever does (R9, R10, security T18)."""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openadr_core.exchange import Request, Response
from openadr_core.oadr3.webhook_signature import secret_text, sign
from openadr_ven.domain import indications as i
from openadr_ven.domain.enrolled import Enrolled
from openadr_ven.protocols.oadr3 import Oadr3Session, Oadr3Settings, Webhook, is_hint

NOW = datetime(2030, 7, 1, 18, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TOKEN, SECRET = "shown by our VTN", secret_text(b"0123456789abcdef")
HOOK = Webhook(address="https://ven.example:8443/hook", bearer_token=TOKEN)
EVENT = json.dumps({"objectType": "EVENT", "operation": "CREATE", "object": {"id": "e1"}}).encode()
BASE = "/openadr3/3.1.0"
BROKER = {"URIS": ["mqtt://open.example", "mqtts://broker.example"], "serialization": "JSON"}


def json_answer(value: object, status: int = 200, *, secret: str = "") -> Response:
    headers = {"webhook-secret": secret} if secret else {}
    return Response(status=status, body=json.dumps(value).encode(), headers=headers)


@dataclass
class ScriptedVtn:
    """Answers by method and path, without what comes after a question mark."""

    session: Oadr3Session
    now: datetime = NOW
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: dict[tuple[str, str], Any] = field(default_factory=dict)
    answers: dict[tuple[str, str], Response] = field(default_factory=dict)

    def run(self) -> list[i.Indication]:
        """All that is due; what was indicated."""
        for _ in range(100):
            request = self.session.next_request(now=self.now)
            if request is None:
                return self.session.indications()
            self.session.receive_response(self.answer(request), now=self.now)
        raise AssertionError("it has no end")

    def answer(self, request: Request) -> Response:
        place = (request.method, request.path.split("?")[0].removeprefix(BASE))
        self.asked.append(place)
        if request.body:
            self.bodies[place] = json.loads(request.body)
        return self.answers.get(place, json_answer([]))

    def later(self, seconds: float) -> list[i.Indication]:
        self.now += seconds * SECOND
        self.asked.clear()
        return self.run()


def settings_of(*, webhook: Webhook | None, broker: bool = False) -> Oadr3Settings:
    return Oadr3Settings(
        url="https://vtn.example", ven_name="house", poll_interval=3600 * SECOND, enrolment_retry=5 * SECOND,
        enrolled=Enrolled(relief_signs={"*": None}), webhook=webhook, uses_broker=broker, base=BASE,
    )  # fmt: skip


def vtn_of(*, webhook: Webhook | None = HOOK, broker: bool = False) -> ScriptedVtn:
    settings = settings_of(webhook=webhook, broker=broker)
    vtn = ScriptedVtn(Oadr3Session(settings=settings, dice=random.Random(1), now=NOW))
    vtn.answers = {
        ("GET", "/vens"): json_answer([{"id": "v1", "venName": "house"}]),
        ("POST", "/subscriptions"): json_answer({"id": "s1"}, 201, secret=SECRET),
        ("PUT", "/subscriptions/s1"): json_answer({"id": "s1"}, secret=SECRET),
        ("GET", "/notifiers"): json_answer({"WEBHOOK": True, "MQTT": BROKER}),
    }
    return vtn


def told(body: bytes = EVENT, *, token: str = TOKEN, secret: str = SECRET, at: datetime = NOW) -> Request:
    headers = {"authorization": f"Bearer {token}", **sign(secret, "m1", body, at)}
    return Request(method="POST", path="/hook", body=body, headers=headers)


def test_it_subscribes_once_and_again_every_hour_under_the_same_id() -> None:
    vtn = vtn_of()
    vtn.run()
    assert vtn.asked[-2:] == [("GET", "/subscriptions"), ("POST", "/subscriptions")]
    wanted = vtn.bodies["POST", "/subscriptions"]
    (watch,) = wanted["objectOperations"]
    assert (wanted["clientName"], watch["callbackUrl"], watch["bearerToken"]) == ("house", HOOK.address, TOKEN)
    assert watch["objects"] == ["EVENT", "PROGRAM", "RESOURCE", "VEN"]
    assert watch["operations"] == ["CREATE", "UPDATE", "DELETE"]
    vtn.answers["GET", "/subscriptions"] = json_answer([{"id": "s1", "clientName": "house"}])
    vtn.later(3599)
    assert ("PUT", "/subscriptions/s1") not in vtn.asked
    vtn.later(1)
    assert ("PUT", "/subscriptions/s1") in vtn.asked


@pytest.mark.openadr3("R1.4")
def test_without_credentials_it_asks_for_no_token_and_shows_none() -> None:
    vtn = vtn_of(webhook=None)
    shown: list[dict[str, str]] = []
    while (request := vtn.session.next_request(now=NOW)) is not None:
        shown.append({name.lower(): value for name, value in request.headers.items()})
        vtn.session.receive_response(vtn.answer(request), now=NOW)
    assert ("GET", "/events") in vtn.asked
    assert not any(path.startswith("/auth") for _, path in vtn.asked)
    assert not any("authorization" in headers for headers in shown)


def test_a_good_notification_makes_it_read_the_lists_and_nothing_else() -> None:
    vtn = vtn_of()
    vtn.run()
    vtn.later(10)
    assert vtn.asked == []
    assert vtn.session.notified(told(at=vtn.now), now=vtn.now).status == 200
    assert vtn.session.indications() == [], "what a notification holds is not acted on"
    vtn.later(0)
    assert vtn.asked == [("GET", "/programs"), ("GET", "/events")]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (told(token="guessed"), 401),  # noqa: S106
        (told(secret=secret_text(b"another")), 401),
        (told(at=NOW - timedelta(minutes=6)), 401),
        (Request(method="POST", path="/hook", body=EVENT, headers={"authorization": f"Bearer {TOKEN}"}), 401),
        (Request(method="POST", path="/hook", body=EVENT), 401),
        (told(b'{"objectType": "EVENT", "objectType": "EVENT"}'), 400),
        (told(b"\xff"), 400),
        (Request(method="DELETE", path="/hook"), 405),
        (Request(method="POST", path="/", body=EVENT), 404),
    ],
)
def test_a_forged_notification_changes_nothing(request_: Request, status: int) -> None:
    vtn = vtn_of()
    vtn.run()
    assert vtn.session.notified(request_, now=NOW).status == status
    vtn.later(10)
    assert vtn.asked == []


def test_the_handshake_gets_its_word_back_and_nothing_that_a_page_could_run() -> None:
    session = vtn_of().session
    answer = session.notified(Request(method="GET", path="/hook?echo=a%2Db"), now=NOW)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"a-b", "text/plain; charset=utf-8")
    for query in ("", "?echo=", "?echo=" + "a" * 513, "?echo=%0A", "?other=1"):
        assert session.notified(Request(method="GET", path=f"/hook{query}"), now=NOW).status == 400


def test_hints_are_heeded_once_a_second_and_one_while_reading_is_not_lost() -> None:
    vtn = vtn_of(webhook=None)
    vtn.run()
    vtn.session.hint(now=vtn.now, is_of_us=False)
    vtn.later(0)
    assert vtn.asked == [], "it has just read them"
    vtn.later(1)
    assert vtn.asked == [("GET", "/programs"), ("GET", "/events")]
    vtn.now += 10 * SECOND
    vtn.session.hint(now=vtn.now, is_of_us=False)
    request = vtn.session.next_request(now=vtn.now)
    assert request is not None
    vtn.session.hint(now=vtn.now, is_of_us=False)
    vtn.session.receive_response(vtn.answer(request), now=vtn.now)
    vtn.run()
    vtn.later(1)
    assert vtn.asked == [("GET", "/programs"), ("GET", "/events")]
    assert vtn.session.next_wakeup() == vtn.session.next_wakeup()
    vtn.later(1)
    assert vtn.asked == []


def test_a_vtn_that_refuses_the_subscription_is_said_and_polled_all_the_same() -> None:
    vtn = vtn_of()
    vtn.answers["POST", "/subscriptions"] = json_answer({"detail": "no such host"}, 400)
    refused = [one for one in vtn.run() if isinstance(one, i.VtnRefused)]
    assert [(one.what, one.code, "no such host" in one.description) for one in refused] == [
        ("subscription", "400", True)
    ]
    vtn.later(3600)
    assert ("GET", "/events") in vtn.asked
    assert ("POST", "/subscriptions") in vtn.asked


def test_it_finds_the_broker_and_its_own_topics() -> None:
    vtn = vtn_of(webhook=None, broker=True)
    topics = {"CREATE": "e/c", "UPDATE": "e/u", "DELETE": "e/d"}
    vtn.answers["GET", "/notifiers/mqtt/topics/vens/v1/events"] = json_answer({"topics": topics})
    vtn.answers["GET", "/notifiers/mqtt/topics/vens/v1/programs"] = json_answer({"topics": {**topics, "ALL": "p/+"}})
    vtn.answers["GET", "/notifiers/mqtt/topics/vens/v1/resources"] = json_answer({"title": "none"}, 404)
    vtn.answers["GET", "/notifiers/mqtt/topics/vens/v1"] = json_answer({"topics": {"UPDATE": "v/u"}})
    vtn.run()
    assert vtn.session.broker is not None
    place, token = vtn.session.broker
    assert (place.host, place.port, place.topics) == ("broker.example", 8883, ("e/c", "e/u", "e/d", "p/+", "v/u"))
    assert (place.username, token) == ("", "")


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        ({"method": "ANONYMOUS"}, ("", "", "")),
        ({"method": "OAUTH2_BEARER_TOKEN", "username": "u-{clientID}"}, ("u-", "", "")),
        ({"method": "CERTIFICATE", "caCert": "CA", "clientCert": "C", "clientKey": "K"}, ("", "C", "K")),
    ],
)
@pytest.mark.openadr3("R10.1")
def test_it_enters_the_broker_as_it_is_told(authentication: Any, expected: tuple[str, str, str]) -> None:
    vtn = vtn_of(webhook=None, broker=True)
    vtn.answers["GET", "/notifiers"] = json_answer(
        {"WEBHOOK": True, "MQTT": {**BROKER, "authentication": authentication}}
    )
    vtn.answers["GET", "/notifiers/mqtt/topics/vens/v1/events"] = json_answer({"topics": {"ALL": "e"}})
    for kind in ("/programs", "/resources", ""):
        vtn.answers["GET", f"/notifiers/mqtt/topics/vens/v1{kind}"] = json_answer({}, 404)
    vtn.run()
    assert vtn.session.broker is not None
    place, _ = vtn.session.broker
    assert (place.username, place.certificate, place.key) == expected


@pytest.mark.parametrize("answer", [json_answer({"WEBHOOK": True}), json_answer({}, 404), json_answer({}, 501)])
def test_no_broker_is_nothing_to_complain_of(answer: Response) -> None:
    vtn = vtn_of(webhook=None, broker=True)
    vtn.answers["GET", "/notifiers"] = answer
    assert [type(one) for one in vtn.run()] == [i.Registered]
    assert vtn.session.broker is None


@pytest.mark.parametrize(
    "mqtt",
    [{"URIS": ["mqtt://open.example"]}, {"URIS": "no list"}, {**BROKER, "authentication": {"method": "MAGIC"}}, 7],
)
def test_a_broker_that_it_cannot_enter_is_said(mqtt: object) -> None:
    vtn = vtn_of(webhook=None, broker=True)
    vtn.answers["GET", "/notifiers"] = json_answer({"WEBHOOK": True, "MQTT": mqtt})
    (refused,) = [one for one in vtn.run() if isinstance(one, i.VtnRefused)]
    assert (refused.what, vtn.session.broker) == ("notifiers", None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (EVENT, True), (b'{"object_type": "PROGRAM"}', True), (b'{"objectType": "REPORT"}', False), (b"{}", False),
        (b"nothing", False),
    ],
)  # fmt: skip
def test_a_hint_is_what_tells_of_something_that_we_may_be_shown(body: bytes, expected: bool) -> None:
    assert is_hint(body) is expected


def test_a_vtn_that_fails_over_the_subscription_for_ever_is_gone_on_with() -> None:
    vtn = vtn_of()
    vtn.answers["POST", "/subscriptions"] = json_answer({"title": "oops"}, 500)
    found = vtn.run()
    for _ in range(10):
        found += vtn.later(30)
    assert [one.code for one in found if isinstance(one, i.VtnRefused)] == ["500"]
    assert vtn.later(30) == []
