"""One request with its answer, whoever of the two sent it: what a transcript shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from conformance.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest:
    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    chunked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    at: datetime
    speaker: str
    """Who sent the request: the identity that the harness showed, or the peer under test."""
    tls: str
    """Version and suite; empty if there was no connection."""
    request: RawRequest
    answer: Answer
