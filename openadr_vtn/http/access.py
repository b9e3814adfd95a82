"""What every route of the operator's listener is given, and how it is known who calls."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps

from aiohttp import web
from multidict import MultiDict, MultiMapping

from openadr_core.errors import MalformedMessage, SchemaViolation, TooMany, UnknownPeer
from openadr_core.limits import JSON_BODY_MAX_BYTES
from openadr_core.model.availability import OptRules
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.times import Sentinel, parse_start
from openadr_core.shell.clock import steady_s
from openadr_core.shell.http_armour import read_body
from openadr_core.shell.throttle import Throttle
from openadr_core.shell.tls_peer import peer_of_transport
from openadr_vtn.application.broker import Broker
from openadr_vtn.application.handlers.subscriptions import Callbacks
from openadr_vtn.application.handlers.tokens import OwnTokens, TokenJudge
from openadr_vtn.application.horizon import Horizon
from openadr_vtn.application.lab_clock import TRUE_TIME, LabClock
from openadr_vtn.application.ports import Store
from openadr_vtn.application.reads import Reads
from openadr_vtn.application.sep2_drafts import Maker
from openadr_vtn.application.viewers import Viewers
from openadr_vtn.domain.access import Caller
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.http.kept_answers import KeptAnswers

LATEST_YEAR = 9000
NAMED_MAX_CHARS = 64
"""Of a name that a client made up, in what it is told."""
FORMER = frozenset({"targetType", "targetValues"})
"""3.0.1's words for targets in a query."""
NUMBER_MAX_DIGITS = 10
"""Of the greatest int32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The operator's side of a VTN."""

    store: Store
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    rails: GuardRails
    opt_rules: OptRules
    """For opt schedules, where a program has none of its own."""
    poll_interval: timedelta
    """What a party is asked to keep, unless an operator asks it for another."""
    is_time_in_doubt: Callable[[], bool]
    """Whether the machine's clock was set under us: nothing new may start then (security T40)."""
    judge: TokenJudge
    tokens: OwnTokens | None
    """None where an identity provider issues them: ``token_url`` is its address then."""
    token_throttle: Throttle
    """Who does not fail is never held up: Stop must wait neither behind a script that asks often nor behind
    one with a wrong secret at the same address. That is why credentials are looked at first. A wrong secret costs
    one row and one digest, throttled or not, and 256 random bits are guessed no sooner by asking more often."""
    request_throttle: Throttle | None
    """By client; None: nobody is held up, as where operators connect."""
    viewers: Viewers
    horizon: Horizon
    saw: Callable[[str, datetime], None]
    """Told of every ven that was heard: its party's id, and when."""
    callbacks: Callbacks
    """Asks addresses that clients name whether they are theirs."""
    maker: Maker
    """Of mRIDs (IEEE 2030.5)."""
    reads: Reads
    broker: Broker | None
    """On which changes are told; None: there is none."""
    wrote: Callable[[Caller, str, str], None]
    """Told of every command that was done: by whom, what, to which id. For the log and the metrics."""
    lab: LabClock = TRUE_TIME
    token_url: str = ""
    answers: KeptAnswers = field(default_factory=KeptAnswers)

    def sep2_now(self) -> datetime:
        """What devices of IEEE 2030.5 take the time to be."""
        return self.lab.at(self.now())


DESK = web.AppKey("desk", Desk)

BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)
QUERY: web.RequestKey[MultiDict[str]] = web.RequestKey("query", MultiDict)
"""What a request says in the words of OpenADR 3.1, where it was made in another version's."""

ScopedHandler = Callable[[web.Request, Desk, Caller], Awaitable[web.Response]]
PlainHandler = Callable[[web.Request], Awaitable[web.Response]]


def scoped(scope: str | tuple[str, ...], handler: ScopedHandler) -> PlainHandler:
    """The handler behind a bearer token that carries this scope, or one of these; ``read_all`` includes every read."""
    any_of = (scope,) if isinstance(scope, str) else scope

    async def authorised(request: web.Request) -> web.Response:
        desk = request.app[DESK]
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise UnknownPeer("no bearer token")
        caller = await desk.judge.caller_of(token.strip(), shown=shown_certificate(request), now=desk.now())
        _refuse_haste(desk.request_throttle, caller)
        caller.require(*any_of)
        return await handler(request, desk, caller)

    return authorised


