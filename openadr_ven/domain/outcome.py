"""What one event came to, device by device."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceOutcomes:
    """By row of the fleet. Energies are of relief: extra load is negative."""

    event_id: str
    since: datetime
    """From when on it was counted: the event's start here, or a restart in it."""
    until: datetime
    seconds: Columns
    """Under command."""
    commanded_wh: Columns
    acknowledged_wh: Columns
    """While its gateway had confirmed the command."""
    delivered_wh: Columns
    state: NDArray[np.uint8]
    """Of its last command, an index into ``state_names``."""
    state_names: tuple[str, ...]


class DeviceCount:
    """Adds up the rounds of one event."""

    def __init__(self, event_id: str, size: int, *, now: datetime) -> None:
        self.event_id = event_id
        self._since = now
        self._last = now
        self._told_w = np.zeros(size)
        self._seconds, self._commanded, self._acknowledged, self._delivered = (np.zeros(size) for _ in range(4))

    def add(
        self, now: datetime, *, relief_w: Columns, acknowledged: NDArray[np.bool_], given_w: Columns, most_s: float
    ) -> None:
        """Another round asks for ``relief_w`` from now on; until now it was what the one before asked for.

        ``acknowledged`` and ``given_w`` tell of that time; of a stall only ``most_s`` count.
        """
        hours = min(max((now - self._last).total_seconds(), 0.0), most_s) / HOUR_S
        self._last = now
        told = self._told_w != 0.0
        self._seconds += told * (hours * HOUR_S)
        self._commanded += self._told_w * hours
        self._acknowledged += np.where(acknowledged, self._told_w, 0.0) * hours
        self._delivered += np.where(told, given_w, 0.0) * hours
        self._told_w = relief_w

    def close(self, now: datetime, state: NDArray[np.uint8], state_names: tuple[str, ...]) -> DeviceOutcomes:
        return DeviceOutcomes(
            event_id=self.event_id,
            since=self._since,
            until=now,
            seconds=self._seconds,
            commanded_wh=self._commanded,
            acknowledged_wh=self._acknowledged,
            delivered_wh=self._delivered,
            state=state.copy(),
            state_names=state_names,
        )
