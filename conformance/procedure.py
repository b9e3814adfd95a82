"""A test procedure as values: what the YAML files say, once read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.checks import Check
from conformance.queries import Query


class Identity(StrEnum):
    """Whose certificate a request shows."""

    ENROLLED = "enrolled"
    """The party under which the tester registers."""
    OTHER = "other"
    """A second party that the VTN knows."""
    PENDING = "pending"
    """A certificate of a trusted root that no operator has approved."""
    NONE = "none"
    """No certificate at all."""


class EventAction(StrEnum):
    CREATE = "create"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One HTTP request, and what its answer must be."""

    line: int
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
    suite: str = ""
    """The only TLS 1.2 suite that is offered, by OpenSSL's name; empty for all that are current."""
    times: int = 1
    """Sent so often; the quickest answer is judged, since a pause of the tester's machine is not the peer's."""
    for_each: Query | None = None
    """Sent once for each of these in the answer before; not at all if there is none."""
    take: Mapping[str, Query] = field(default_factory=dict)
    """Variables of this request alone, from each of those."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Variables of this request alone, as templates."""
    expect: tuple[Check, ...] = ()
    capture: Mapping[str, Query] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeEvent:
    """Ask the operator of the VTN, through the event hook, for an event."""

    line: int
    action: EventAction
    variable: str = "event_id"
    """Holds the eventID: of the event made, or of the one to end."""
    signal_name: str = "SIMPLE"
    signal_type: str = "level"
    starts_in_s: float = 3600.0
    durations_s: tuple[int, ...] = (600,)
    values: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    line: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The same steps again, until something is found in the last answer."""

    line: int
    until: Query
    at_most: int
    pause_s: float
    """Between one time and the next."""
    steps: "tuple[Step, ...]"


Step = Send | MakeEvent | Wait | Repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    id: str
    title: str
    steps: tuple[Step, ...]
    preconditions: tuple[str, ...] = ()
    """Names of sequences, done in this order before the steps."""
    afterwards: tuple[str, ...] = ()
    """Done whatever the verdict, and not judged: what the procedure made at the peer is taken away again."""

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(check for step in sends(self.steps) for check in step.expect)

    @property
    def clauses(self) -> tuple[str, ...]:
        """Every clause that a check cites, in order of first use."""
        return tuple(dict.fromkeys(clause for check in self.checks for clause in check.clauses))


def flattened(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Steps in order, with those of a repetition in its place."""
    for step in steps:
        if isinstance(step, Repeat):
            yield from flattened(step.steps)
        else:
            yield step


def sends(steps: tuple[Step, ...]) -> Iterator[Send]:
    return (step for step in flattened(steps) if isinstance(step, Send))