def _refuse_haste(throttle: Throttle | None, caller: Caller) -> None:
    """TooMany if this client has asked for more than its share (R1.6); what is refused is not counted."""
    if throttle is None:
        return
    now_s = steady_s()
    if wait_s := throttle.wait_s(caller.client_id, now_s):
        raise TooMany(f"too many requests of this client; wait {wait_s:.0f} s", wait_s=wait_s)
    throttle.count(caller.client_id, now_s)


def listing(*once: str, several: tuple[str, ...] = ()) -> Callable[[ScopedHandler], ScopedHandler]:
    """A list's handler, whose query may hold ``skip``, ``limit``, each of ``once``, and of ``several`` any number.

    Interpretation: 3.1 does not say what comes of a parameter that it does not know, or of one that stands twice. To
    pass over either would widen what is answered, and nobody would see it: it is refused by its name. But what 3.0.1
    asked by is passed over: a published client says it at 3.1 too, and picks from the answer itself.
    """
    known = ("skip", "limit", *once, *several)

    def checked(handler: ScopedHandler) -> ScopedHandler:
        @wraps(handler)
        async def check(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
            for name, count in Counter(name for name, _ in query_of(request).items()).items():
                if name in FORMER:
                    continue
                if name not in known:
                    raise MalformedMessage(f"{name[:NAMED_MAX_CHARS]}: is not known here; there are {', '.join(known)}")
                if count > 1 and name not in several:
                    raise MalformedMessage(f"{name}: stands {count} times, and may stand once")
            return await handler(request, desk, caller)

        return check

    return checked


def shown_certificate(request: web.Request) -> str | None:
    """SHA-256, in hex, of the certificate that the client showed on this connection."""
    peer = peer_of_transport(request.transport)
    return None if peer is None else peer.certificate_sha256


async def json_body(request: web.Request) -> bytes:
    """The body, if it is said to be JSON; MalformedMessage if there is none."""
    if BODY in request:
        return request[BODY]
    if not request.can_read_body:
        raise MalformedMessage("the body is missing")
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    return await read_body(request, max_bytes=JSON_BODY_MAX_BYTES)


async def body_fields(request: web.Request, *known: str) -> Fields:
    """The body's object; no body is an empty one. A slip in a member's name must not widen what is done."""
    if not request.can_read_body:
        return Fields({}, "")
    return only(Fields(parse_object(await json_body(request))[0], ""), *known)


def only(told: Fields, *known: str) -> Fields:
    """The same object, which has no other members than these."""
    for name in told.members:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "nothing is"
            raise SchemaViolation(f"{told.place}{name[:64]!r}: is not known here; {there}")
    return told


def answered(value: object) -> web.Response:
    """200 with this as JSON."""
    return json_response(json.dumps(value))


def json_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def query_of(request: web.Request) -> MultiMapping[str]:
    """In the words of OpenADR 3.1."""
    translated = request.get(QUERY)
    return request.query if translated is None else translated


def number_asked(request: web.Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 0 to ``most``."""
    text = query_of(request).get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_MAX_DIGITS and int(text) <= most):
        raise MalformedMessage(f"{name}: must be a whole number from 0 to {most}")
    return int(text)


def names_asked(request: web.Request, name: str) -> tuple[str, ...]:
    """A list in the query, as ``a=x&a=y`` or as ``a=x,y``."""
    return tuple(item for text in query_of(request).getall(name, []) for item in text.split(",") if item)


def moment_asked(request: web.Request, name: str, default: datetime) -> datetime:
    """A moment of the query; 3.1's beginning of time is the default too."""
    try:
        at = parse_start(query_of(request)[name]) if name in query_of(request) else Sentinel.NOW
    except ValueError as error:
        raise MalformedMessage(f"{name}: {error}") from None
    if isinstance(at, Sentinel):
        return default
    if at.year >= LATEST_YEAR:
        raise MalformedMessage(f"{name}: is too far away")
    return at
