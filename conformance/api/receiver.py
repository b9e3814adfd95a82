"""The harness as a receiver of notifications: says the word of the handshake back, and keeps what it is told (R9)."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from conformance.answers import Answer
from conformance.api.script import Heard
from conformance.exchanges import Exchange, RawRequest
from conformance.server.hearing import Stage
from conformance.server.listener import Answered

MUTE = "/mute"
"""Below the receiver's address: where no word is said back."""


@dataclass(slots=True)
class Receiver:
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def ready(self, _what: Answer) -> bool:
        return True

    def listens(self, request: RawRequest, what: Answer, _arrived_s: float) -> Answered:
        parts = urlsplit(request.path)
        word = parse_qs(parts.query).get("echo", [""])[0] if request.method == "GET" else ""
        if parts.path.endswith(MUTE):
            word = "another word"
        self.heard.append(Heard(what=what, path=parts.path.lstrip("/"), status=200))
        body = word.encode()
        return Answered(
            status=200, headers=(("Content-Type", "text/plain"), ("Content-Length", str(len(body)))), body=body
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where the VTN is to tell of changes, as the tester has arranged it."""

    url: str
    """``https://host[:port]``, as the VTN reaches it."""
    receiver: Receiver
    stage: Stage
