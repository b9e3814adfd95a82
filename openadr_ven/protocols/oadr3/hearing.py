"""How the VTN comes to tell us of changes: a subscription with our webhook, and the topics of its broker (R9, R10).

Both are asked for after the first reading of the lists, and again every hour: a VTN may have forgotten a
subscription, and what a broker lets us in with may end. Polling goes on behind both; without either
nothing is missed, only later.
"""

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from openadr_core.errors import MalformedMessage, RemoteProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.oadr3.json_text import list_items, parse_object
from openadr_ven.domain.indications import Indication, VtnRefused
from openadr_ven.protocols.oadr3.answers import said_by
from openadr_ven.protocols.oadr3.asking import Asking
from openadr_ven.protocols.oadr3.notices import HEARD, Webhook

RENEWED_EVERY = timedelta(hours=1)
OPERATIONS = ("CREATE", "UPDATE", "DELETE")
SECURE_PORTS = {"mqtts": 8883, "ssl": 8883}
"""R10.3: a broker is spoken to over TLS or not at all."""
TOPICS_MAX = 32
NO_NOTIFIERS = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED}
"""What a VTN answers that has no broker for us, and a VTN of 3.0.1: nothing to complain of."""


class Step(Enum):
    FIND = auto()
    """A subscription of ours that the VTN has already."""
    SUBSCRIBE = auto()
    NOTIFIERS = auto()
    TOPICS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlace:
    """A broker, how it lets us in, and what to listen to there."""

    host: str
    port: int
    username: str = ""
    """Goes with our bearer token as the password; empty: no user."""
    ca: str = ""
    """PEM, as are the next; empty where the VTN gives none."""
    certificate: str = ""
    key: str = ""
    topics: tuple[str, ...] = ()


