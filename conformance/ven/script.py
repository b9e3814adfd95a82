"""What the harness says as a VTN: a good one's answers, by templates, unless a procedure wants another.

No I/O and no clock: whoever carries the messages (``Stage``) says when one came.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conformance import openadr20b
from conformance.answers import Answer
from conformance.client.steps import Seal
from conformance.exchanges import Exchange, RawRequest
from conformance.queries import Query
from conformance.server.listener import Answered, Heard, Listener, written
from conformance.ven.steps import ToldEvent
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


@dataclass(slots=True)
class Waiting:
    """A message in the queue for polls."""

    body: bytes
    seal: Seal | None = None
    taken_at: int | None = None
    """How much had been heard when it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """What the harness calls itself and the VEN, and what it asks of it."""

    vtn_id: str = "TH_VTN"
    ven_id: str = "Ven-Conformance"
    market_context: str = "http://MarketContext1"
    poll_s: int = 1


@dataclass(slots=True, kw_only=True)
class Script(Listener):
    """The harness's mind as a VTN, for a whole run."""

    ids: Identifiers
    queue: deque[Waiting] = field(default_factory=deque)
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

    def hears_answer(self, exchange: Exchange, at_s: float) -> None:
        """What the VEN answered to something that was pushed."""
        root = exchange.answer.root
        payload = openadr20b.payload_name(root) if root is not None else ""
        self.heard.append(Heard(at_s=at_s, payload=payload, path="", what=exchange.answer))
        self.exchanges.append(exchange)
        if root is not None and _CANCELED.truth(root, {}):
            self.registered = False

    @property
    def _last_said(self) -> Element | None:
        return next((heard.what.root for heard in reversed(self.heard) if heard.what.root is not None), None)

    def signs(self, body: bytes) -> bool:
        """Whether this is signed where no step says so: if the VEN signed what it said last."""
        return self.answers_signed(body, self._last_said)

    def to_push(self, body: bytes, seal: Seal | None = None) -> bytes:
        """What is pushed, signed as a step wants it, or if the VEN signs."""
        return self.sealed(body, seal, self._last_said)

    def offer(self, body: bytes, seal: Seal | None = None) -> Waiting:
        """Put it into the queue for polls; it is signed when one takes it."""
        waiting = Waiting(body=body, seal=seal)
        self.queue.append(waiting)
        return waiting

    def ready(self, what: Answer) -> bool:
        """Not if this is a poll for which there is nothing yet."""
        return what.root is None or openadr20b.payload_name(what.root) != "oadrPoll" or bool(self.queue)

    def serves(self, path: str) -> bool:
        """Below any prefix."""
        return any(path.endswith(openadr20b.path_of(service)) for service in openadr20b.SERVICES)

    def distribution(
        self, *, variables: Mapping[str, str], asked: str | None = None, events: tuple[ToldEvent, ...] | None = None
    ) -> bytes:
        """All events there are (or these), in answer to oadrRequestEvent (``asked`` is its requestID) or on a poll."""
        return distribution(
            self.events if events is None else events,
            {**self.variables, **variables},
            began=self.began or self.utc(),
            now=self.utc(),
            asked=asked,
        )

    def cancellation(self, variables: Mapping[str, str]) -> bytes:
        """Of the registration there is."""
        return self.message(openadr20b.envelope(self.messages["cancel_registration"].payload), variables)

    # -- the answers -------------------------------------------------------------------

    def asked(self, root: Element) -> dict[str, str]:
        return {name: query.string(root, {}).strip() for name, query in _TEXT_OF.items()}

    def usual(self, payload: str, _request: RawRequest, root: Element) -> Answered:
        body, seal = self._answer(payload, root)
        return written(self.sealed(body, seal, root))

    def _answer(self, payload: str, root: Element) -> tuple[bytes, Seal | None]:
        service, name = ANSWERS.get(payload, ("", NOTHING_BUT))
        asked = self.asked(root)
        code = self._code(payload, service, root)
        if code == "200":
            self._take_note(payload, root)
            if payload == "oadrPoll" and self.queue:
                waiting = self.queue.popleft()
                waiting.taken_at = len(self.heard)
                return waiting.body, waiting.seal
        if payload == "oadrRequestEvent" and code == "200":
            return self.distribution(variables=self.event_variables, asked=asked["answered_id"]), None
        if code != "200":
            name = {"oadrRequestEvent": "no_events", "oadrCreatePartyRegistration": "profiles"}.get(payload, name)
        return self.message(openadr20b.envelope(self.messages[name].payload), {**asked, "code": code}), None

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
