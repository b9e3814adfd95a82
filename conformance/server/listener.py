"""The mind of the harness as a server of OpenADR 2.0b, as far as it is the same for a VTN and for a VEN.

No I/O and no clock: whoever carries the messages (``Stage``) says when one came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from conformance import openadr20b
from conformance.answers import Answer, SchemaFault
from conformance.client.sealing import Sealing, is_envelope
from conformance.client.steps import Seal
from conformance.exchanges import Exchange, RawRequest
from conformance.openadr20b import CONTENT_TYPE
from conformance.queries import WIRE_TIME, rendered
from conformance.server.steps import Reply
from conformance.step_kinds import Message
from openadr_core.oadr2.xmldsig import is_signed
from openadr_core.xml.parse import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One thing that the peer said: a request, or its answer to a push."""

    at_s: float
    payload: str
    """Empty if it was none."""
    path: str
    what: Answer
    """As a check sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the peer is answered, byte by byte."""

    status: int
    """0: no byte of an answer, and the connection is closed."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    delay_s: float = 0.0
    cut: bool = False


NO_ANSWER = Answered(status=0, headers=(), body=b"")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Listener:
    """For a whole run; each side of the protocol has its own answers."""

    messages: Mapping[str, Message]
    schema_fault: SchemaFault
    utc: Callable[[], datetime] = _now
    sealing: Sealing | None = None
    """How it signs; None if it never does."""
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    replies: list[tuple[Reply, Mapping[str, str]]] = field(default_factory=list)
    """Answers out of the ordinary that are still to be given, each with its variables."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What every template may name."""
        raise NotImplementedError

    def ready(self, what: Answer) -> bool:
        """Whether there is something to answer this with; if not, it may be waited for."""
        raise NotImplementedError

    def serves(self, path: str) -> bool:
        """Whether there is a service at this path."""
        raise NotImplementedError

    def usual(self, payload: str, request: RawRequest, root: Element) -> Answered:
        """What a good party answers."""
        raise NotImplementedError

    def asked(self, root: Element) -> dict[str, str]:
        """What an answer repeats of its question."""
        raise NotImplementedError

    def listens(self, request: RawRequest, what: Answer, arrived_s: float) -> Answered:
        """What the peer is answered."""
        payload = openadr20b.payload_name(what.root) if what.root is not None else ""
        self.heard.append(Heard(at_s=arrived_s, payload=payload, path=request.path, what=what))
        refused = self._refusal(request, what.root, payload)
        if refused or what.root is None:
            return nothing_but(refused)
        for index, (reply, variables) in enumerate(self.replies):
            if payload in reply.to:
                left = [(replace(reply, times=reply.times - 1), variables)] if reply.times > 1 else []
                self.replies[index : index + 1] = left
                return self._out_of_the_ordinary(reply, what.root, variables)
        return self.usual(payload, request, what.root)

    def sealed(self, body: bytes, seal: Seal | None, asked: Element | None) -> bytes:
        """As a step wants it signed; else well, if what it answers is signed."""
        if self.sealing is None:
            return body
        if seal is not None:
            return self.sealing.sealed(body, seal)
        return self.sealing.ordinary(body) if self.answers_signed(body, asked) else body

    def answers_signed(self, body: bytes, asked: Element | None) -> bool:
        """Who signs wants signatures (R514); what is no message cannot have one."""
        return self.sealing is not None and asked is not None and is_signed(asked) and is_envelope(body)

    def message(self, template: str, variables: Mapping[str, str]) -> bytes:
        fresh = {"now": self.utc().strftime(WIRE_TIME)}
        return rendered(template, {**self.variables, **fresh, **variables}, xml=True).encode()

    def _refusal(self, request: RawRequest, root: Element | None, payload: str) -> int:
        """OpenADR 2.0b 9.1.5: the status alone."""
        if request.method != "POST":
            return 501
        if not self.serves(request.path):
            return 404
        return 406 if root is None or not payload or self.schema_fault(root) else 0

    def _out_of_the_ordinary(self, reply: Reply, root: Element, variables: Mapping[str, str]) -> Answered:
        asked = self.asked(root)
        given = {name: self.message(text, {**asked, **variables}).decode() for name, text in reply.given.items()}
        body = self.message(reply.body, {**asked, **variables, **given})
        body = self.sealed(body, reply.seal, root).decode().encode(reply.encoding)
        body += b" " * (reply.size - len(body))
        answer = written(body, status=reply.status, changed=reply.headers)
        return replace(answer, delay_s=reply.delay_s, cut=reply.cut)


def written(body: bytes, *, status: int = 200, changed: Mapping[str, str | None] | None = None) -> Answered:
    """The bytes with the standard's headers (9.1.9), or with others."""
    headers: dict[str, str | None] = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), **(changed or {})}
    kept = tuple((name, value) for name, value in headers.items() if value is not None)
    return Answered(status=status, headers=kept, body=body)


def nothing_but(status: int) -> Answered:
    return Answered(status=status, headers=(("Content-Length", "0"),), body=b"")
