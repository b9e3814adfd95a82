"""Which control rules when, for each control mode of one device (IEEE 2030.5 event rules, CSIP).

A lower primacy wins; of equals the one that was created later. The winner takes from the loser only the modes
that it sets itself, and only for as long as it acts: what another program had asked for goes on afterwards.

Interpretation: within one program an event that has been superseded does not come back (EventStatus 4 is final
there), mode by mode; between programs it does, for the time that it has left. Events of any program go before
every DefaultDERControl; of those the one with the lowest primacy that sets the mode holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Seconds of the server's clock; ``ends`` is exclusive."""

    begins: int
    ends: int

    def meets(self, other: "Span") -> bool:
        return self.begins < other.ends and other.begins < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event as it was placed in time: randomised, and cut where it was cancelled."""

    mrid: str
    program: str
    primacy: int
    created: int
    span: Span
    modes: frozenset[str]

    @property
    def rank(self) -> tuple[int, int, int]:
        """The first one wins. Interpretation: the greater mRID, where even the second of creation is the same: the
        one that the standard's order of lists puts first.
        """
        return self.primacy, -self.created, -int(self.mrid, 16)


Schedule = Mapping[tuple[str, str], tuple[Span, ...]]
"""By mRID and mode: when it rules, in order; those that never do are missing."""


def schedule(entries: Iterable[Entry]) -> Schedule:
    ranked = sorted(entries, key=lambda entry: entry.rank)
    found: dict[tuple[str, str], tuple[Span, ...]] = {}
    for mode in sorted({mode for entry in ranked for mode in entry.modes}):
        lives: list[Span] = []
        for entry, life in _lives([entry for entry in ranked if mode in entry.modes]):
            if spans := without(life, lives):
                found[entry.mrid, mode] = spans
            lives.append(life)
    return found


def taken(entries: Iterable[Entry], mode: str) -> list[Span]:
    """When any event holds the mode, so that no default does."""
    ranked = sorted((entry for entry in entries if mode in entry.modes), key=lambda entry: entry.rank)
    return [life for _, life in _lives(ranked)]


def without(span: Span, holes: Sequence[Span]) -> tuple[Span, ...]:
    """What is left of the span, in order."""
    left: list[Span] = []
    at = span.begins
    for hole in sorted(holes, key=lambda one: one.begins):
        if hole.begins > at:
            left.append(Span(begins=at, ends=min(hole.begins, span.ends)))
        at = max(at, hole.ends)
        if at >= span.ends:
            break
    if at < span.ends:
        left.append(Span(begins=at, ends=span.ends))
    return tuple(one for one in left if one.begins < one.ends)


def _lives(ranked: Sequence[Entry]) -> list[tuple[Entry, Span]]:
    """Of one mode: each event until a later one of its own program takes the mode over; not those without time."""
    found: list[tuple[Entry, Span]] = []
    for entry in ranked:
        ends = entry.span.ends
        for other, life in found:
            if other.program == entry.program and life.meets(entry.span):
                ends = min(ends, life.begins)
        if entry.span.begins < ends:
            found.append((entry, Span(begins=entry.span.begins, ends=ends)))
    return found
