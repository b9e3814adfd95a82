"""What was offered when: the memory behind the report of what the fleet could be asked for."""

from collections import deque
from datetime import datetime, timedelta

KEPT = 120
"""Two hours of looks: as much as a report of usage can go back, and a little."""
HOLDS_FOR = timedelta(minutes=5)
"""A look that is older says nothing of a moment."""


class OfferedLog:
    """What was offered when."""

    def __init__(self) -> None:
        self._looks: deque[tuple[datetime, float]] = deque(maxlen=KEPT)

    def add(self, at: datetime, watts: float) -> None:
        self._looks.append((at, watts))

    def at(self, moment: datetime) -> float | None:
        """What was offered then; None if nobody had looked lately."""
        found = next(((at, watts) for at, watts in reversed(self._looks) if at <= moment), None)
        return None if found is None or moment - found[0] > HOLDS_FOR else found[1]
