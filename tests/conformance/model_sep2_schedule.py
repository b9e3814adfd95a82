"""Which control rules when, and what is to be said of it: what a model client knows of the rules of events."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

RECEIVED, STARTED, COMPLETED, CANCELLED, SUPERSEDED = 1, 2, 3, 6, 7
FINAL = {COMPLETED, CANCELLED, SUPERSEDED}
TARGET_W = "{urn:ieee:std:2030.5:ns}opModTargetW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    mrid: str
    device: str
    program: str
    primacy: int
    made: int
    begins: int
    ends: int
    modes: Mapping[str, int]
    """What each asks for, by tag."""
    status: int
    reply_to: str

    @property
    def is_off(self) -> bool:
        return self.status in {2, 3}


@dataclass(slots=True)
class Schedule:
    wrong: str
    known: dict[tuple[str, str], Control] = field(default_factory=dict)
    said: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def take(self, listed: Iterable[Control], moment: int) -> None:
        there = {(one.mrid, one.device): one for one in listed}
        for key, one in self.known.items():
            if key not in there and moment < one.ends:
                there[key] = replace(one, status=2)  # it went without a word
        self.known = there

    def owed(self, moment: int) -> Iterator[tuple[Control, int]]:
        for key, one in self.known.items():
            said = self.said.setdefault(key, [])
            for status in self._fresh(one, said, moment):
                said.append(status)
                yield one, status

    def watts(self, moment: int) -> int:
        """What the meter shows."""
        ruling = (one for one in self.known.values() if TARGET_W in self._ruled(one, moment))
        return next((-one.modes[TARGET_W] for one in ruling), 0)

    def _fresh(self, one: Control, said: list[int], moment: int) -> Iterator[int]:
        if said and said[-1] in FINAL:
            return
        if not said:
            yield RECEIVED
        if one.is_off and self.wrong != "does not cancel":
            yield CANCELLED
            return
        if one.status == 4:
            yield SUPERSEDED
            return
        if one.begins <= moment < one.ends and self._ruled(one, moment) and STARTED not in said:
            yield STARTED
        if moment >= one.ends:
            yield COMPLETED

    def _ruled(self, one: Control, moment: int) -> set[str]:
        """The modes in which it rules at this moment."""
        if not one.begins <= moment < one.ends or one.is_off or one.status == 4:
            return set()
        return set(one.modes)
