"""What the harness says as a VTN: a good one's answers, by templates, unless a procedure wants another.

No I/O and no clock: whoever carries the messages (``Stage``) says when one came.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from conformance import openadr20b
from conformance.answers import Answer, SchemaFault
from conformance.exchanges import Exchange, RawRequest
from conformance.openadr20b import CONTENT_TYPE
from conformance.queries import WIRE_TIME, Query, rendered
from conformance.step_kinds import Message
from conformance.ven.steps import Reply, ToldEvent
from conformance.ven.writing import distribution
from openadr_core.xml.parse import Element

NOTHING_BUT = "response"
ANSWERS: Mapping[str, tuple[str, str]] = {
    "oadrQueryRegistration": ("EiRegisterParty", "profiles"),
    "oadrCreatePartyRegistration": ("EiRegisterParty", "created_registration"),
    "oadrCancelPartyRegistration": ("EiRegisterParty", "canceled_registration"),
    "oadrCanceledPartyRegistration": ("EiRegisterParty", NOTHING_BUT),
    "oadrPoll": ("OadrPoll", NOTHING_BUT),
    "oadrRequestEvent": ("EiEvent", ""),
    "oadrCreatedEvent": ("EiEvent", NOTHING_BUT),
    "oadrRegisterReport": ("EiReport", "registered_report"),
    "oadrRegisteredReport": ("EiReport", NOTHING_BUT),
    "oadrCreateReport": ("EiReport", "created_report"),
    "oadrCreatedReport": ("EiReport", NOTHING_BUT),
    "oadrUpdateReport": ("EiReport", "updated_report"),
    "oadrUpdatedReport": ("EiReport", NOTHING_BUT),
    "oadrCancelReport": ("EiReport", "canceled_report"),
    "oadrCanceledReport": ("EiReport", NOTHING_BUT),
    "oadrCreateOpt": ("EiOpt", "created_opt"),
    "oadrCancelOpt": ("EiOpt", "canceled_opt"),
    # To a VTN's request for a new registration.
    "oadrResponse": ("EiRegisterParty", NOTHING_BUT),
}
"""The service of each payload that a VEN may send, and the message that answers it; oadrRequestEvent gets events."""

_TEXT_OF = {
    "answered_id": Query("string(//pyld:requestID)"),
    "opt_id": Query("string(//ei:optID)"),
}
_REGISTRATION_ID = Query("string(//oadr:oadrCancelPartyRegistration/ei:registrationID)")
_VEN_ID = Query("string(/*/oadr:oadrSignedObject/*//ei:venID[not(ancestor::ei:eiTarget)])")
_ADDRESS = Query("string(//oadr:oadrTransportAddress)")
_CANCELED = Query("//oadr:oadrCanceledPartyRegistration/ei:eiResponse/ei:responseCode = '200'")
_PULLS = Query("//oadr:oadrHttpPullModel = 'true' or //oadr:oadrHttpPullModel = '1'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One thing that the VEN said: a request, or its answer to a push."""

    at_s: float
    payload: str
    """Empty if it was none."""
    path: str
    what: Answer
    """As a check sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the VEN is answered, byte by byte."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    delay_s: float = 0.0
    cut: bool = False


@dataclass(slots=True)
class Waiting:
    """A message in the queue for polls."""

    body: bytes
    taken_at: int | None = None
    """How much had been heard when it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """What the harness calls itself and the VEN, and what it asks of it."""

    vtn_id: str = "TH_VTN"
    ven_id: str = "Ven-Conformance"
    market_context: str = "http://MarketContext1"
    poll_s: int = 1


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Script:
    """The harness's mind as a VTN, for a whole run."""

    ids: Identifiers
    messages: Mapping[str, Message]
    schema_fault: SchemaFault
    utc: Callable[[], datetime] = _now
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    queue: deque[Waiting] = field(default_factory=deque)
    replies: list[tuple[Reply, Mapping[str, str]]] = field(default_factory=list)
    """Answers out of the ordinary that are still to be given, each with its variables."""
    events: tuple[ToldEvent, ...] = ()
    began: datetime | None = None
    """When the procedure under way began: starts of events count from then."""
    registrations: int = 0
    registered: bool = False
    registered_at: int = 0
    """How much had been heard before the registration."""
    pushed_to: str = ""
    """The VEN's own address, if it registered for push."""
    event_variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """What every template may name."""
        return {
            "vtn_id": self.ids.vtn_id,
            "ven_id": self.ids.ven_id,
            "market_context": self.ids.market_context,
            "poll_s": str(self.ids.poll_s),
            "registration_id": f"Reg-{self.registrations}",
        }

    def listens(self, request: RawRequest, what: Answer, at_s: float) -> Answered:
        """What the VEN is answered."""
        payload = openadr20b.payload_name(what.root) if what.root is not None else ""
        self.heard.append(Heard(at_s=at_s, payload=payload, path=request.path, what=what))
        refused = self._refusal(request, what.root, payload)
        if refused or what.root is None:
            return Answered(status=refused, headers=(("Content-Length", "0"),), body=b"")
        for index, (reply, variables) in enumerate(self.replies):
            if payload in reply.to:
                left = [(replace(reply, times=reply.times - 1), variables)] if reply.times > 1 else []
                self.replies[index : index + 1] = left
                return self._out_of_the_ordinary(reply, what.root, variables)
        return written(self._usual(payload, what.root))

    def hears_answer(self, exchange: Exchange, at_s: float) -> None:
        """What the VEN answered to something that was pushed."""
        root = exchange.answer.root
        payload = openadr20b.payload_name(root) if root is not None else ""
        self.heard.append(Heard(at_s=at_s, payload=payload, path="", what=exchange.answer))
        self.exchanges.append(exchange)
        if root is not None and _CANCELED.truth(root, {}):
            self.registered = False

    def offer(self, body: bytes) -> Waiting:
        """Put it into the queue for polls."""
        waiting = Waiting(body=body)
        self.queue.append(waiting)
        return waiting

    def waits(self, what: Answer) -> bool:
        """Whether this is a poll for which there is nothing yet."""
        return what.root is not None and openadr20b.payload_name(what.root) == "oadrPoll" and not self.queue

    def distribution(self, *, variables: Mapping[str, str], asked: str | None = None) -> bytes:
        """All events there are, in answer to oadrRequestEvent (``asked`` is its requestID) or on a poll."""
        return distribution(
            self.events,
            {**self.variables, **variables},
            began=self.began or self.utc(),
            now=self.utc(),
            asked=asked,
        )

    def cancellation(self, variables: Mapping[str, str]) -> bytes:
        """Of the registration there is."""
        return self.message(openadr20b.envelope(self.messages["cancel_registration"].payload), variables)

    def message(self, template: str, variables: Mapping[str, str]) -> bytes:
        fresh = {"now": self.utc().strftime(WIRE_TIME)}
        return rendered(template, {**self.variables, **fresh, **variables}, xml=True).encode()

    # -- the answers -------------------------------------------------------------------

    def _refusal(self, request: RawRequest, root: Element | None, payload: str) -> int:
        """OpenADR 2.0b 9.1.5: the status alone."""
        if request.method != "POST":
            return 501
        if not any(request.path.endswith(openadr20b.path_of(service)) for service in openadr20b.SERVICES):
            return 404
        return 406 if root is None or not payload or self.schema_fault(root) else 0

    def _out_of_the_ordinary(self, reply: Reply, root: Element, variables: Mapping[str, str]) -> Answered:
        asked = _asked(root)
        given = {name: self.message(text, {**asked, **variables}).decode() for name, text in reply.given.items()}
        body = self.message(reply.body, {**asked, **variables, **given}).decode().encode(reply.encoding)
        body += b" " * (reply.size - len(body))
        answer = written(body, status=reply.status, changed=reply.headers)
        return replace(answer, delay_s=reply.delay_s, cut=reply.cut)

    def _usual(self, payload: str, root: Element) -> bytes:
        service, name = ANSWERS.get(payload, ("", NOTHING_BUT))
        asked = _asked(root)
        code = self._code(payload, service, root)
        if code == "200":
            self._take_note(payload, root)
            if payload == "oadrPoll" and self.queue:
                waiting = self.queue.popleft()
                waiting.taken_at = len(self.heard)
                return waiting.body
        if payload == "oadrRequestEvent" and code == "200":
            return self.distribution(variables=self.event_variables, asked=asked["answered_id"])
        if code != "200":
            name = {"oadrRequestEvent": "no_events", "oadrCreatePartyRegistration": "profiles"}.get(payload, name)
        return self.message(openadr20b.envelope(self.messages[name].payload), {**asked, "code": code})

    def _code(self, payload: str, service: str, root: Element) -> str:
        """Application errors of a good VTN: a payload out of place, a stranger, a wrong name."""
        if not service:
            return "459"
        if payload in {"oadrQueryRegistration", "oadrCreatePartyRegistration"}:
            return "200"
        if not self.registered:
            return "463"
        if payload == "oadrCancelPartyRegistration":
            ours = _REGISTRATION_ID.string(root, {}) == self.variables["registration_id"]
            return "200" if ours else "452"
        named = _VEN_ID.string(root, {})
        return "200" if named in {"", self.ids.ven_id} else "452"

    def _take_note(self, payload: str, root: Element) -> None:
        """Of a registration that begins or ends."""
        if payload == "oadrCreatePartyRegistration":
            self.registrations += not self.registered
            self.registered, self.registered_at = True, len(self.heard)
            self.pushed_to = "" if _PULLS.truth(root, {}) else _ADDRESS.string(root, {})
        elif payload == "oadrCancelPartyRegistration" or _CANCELED.truth(root, {}):
            self.registered = False


def _asked(root: Element) -> dict[str, str]:
    """What an answer repeats of its question."""
    return {name: query.string(root, {}).strip() for name, query in _TEXT_OF.items()}


def written(body: bytes, *, status: int = 200, changed: Mapping[str, str | None] | None = None) -> Answered:
    """The bytes with the standard's headers (9.1.9), or with others."""
    headers: dict[str, str | None] = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), **(changed or {})}
    kept = tuple((name, value) for name, value in headers.items() if value is not None)
    return Answered(status=status, headers=kept, body=body)
