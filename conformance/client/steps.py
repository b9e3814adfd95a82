"""A request that the harness makes, and whose certificate it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.procedure import Step
from conformance.queries import Query


class Identity(StrEnum):
    """Whose certificate a request shows."""

    ENROLLED = "enrolled"
    """The party under which the tester registers; to a VEN, the VTN that it is registered with."""
    OTHER = "other"
    """A second party that the VTN knows."""
    PENDING = "pending"
    """A certificate of a trusted root that no operator has approved."""
    AGGREGATOR = "aggregator"
    """Of IEEE 2030.5: who registers the devices that it manages, and answers for them."""
    EXPIRED = "expired"
    """A certificate of a trusted root whose time is over."""
    FOREIGN = "foreign"
    """A certificate of a root that nobody trusts: made by the harness itself."""
    NONE = "none"
    """No certificate at all."""


class Version(StrEnum):
    """Of TLS, as a request offers it."""

    CURRENT = "current"
    TLS_1_1 = "TLSv1.1"
    """What no peer takes any more."""


class Seal(StrEnum):
    """How a message is signed (OpenADR 2.0b 10.6)."""

    NONE = "none"
    GOOD = "good"
    AGAIN = "again"
    """The bytes that were last signed well once more, with the nonce that they had."""
    OLD = "old"
    """Signed well, a day ago."""
    TAMPERED = "tampered"
    """Changed after it was signed."""
    ANOTHER = "another"
    """Signed well, with a certificate for the same names that nobody trusts."""
    WRAPPED = "wrapped"
    """Signed by nobody, around a harmless message whose signature is good: what is verified is not what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a connection offers in its handshake."""

    suite: str = ""
    """The only TLS 1.2 suite, by OpenSSL's name; empty for all that are current."""
    version: Version = Version.CURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """One HTTP request; what its answer must be is expected of it."""

    path: str
    """Below the tester's address; a service's name becomes its path when the file is read."""
    body: str
    """A template of the whole message."""
    method: str = "POST"
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Added to, or replacing, the usual ones; None leaves one out."""
    encoding: str = "utf-8"
    chunked: bool = False
    identity: Identity = Identity.ENROLLED
    hello: Hello = Hello()
    seal: Seal | None = None
    """None: not signed, but to a VEN that signs."""
    times: int = 1
    """Sent so often; the quickest answer is judged, since a pause of the tester's machine is not the peer's."""
    for_each: Query | None = None
    """Sent once for each of these in the answer before; not at all if there is none."""
    take: Mapping[str, Query] = field(default_factory=dict)
    """Variables of this request alone, from each of those."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Variables of this request alone, as templates."""
