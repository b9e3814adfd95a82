"""A request to an API of OpenADR 3, and who makes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.procedure import Step
from conformance.queries import Query


class Who(StrEnum):
    """Whose token a request carries."""

    BUSINESS = "business"
    VEN = "ven"
    OTHER = "other"
    """A second VEN."""
    NOBODY = "nobody"
    """No token at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Step):
    """One HTTP request; what its answer must be is expected of it."""

    method: str
    path: str
    """Below the tester's address, with its query; a template."""
    body: str
    """A template; empty for none."""
    who: Who = Who.BUSINESS
    is_former: bool = False
    """Of OpenADR 3.0.1, under its own base."""
    scope: str = ""
    """What the token is asked for; empty: all that the client may."""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Added to, or replacing, the usual ones; None leaves one out."""
    for_each: Query | None = None
    """Asked once for each of these in the answer before; not at all if there is none."""
    take: Mapping[str, Query] = field(default_factory=dict)
    """Variables of this request alone, from each of those."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Variables from headers of the answer, ``name: Header``; one that is not there ends the procedure."""
