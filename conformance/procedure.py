"""A test procedure as values: what the YAML files say, once read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from conformance.checks import Check
from conformance.events import EventWish
from conformance.queries import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do, and what must come of it. Each role has kinds of its own, beside those below."""

    line: int
    expect: tuple[Check, ...] = ()
    capture: Mapping[str, Query] = field(default_factory=dict)
    """Variables from what came."""

    @property
    def inner(self) -> "tuple[Step, ...]":
        """The steps inside this one."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember(Step):
    """Variables for all later steps, as templates."""

    given: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Step):
    """The same steps again, until something is found in the last message."""

    until: Query
    at_most: int
    pause_s: float
    """Between one time and the next."""
    steps: tuple[Step, ...]

    @property
    def inner(self) -> tuple[Step, ...]:
        return self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Operate(Step):
    """Ask whoever operates the peer for something, through the hook."""

    action: str
    """A word of ``hook.ACTIONS``."""
    wish: Mapping[str, str] = field(default_factory=dict)
    """The details, as templates."""
    event: EventWish | None = None
    """The whole event, if one is wanted."""
    variable: str = ""
    """Holds what the hook printed; empty if that is of no interest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    id: str
    title: str
    steps: tuple[Step, ...]
    preconditions: tuple[str, ...] = ()
    """Names of sequences, done in this order before the steps."""
    afterwards: tuple[str, ...] = ()
    """Done whatever the verdict, and not judged: what the procedure made at the peer is taken away again."""
    needs: tuple[str, ...] = ()
    """What the tester must have given for it to run: options of the command, without their dashes."""

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(check for step in flattened(self.steps) for check in step.expect)

    @property
    def clauses(self) -> tuple[str, ...]:
        """Every clause that a check cites, in order of first use."""
        return tuple(dict.fromkeys(clause for check in self.checks for clause in check.clauses))


def flattened(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Steps in order, each before those inside it."""
    for step in steps:
        yield step
        yield from flattened(step.inner)
