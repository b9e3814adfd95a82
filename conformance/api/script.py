"""The harness as a VTN of OpenADR 3: a few objects in memory, and tokens. It knows no socket and no clock."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from conformance.answers import Answer
from conformance.api.ven_steps import Asked, Reply
from conformance.exchanges import Exchange, RawRequest
from conformance.queries import rendered
from conformance.run import Stopped
from conformance.server.listener import Answered
from openadr_core.errors import ConfigError

COLLECTIONS: Mapping[str, str] = {
    "programs": "PROGRAM", "events": "EVENT", "reports": "REPORT", "vens": "VEN", "resources": "RESOURCE",
    "subscriptions": "SUBSCRIPTION",
}  # fmt: skip
"""With the objectType of what is in them."""
FILTERS = ("venName", "venID", "resourceName", "programID", "eventID", "clientName")
PAGE = 50
_BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""It knows no clock: each change is a second after the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request of the VEN's, and how it was answered."""

    what: Answer
    path: str
    """Below the base, with its query."""
    status: int


@dataclass(slots=True, kw_only=True)
class Planned:
    reply: Reply
    variables: Mapping[str, str]
    left: int


@dataclass(slots=True, kw_only=True)
class ApiScript:
    base: str
    client_id: str
    client_secret: str
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in COLLECTIONS})
    tokens: set[str] = field(default_factory=set)
    planned: list[Planned] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    _changes: int = 0

    def ready(self, _what: Answer) -> bool:
        """A VEN of OpenADR 3 reads: nothing waits to be told."""
        return True

    def listens(self, request: RawRequest, what: Answer, _arrived_s: float) -> Answered:
        below = request.path.removeprefix(f"{self.base}/")
        answered = planned_answer(self.planned, what, below, _text) or self._answered(request, what, below)
        self.heard.append(Heard(what=what, path=below, status=answered.status))
        return answered

    def store(self, path: str, members: dict[str, Any]) -> None:
        collection, _, name = path.partition("/")
        self.objects[collection][name] = self._stamped(collection, name, members)

    def _answered(self, request: RawRequest, what: Answer, below: str) -> Answered:
        parts = urlsplit(below)
        if parts.path == "auth/server":
            return _json(200, {"tokenURL": f"https://{what.header('Host')}{self.base}/auth/token"})
        if parts.path == "auth/token":
            return self._token(request)
        if (what.header("Authorization") or "").removeprefix("Bearer ") not in self.tokens:
            return _problem(401)
        return self._about_objects(request, *parts.path.partition("/")[::2], parts.query)

    def _about_objects(self, request: RawRequest, collection: str, name: str, query: str) -> Answered:
        if collection == "notifiers":
            return _json(200, {"WEBHOOK": True})
        if collection not in COLLECTIONS:
            return _problem(404)
        if name:
            return self._one(request, collection, name)
        return self._made(request, collection) if request.method == "POST" else self._list(collection, query)

    def _token(self, request: RawRequest) -> Answered:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        who = (form.get("grant_type"), form.get("client_id"), form.get("client_secret"))
        if who != ("client_credentials", self.client_id, self.client_secret):
            return _json(401, {"error": "invalid_client"})
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        return _json(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _list(self, collection: str, query: str) -> Answered:
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        found = [
            one
            for one in self.objects[collection].values()
            if all(asked[name] == one.get(name) for name in FILTERS if name in asked and name in one)
        ]
        skip, limit = int(asked.get("skip", 0)), min(int(asked.get("limit", PAGE)), PAGE)
        return _json(200, found[skip : skip + limit])

    def _one(self, request: RawRequest, collection: str, name: str) -> Answered:
        there = self.objects[collection]
        if name not in there:
            return _problem(404)
        if request.method == "DELETE":
            return _json(200, there.pop(name))
        if request.method == "PUT":
            members = _members(request)
            if members is None:
                return _problem(400)
            there[name] = self._stamped(collection, name, members)
        return _json(200, there[name])

    def _made(self, request: RawRequest, collection: str) -> Answered:
        members = _members(request)
        if members is None:
            return _problem(400)
        name = f"{collection}-{len(self.exchanges)}-{secrets.token_hex(4)}"
        self.objects[collection][name] = self._stamped(collection, name, members)
        return _json(201, self.objects[collection][name])

    def _stamped(self, collection: str, name: str, members: dict[str, Any]) -> dict[str, Any]:
        self._changes += 1
        modified = (_BEGAN_AT + timedelta(seconds=self._changes)).isoformat().replace("+00:00", "Z")
        created = self.objects[collection].get(name, {}).get("createdDateTime", modified)
        own = {"id": name, "createdDateTime": created, "modificationDateTime": modified}
        whose = {} if collection in {"programs", "events"} else {"clientID": self.client_id}
        return {**members, **own, **whose, "objectType": COLLECTIONS[collection]}


def planned_answer(
    planned: Sequence[Planned],
    what: Answer,
    path: str,
    write: Callable[[int, str, Mapping[str, str]], Answered],
    *,
    xml: bool = False,
) -> Answered | None:
    """The first answer out of the ordinary that this request still gets; ``write`` makes the protocol's own of it."""
    for plan in planned:
        if plan.left and fits(plan.reply.asked, what, path, plan.variables):
            plan.left -= 1
            headers = {name: text for name, text in plan.reply.headers.items() if text is not None}
            answered = write(plan.reply.status, rendered(plan.reply.body, plan.variables, xml=xml), headers)
            return replace(answered, delay_s=plan.reply.delay_s, cut=plan.reply.cut)
    return None


def fits(asked: Asked, what: Answer, below: str, variables: Mapping[str, str]) -> bool:
    """Whether this is a request of the kind."""
    if what.method != asked.method or not asked.path.search(below):
        return False
    return asked.where is None or (what.root is not None and asked.where.truth(what.root, variables))


def all_fitting(
    asked: Asked, heard: Sequence[Heard], start: int, variables: Mapping[str, str]
) -> Iterator[tuple[int, Heard]]:
    """Such requests from there on, each with the place after it."""
    try:
        for place, one in enumerate(heard[start:], start + 1):
            if fits(asked, one.what, one.path, variables):
                yield place, one
    except ConfigError as fault:
        raise Stopped(str(fault)) from None


def first_fitting(
    asked: Asked, heard: Sequence[Heard], start: int, variables: Mapping[str, str]
) -> tuple[int, Heard] | None:
    return next(all_fitting(asked, heard, start, variables), None)


def _members(request: RawRequest) -> dict[str, Any] | None:
    try:
        members = json.loads(request.body)
    except ValueError:
        return None
    return members if isinstance(members, dict) else None


def _problem(status: int) -> Answered:
    return _json(status, {"type": "about:blank", "title": "refused", "status": status})


def _json(status: int, value: Any) -> Answered:
    return _text(status, json.dumps(value), {})


def _text(status: int, text: str, headers: Mapping[str, str]) -> Answered:
    body = text.encode()
    own = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    return Answered(status=status, headers=tuple(own.items()), body=body)
