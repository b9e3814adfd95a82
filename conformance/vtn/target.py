"""The peer under test, and the certificates the harness may show it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from conformance.vtn.steps import Identity
from openadr_core.errors import ConfigError
from openadr_core.shell.tls import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    url: str
    """``https://host[:port][/prefix]``; the standard's paths are below it."""
    trust: Path
    """PEM: the roots that the peer's certificate must come from."""
    certificates: Mapping[Identity, Chain] = field(default_factory=dict)
    ven_name: str = "conformance"
    server_name: str = ""
    """The name to look for in the peer's certificate, where it is not the URL's host."""
    timeout_s: float = 10.0
    latency_s: float = 0.0
    hook: str = ""
    """A shell command that asks the VTN's operator for something."""

    def __post_init__(self) -> None:
        parts = self.parts
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(f"--url: https://host[:port][/prefix], not {self.url!r}")

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
