"""What a party said to an event for some of its resources, which outranks its answer as a whole (2.0b R206)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from openadr_core.model.availability import Resource, Scope
from openadr_core.model.opt import OptType


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualification:
    """2.0b's oadrCreateOpt that names an event. It stays through every later version of the event."""

    id: str
    """The party's own (optID)."""
    event_id: str
    version: int
    """The one that the party had before it."""
    opt_type: OptType
    reason: str
    created_at: datetime
    """By the party's clock."""
    scope: Scope = field(default_factory=Scope)
    """Without a market context: the event has one."""


def qualified(qualifications: Sequence[Qualification], resource: Resource) -> Qualification | None:
    """What was last said for this resource, of all that was said to one event, in order; None if nothing was.

    Then the party's answer to the event counts. Only another qualification changes one (R206).
    """
    return next((one for one in reversed(qualifications) if one.scope.holds(resource)), None)


def of_whole_party(qualifications: Sequence[Qualification]) -> Qualification | None:
    """What was last said for everything that the party has."""
    return qualified(qualifications, Resource())
