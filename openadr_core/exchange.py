"""One HTTP request and its answer, as values: what a protocol core makes and reads.

No socket is here, and no HTTP library. The shells carry these over mutual TLS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    """Absolute path on the peer; the shell adds scheme, host and port."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header names in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header names in lower case."""
