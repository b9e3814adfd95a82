"""Which control rules when, and what is to be said of it: what a model client knows of the rules of events."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

RECEIVED, STARTED, COMPLETED, CANCELLED, SUPERSEDED, NOT_APPLICABLE, TOO_LATE = 1, 2, 3, 6, 7, 252, 254
FINAL = {COMPLETED, CANCELLED, SUPERSEDED, NOT_APPLICABLE, TOO_LATE}
OFF, REPLACED = {2, 3}, 4
TARGET_W = "{urn:ieee:std:2030.5:ns}opModTargetW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    mrid: str
    device: str
    program: str
    primacy: int
    made: int
    start: int
    duration_s: int
    randomize_start_s: int
    modes: Mapping[str, int]
    """What each asks for, by tag."""
    status: int
    changed: int
    reply_to: str
    draw: float = 0.5

    @property
    def key(self) -> tuple[str, str]:
        return self.mrid, self.device

    @property
    def begins(self) -> int:
        return self.start + round(self.draw * self.randomize_start_s)

    @property
    def ends(self) -> int:
        return self.begins + self.duration_s


@dataclass(slots=True)
class Schedule:
    wrong: str
    known: dict[tuple[str, str], Control] = field(default_factory=dict)
    said: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    default: int = 0
    is_lost: bool = False
    let_go_of: set[tuple[str, str]] = field(default_factory=set)

    def take(self, listed: Iterable[Control], moment: int) -> None:
        self.is_lost = False
        there = {one.key: self._misread(one) for one in listed}
        for key, one in self.known.items():
            if key not in there and moment < one.ends:
                there[key] = replace(one, status=2, changed=moment)  # it went without a word
        self.known = there

    def let_go(self) -> None:
        """The server is lost."""
        self.is_lost = True
        if self.wrong == "lets go when the server is lost":
            self.let_go_of |= {*self.known}

    def owed(self, moment: int) -> Iterator[tuple[Control, int]]:
        for key, one in self.known.items():
            said = self.said.setdefault(key, [])
            for status in self._fresh(one, said, moment):
                said.append(status)
                yield one, status

    def watts(self, moment: int) -> int:
        """What the one that rules asks to be given, or else the default."""
        if self.is_lost and self.wrong == "takes to its default when the server is lost":
            return self.default
        ruling = (one for one in self.known.values() if TARGET_W in self._ruled(one, moment))
        return next((one.modes[TARGET_W] for one in ruling), self.default)

    def _misread(self, one: Control) -> Control:
        wrong, superseded = self.wrong, one.status == REPLACED
        if one.key in self.let_go_of:
            one = replace(one, status=2)
        elif wrong == "does not see that it was superseded" and superseded:
            one = replace(one, status=0, primacy=-1)
        elif wrong == "does not cancel":
            one = replace(one, status=0)
        elif wrong == "does not draw":
            one = replace(one, draw=0.0)
        elif wrong == "draws beyond the range":
            one = replace(one, draw=2.0)
        elif wrong == "follows one control at a time" and one.modes:
            one = replace(one, modes={TARGET_W: one.modes.get(TARGET_W, 0)})
        return one

    def _fresh(self, one: Control, said: list[int], moment: int) -> Iterator[int]:
        if said and said[-1] in FINAL:
            return
        if not said:
            yield RECEIVED
            if moment >= one.ends and self.wrong != "carries out what is over":
                yield TOO_LATE
                return
        if not one.modes:
            yield NOT_APPLICABLE
            return
        if one.status in OFF and not (self.wrong == "cancels when it was to begin" and moment < one.begins):
            yield CANCELLED
        elif one.status == REPLACED:
            yield SUPERSEDED
        elif one.begins <= moment < one.ends:
            if self._ruled(one, moment):
                yield from () if STARTED in said else (STARTED,)
            elif self._is_over(one, moment):
                yield SUPERSEDED
        elif moment >= one.ends:
            yield from () if STARTED in said else (STARTED,)
            yield COMPLETED

    def _ruled(self, one: Control, moment: int) -> set[str]:
        """The modes in which it rules at this moment."""
        if one not in self._alive(moment):
            return set()
        return {mode for mode in one.modes if self._best(one.device, mode, moment) == one}

    def _is_over(self, one: Control, moment: int) -> bool:
        """What has taken its modes does not give them back before its end."""
        if self.wrong == "does not resume":
            return True
        takers = [best for mode in one.modes if (best := self._best(one.device, mode, moment)) is not None]
        return all(best.program == one.program or best.ends >= one.ends for best in takers)

    def _best(self, device: str, mode: str, moment: int) -> Control | None:
        rivals = (one for one in self._alive(moment) if one.device == device and mode in one.modes)
        return min(rivals, key=self._rank, default=None)

    def _alive(self, moment: int) -> list[Control]:
        return [
            one
            for one in self.known.values()
            if one.begins <= moment < one.ends
            and one.status not in {*OFF, REPLACED}
            and not FINAL & {*self.said.get(one.key, ())}
        ]

    def _rank(self, one: Control) -> tuple[int, int]:
        return 0 if self.wrong == "ignores primacy" else one.primacy, -one.made