class Hearing:
    def __init__(self, *, webhook: Webhook | None, uses_broker: bool, now: datetime) -> None:
        self._webhook = webhook
        self._uses_broker = uses_broker
        self._steps: deque[Step] = deque()
        self._next_at = now
        self._subscription_id = ""
        self._topic_paths: deque[str] = deque()
        self._found: BrokerPlace | None = None
        self.secret = ""
        """What the VTN signs with; empty if it has told us none."""
        self.broker: BrokerPlace | None = None
        """Where to listen; None: nowhere, or not known yet."""

    @property
    def next_at(self) -> datetime | None:
        return self._next_at if self._webhook is not None or self._uses_broker else None

    def is_due(self, now: datetime) -> bool:
        return self.next_at is not None and now >= self._next_at

    def begin_anew(self, now: datetime) -> None:
        """Our ven is new to the VTN."""
        self._steps.clear()
        self._next_at = now

    def request(self, ask: Asking, ven_id: str) -> Request:
        if not self._steps:
            self._steps.extend([Step.FIND, Step.SUBSCRIBE] if self._webhook is not None else [])
            self._steps.extend([Step.NOTIFIERS] if self._uses_broker else [])
        match self._steps[0]:
            case Step.FIND:
                return ask.find_subscription()
            case Step.SUBSCRIBE:
                return ask.subscribe(self._subscription(), self._subscription_id)
            case Step.NOTIFIERS:
                kinds = ("/events", "/programs", "/resources", "")
                self._topic_paths = deque(f"/notifiers/mqtt/topics/vens/{ven_id}{kind}" for kind in kinds)
                return ask.thing("/notifiers")
            case Step.TOPICS:
                return ask.thing(self._topic_paths[0])

    def receive(self, response: Response, ask: Asking, now: datetime) -> list[Indication]:
        """What there is to be told of an answer."""
        step = self._steps.popleft()
        said: list[Indication] = []
        try:
            self._take(step, response, ask)
        except RemoteProtocolError as error:
            self._steps = deque(one for one in self._steps if one is Step.NOTIFIERS)
            said.append(VtnRefused(what=_WORDS[step], code=str(response.status), description=str(error)))
        if not self._steps:
            self._next_at = now + RENEWED_EVERY
        return said

    def _take(self, step: Step, response: Response, ask: Asking) -> None:
        """MalformedMessage says what is wrong with the answer."""
        if step is Step.TOPICS:
            self._take_topics(response)
            return
        if step is Step.NOTIFIERS and response.status in NO_NOTIFIERS:
            self.broker = None
            return
        if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise MalformedMessage(said_by(response))
        match step:
            case Step.FIND:
                self._subscription_id = self._ours(list_items(response.body), ask.ven_name)
            case Step.SUBSCRIBE:
                self._subscription_id = str(parse_object(response.body)[0].get("id", ""))
                self.secret = response.headers.get("webhook-secret", "")
            case Step.NOTIFIERS:
                self._take_notifiers(parse_object(response.body)[0], ask)

    @staticmethod
    def _ours(texts: list[str], name: str) -> str:
        """The id of the one under our name, wherever its webhook was; empty if there is none."""
        for text in texts:
            members, _ = parse_object(text.encode())
            if members.get("clientName") == name:
                return str(members.get("id", ""))
        return ""

    def _subscription(self) -> list[dict[str, object]]:
        if self._webhook is None:
            return []
        return [
            {
                "objects": sorted(HEARD),
                "operations": list(OPERATIONS),
                "callbackUrl": self._webhook.address,
                "bearerToken": self._webhook.bearer_token,
            }
        ]

    def _take_notifiers(self, members: dict[str, Any], ask: Asking) -> None:
        told = members.get("MQTT")
        if told is None:
            self.broker = None
            return
        if not isinstance(told, dict):
            raise MalformedMessage("MQTT: is no object")
        found = broker_place(told)
        self._found = replace(found, username=found.username.replace("{clientID}", ask.client_id))
        self._steps.append(Step.TOPICS)

    def _take_topics(self, response: Response) -> None:
        """Interpretation: what a VTN has no topics for (404) is not told there; the others are."""
        self._topic_paths.popleft()
        if self._found is None:
            return
        if response.status == HTTPStatus.OK:
            topics = parse_object(response.body)[0].get("topics")
            if not isinstance(topics, dict):
                raise MalformedMessage("topics: is no object")
            wanted = [topics["ALL"]] if topics.get("ALL") else [topics.get(operation) for operation in OPERATIONS]
            names = tuple(one for one in wanted if isinstance(one, str) and one)
            held = (*self._found.topics, *names)[:TOPICS_MAX]
            self._found = replace(self._found, topics=held)
        if self._topic_paths:
            self._steps.append(Step.TOPICS)
        else:
            self.broker = self._found if self._found.topics else None


_WORDS = {
    Step.FIND: "subscription", Step.SUBSCRIBE: "subscription", Step.NOTIFIERS: "notifiers", Step.TOPICS: "topics",
}  # fmt: skip


def broker_place(told: dict[str, Any]) -> BrokerPlace:
    """What ``/notifiers`` says of its broker (R10.1); MalformedMessage if we cannot go there."""
    uris = told.get("URIS")
    for uri in uris if isinstance(uris, list) else []:
        try:
            parts = urlsplit(str(uri))
            port = parts.port
        except ValueError:
            continue
        if parts.scheme in SECURE_PORTS and parts.hostname:
            port = port or SECURE_PORTS[parts.scheme]
            return _admission(BrokerPlace(host=parts.hostname, port=port), told.get("authentication"))
    raise MalformedMessage("MQTT: no broker over TLS is named")


def _admission(place: BrokerPlace, told: object) -> BrokerPlace:
    members = told if isinstance(told, dict) else {}
    method = members.get("method", "ANONYMOUS")
    if method == "ANONYMOUS":
        return place
    if method == "OAUTH2_BEARER_TOKEN":
        return replace(place, username=str(members.get("username") or ""))
    if method == "CERTIFICATE":
        ca, certificate, key = (str(members.get(name) or "") for name in ("caCert", "clientCert", "clientKey"))
        return replace(place, ca=ca, certificate=certificate, key=key)
    raise MalformedMessage(f"MQTT: authentication by {str(method)[:40]} is not known here")
