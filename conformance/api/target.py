"""The API under test, and the clients that the harness may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.api.receiver import Callback
from conformance.api.steps import Who
from conformance.client.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Credentials that the tester was given: a secret to get tokens with, or a token that is good for the whole run."""

    id: str
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTarget(Address):
    """Its URL is the base of the API: ``https://host[:port]/openadr3/3.1.0``."""

    clients: Mapping[Who, Client] = field(default_factory=dict)
    token_url: str = ""
    """Where tokens are given; empty to ask the VTN (``/auth/server``)."""
    latency_s: float = 0.0
    former_base: str = ""
    """The path of the API of OpenADR 3.0.1 on the same server; empty if it has none."""
    callback: Callback | None = None
    """None: the VTN cannot reach the harness, and nothing is said of notifications."""
