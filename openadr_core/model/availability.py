"""When resources are in and when they are out: opt schedules, and what they say together at one moment.

What a schedule replaces is derived, never stored. A new one speaks for every resource that it
names, and silences all earlier ones of its type there (2.0b R203), also after it was cancelled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from openadr_core.model.opt import OptType
from openadr_core.model.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time; its end is not in it."""

    starts_at: datetime
    duration: timedelta | None
    """None: for ever (2.0b R210: a duration of nothing is open-ended)."""

    @property
    def ends_at(self) -> datetime | None:
        return None if self.duration is None else self.starts_at + self.duration

    def holds(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which resources are spoken for. What is empty leaves its kind open; the three are ANDed (2.0b R209)."""

    targets: frozenset[Target] = frozenset()
    """Resources, groups and whatever else names some of a party: ORed (R202). Empty: all that the party has.

    Of what kind a name is says how it is written; the name alone says whom it means.
    """
    device_classes: frozenset[str] = frozenset()
    market_context: str = ""
    """Normalised."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(target.name for target in self.targets)

    def holds(self, resource: "Resource") -> bool:
        return (
            (not self.targets or not self.names.isdisjoint(resource.names | resource.device_classes))
            and (not self.device_classes or not self.device_classes.isdisjoint(resource.device_classes))
            and self.market_context in {"", resource.market_context}
        )

    def includes(self, other: "Scope") -> bool:
        """Whether whatever is in the other is in this one."""
        return (
            (not self.targets or (bool(other.targets) and other.names <= self.names))
            and (
                not self.device_classes or (bool(other.device_classes) and other.device_classes <= self.device_classes)
            )
            and self.market_context in {"", other.market_context}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Whom one asks about: some resource under one program. Without names, the party as a whole."""

    names: frozenset[str] = frozenset()
    """Its own, and those of every group that it is in."""
    device_classes: frozenset[str] = frozenset()
    """Every class that it may count as."""
    market_context: str = ""
    """Normalised; empty asks for no program in particular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptSchedule:
    """One opt schedule of a party, in or out, as it was last heard."""

    id: str
    """The party's own (2.0b optID); several may share it (R204)."""
    opt_type: OptType
    reason: str
    spans: tuple[Span, ...]
    """None at all only takes back what was said before."""
    created_at: datetime
    """By the party's clock."""
    scope: Scope = field(default_factory=Scope)
    cancelled_at: datetime | None = None

    def says(self, at: datetime) -> bool:
        return self.cancelled_at is None and any(span.holds(at) for span in self.spans)

    def is_over(self, at: datetime) -> bool:
        """Whether nothing of it lies at or after this moment."""
        return all(span.ends_at is not None and span.ends_at <= at for span in self.spans)


class Precedence(StrEnum):
    """Which schedule counts where an optIn and an optOut speak of the same moment."""

    OPT_OUT = "optOut"
    OPT_IN = "optIn"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptRules:
    """What 2.0b leaves to a program (R201)."""

    allowed: frozenset[OptType] = frozenset(OptType)
    """Which types of schedule a party may make."""
    default: OptType = OptType.IN
    """What holds where nothing is said."""
    precedence: Precedence = Precedence.OPT_OUT
    overlap: bool = True
    """Whether spans of one schedule may overlap each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptState:
    """In or out at one moment, and by which schedule."""

    opt_type: OptType
    schedule: OptSchedule | None
    """None: nothing is said, and the default holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptStep:
    """How it stands from this moment until the next step's."""

    starts_at: datetime
    state: OptState


def state_at(schedules: Sequence[OptSchedule], rules: OptRules, resource: Resource, at: datetime) -> OptState:
    """Whether the resource is in or out; ``schedules`` in the order in which they came, cancelled ones too."""
    newest = [place for opt_type in OptType if (place := _newest(schedules, opt_type, resource)) is not None]
    said = [place for place in newest if schedules[place].says(at)]
    if not said:
        return OptState(opt_type=rules.default, schedule=None)
    chosen = max(said)
    if rules.precedence is not Precedence.NEWEST:
        chosen = next((place for place in said if schedules[place].opt_type.value == rules.precedence.value), chosen)
    return OptState(opt_type=schedules[chosen].opt_type, schedule=schedules[chosen])


def newest_of(schedules: Sequence[OptSchedule], opt_type: OptType, resource: Resource) -> OptSchedule | None:
    """The one schedule of this type that speaks for the resource, cancelled or not (R203)."""
    place = _newest(schedules, opt_type, resource)
    return None if place is None else schedules[place]


def steps(
    schedules: Sequence[OptSchedule], rules: OptRules, resource: Resource, since: datetime, until: datetime
) -> list[OptStep]:
    """How the resource stands from ``since`` on, each step where that changes; none begins at ``until`` or later."""
    moments = {since, *(moment for one in schedules for moment in _edges(one) if since < moment < until)}
    found: list[OptStep] = []
    for moment in sorted(moments):
        state = state_at(schedules, rules, resource, moment)
        if not found or found[-1].state != state:
            found.append(OptStep(starts_at=moment, state=state))
    return found


def superseded(schedules: Sequence[OptSchedule], index: int) -> bool:
    """Whether a later schedule of the same type speaks for everything that this one does."""
    one = schedules[index]
    return any(later.opt_type is one.opt_type and later.scope.includes(one.scope) for later in schedules[index + 1 :])


def overlaps(spans: Iterable[Span]) -> bool:
    """Whether any two of these have a moment in common."""
    ordered = sorted(spans, key=lambda span: span.starts_at)
    return any(before.ends_at is None or after.starts_at < before.ends_at for before, after in pairwise(ordered))


def _edges(schedule: OptSchedule) -> Iterable[datetime]:
    for span in schedule.spans:
        yield span.starts_at
        if span.ends_at is not None:
            yield span.ends_at


def _newest(schedules: Sequence[OptSchedule], opt_type: OptType, resource: Resource) -> int | None:
    places = range(len(schedules) - 1, -1, -1)
    return next(
        (n for n in places if schedules[n].opt_type is opt_type and schedules[n].scope.holds(resource)),
        None,
    )
