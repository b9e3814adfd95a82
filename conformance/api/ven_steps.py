"""What a VEN of OpenADR 3 is judged by: objects that come and go at its VTN, and what it asks and says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.procedure import Step
from conformance.queries import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A kind of request."""

    method: str
    path: re.Pattern[str]
    """Found in what stands below the base, with its query."""
    where: Query | None = None
    """True in its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(Step):
    """Business logic writes an object: from now on the VEN may find it."""

    path: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Step):
    """Business logic removes it."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Step):
    """No token that was given is good any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear(Step):
    """Wait for a request since the last thing that was done; if none comes, the procedure ends."""

    asked: Asked
    again: bool = False
    """One more after the last that was heard."""
    ever: bool = False
    """It may have come at any time since the harness began to listen."""
    returns: bool = False
    """Somebody may have to start the client anew for it: it is waited for as for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Step):
    """No such request comes."""

    asked: Asked
    for_s: float
    all_along: bool = False
    """Nor did one come since the procedure began."""
    ever: bool = False
    """Nor since the harness began to listen."""
    allowed: int = 0
    """So many of them may come, and no more."""
    answered: int | None = None
    """None that got this status; None: whatever it got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Step):
    """The next such request is answered otherwise."""

    asked: Asked
    status: int
    body: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    """In the middle of the body."""
    times: int = 1
