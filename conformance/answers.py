"""What came from the peer, and what a check may look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.xml.parse import Element

SchemaFault = Callable[[Element], str]
"""What the schema refuses in a message; empty if nothing."""


class Unseen(Exception):
    """What a check looks at is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one request, or what the peer said by itself."""

    status: int | None = None
    """None: no answer came, and ``failure`` says why; or it is no answer but a request."""
    method: str = ""
    """Of a request that the peer made."""
    path: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    """As the message is, after Content-Encoding."""
    elapsed_s: float = 0.0
    """From the first byte sent on an open connection to the last received; of a request, since what came before."""
    failure: str = ""
    silent: bool = False
    """Nothing came, and it was waited for."""
    refused: bool = False
    """The peer ended the handshake, or the connection before any byte of an answer."""
    came_at: datetime | None = None
    """By the tester's clock; None if nobody looked at it."""
    peer_sha256: str = ""
    """Of the certificate that the peer showed on this connection."""
    root: Element | None = None
    no_root_because: str = "no answer"

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One answer with all that a check needs to judge it."""

    answer: Answer
    variables: Mapping[str, str]
    schema_fault: SchemaFault
    latency_s: float = 0.0
    """What the tester allows the network, on top of every limit of time."""
    others: Sequence[Answer] = ()
    """All that came from the peer so far; this answer may be among them."""

    @property
    def status(self) -> int:
        if self.answer.status is None:
            raise Unseen(self.answer.failure or "a request, which has no status")
        return self.answer.status

    @property
    def came(self) -> Answer:
        """What came, if anything did."""
        if self.answer.failure:
            raise Unseen(self.answer.failure)
        return self.answer

    @property
    def root(self) -> Element:
        if self.answer.root is None:
            raise Unseen(self.answer.failure or self.answer.no_root_because)
        return self.answer.root
