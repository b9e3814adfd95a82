"""The steps of whoever is listened to: what the peer says by itself, and how that is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.client.steps import Seal
from conformance.procedure import Step
from conformance.queries import Query


class Shown(StrEnum):
    """Which certificate the harness shows as a server."""

    GOOD = "good"
    EXPIRED = "expired"
    """From the root that the peer trusts, but its time is over."""
    FOREIGN = "foreign"
    """The same name from a root that nobody trusts: made by the harness itself."""
    OTHER = "other"
    """Another party's, from the root that the peer trusts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear(Step):
    """Wait for something that the peer says: a request, or its answer to a push."""

    payloads: tuple[str, ...]
    where: Query | None = None
    """Only a message in which this is true."""
    again: bool = False
    """One more after the last that was heard; else the first since the mark."""
    within_s: str = ""
    """A template; empty: as long as the tester's patience lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Step):
    """See that the peer does not say something, for a time, or for as long as a VEN takes to poll so often."""

    payloads: tuple[str, ...]
    where: Query | None = None
    polls: int = 2
    for_s: str = ""
    """A template; empty: so many polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Step):
    """Answer the next message of a kind otherwise than a good party would."""

    to: tuple[str, ...]
    body: str = ""
    """A template of the whole message; empty for none."""
    given: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Added to, or replacing, the usual ones; None leaves one out."""
    encoding: str = "utf-8"
    times: int = 1
    delay_s: float = 0.0
    cut: bool = False
    """Close the connection in the middle of the body."""
    size: int = 0
    """Blanks added to the body until it has so many bytes."""
    seal: Seal | None = None
    """How it is signed; None: well, if what it answers is signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve(Step):
    """Close all connections, and show another certificate, or offer other suites, from now on."""

    certificate: Shown = Shown.GOOD
    certification_suites: bool = False
    """TLS 1.2 with the two suites of the standard and no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Step):
    """Wait for the peer's next connection, and see how its handshake ends."""
