"""What was looked at when: the memory behind reports of how the fleet stood, and of what it was told to hold."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

KEPT = 120
"""Two hours of looks: as much as a report of usage can go back, and a little."""
HOLDS_FOR = timedelta(minutes=5)
"""A look that is older says nothing of a moment."""
NOTHING: Mapping[str, float] = MappingProxyType({})
CHANGES_KEPT = 4000
"""Of the setpoint: an hour in which it changes each second."""


class OfferedLog:
    """What the fleet could be asked for, and what its storage held, by data point."""

    def __init__(self) -> None:
        self._looks: deque[tuple[datetime, Mapping[str, float]]] = deque(maxlen=KEPT)

    def add(self, at: datetime, seen: Mapping[str, float]) -> None:
        self._looks.append((at, seen))

    def at(self, moment: datetime) -> Mapping[str, float]:
        """What was seen by then; nothing if nobody had looked lately."""
        found = next(((at, seen) for at, seen in reversed(self._looks) if at <= moment), None)
        return NOTHING if found is None or moment - found[0] > HOLDS_FOR else found[1]


class SetpointLog:
    """Net import that the fleet was held to, from each change to the next."""

    def __init__(self) -> None:
        self._changes: deque[tuple[float, float | None]] = deque([(float("-inf"), None)], maxlen=CHANGES_KEPT)

    def add(self, at: datetime, watts: float | None) -> None:
        """From then on; None: it is free."""
        if self._changes[-1][1] != watts:
            self._changes.append((at.timestamp(), watts))

    def mean_w(self, since_s: int, until_s: int) -> float | None:
        """Over the whole seconds of ``[since_s, until_s)`` in which it was held to anything; None in none."""
        starts = [at for at, _ in self._changes]
        held = [
            watts
            for second in range(since_s, until_s)
            if (watts := self._changes[max(bisect_right(starts, float(second)) - 1, 0)][1]) is not None
        ]
        return sum(held) / len(held) if held else None
