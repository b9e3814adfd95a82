"""Where the peer listens, and the certificates that the harness may show it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.client.steps import Identity
from openadr_core.errors import ConfigError
from openadr_core.identity import Peer, peer_of
from openadr_core.shell.tls import Chain, PresetName


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    url: str
    """``https://host[:port][/prefix]``; the standard's paths are below it."""
    trust: Path
    """PEM: the roots that the peer's certificate must come from."""
    certificates: Mapping[Identity, Chain] = field(default_factory=dict)
    server_name: str = ""
    """The name to look for in the peer's certificate, where it is not the URL's host."""
    is_named: bool = True
    """Whether the peer's certificate names its host: a device's (IEEE 2030.5) names none."""
    timeout_s: float = 10.0
    profile: PresetName = "modern-2.0b"
    """Of TLS: what is offered to the peer."""

    def __post_init__(self) -> None:
        parts = self.parts
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(f"an address is https://host[:port][/prefix], not {self.url!r}")

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        return self.parts.port or 443

    @property
    def prefix(self) -> str:
        return self.parts.path.rstrip("/")


def peer_shown_by(certificate: Path) -> Peer:
    """Whose names a PEM file gives: those of the leaf, which comes first."""
    return peer_of(x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER))
