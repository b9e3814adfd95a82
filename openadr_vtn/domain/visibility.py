"""Who sees which object of OpenADR 3.1, and how much of its targets: one rule for lists, single reads and notices.

An object shows itself by its targets. What a ven may see is said by the names that it was granted, its
resources' among them (:attr:`openadr_core.model.party.Party.granted`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

UNTARGETED = ""
"""Stands for having no targets at all: no target is so short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What somebody sees of objects with targets."""

    granted: frozenset[str] | None
    """None: everything, as business logic does."""
    asked: frozenset[str] | None = None
    """The query's targets; None: it names none."""
    strict: bool = False
    """Whether a ven sees objects with targets only if it asks for them.

    Interpretation: 3.1 says that its query must name them, and the User Guide that it need not. Without this it
    need not; either way an object without targets is seen by all who do not ask for some.
    """

    @property
    def wanted(self) -> frozenset[str] | None:
        """An object is seen that has one of these; None: every object is."""
        if self.granted is None:
            return self.asked
        if self.asked is not None:
            return self.granted & self.asked
        return frozenset({UNTARGETED}) if self.strict else self.granted | {UNTARGETED}

    def sees(self, targets: Iterable[str]) -> bool:
        """Whether an object with these targets is seen; if not, it must be as if it were not there."""
        wanted = self.wanted
        return wanted is None or not wanted.isdisjoint(keys_of(targets))

    def shown(self, targets: Iterable[str]) -> tuple[str, ...]:
        """The targets that are told of an object that is seen: who else it is for is nobody's business."""
        if self.granted is None:
            return tuple(targets)
        told = self.granted if self.asked is None else self.granted & self.asked
        return tuple(target for target in targets if target in told)


EVERYTHING = Sight(granted=None)


def keys_of(targets: Iterable[str]) -> Collection[str]:
    """What an object is found by: its targets, or that it has none."""
    return frozenset(targets) or frozenset({UNTARGETED})
