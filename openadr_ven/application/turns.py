"""An event's turns: planned once when it begins, kept over a crash, and read in each round.

Only long events of relief have turns: a house coasts for the better part of an hour by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.book import Book
from openadr_ven.dispatch.cohorts import SLOT_S, Storage, schedule
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats, Rows
from openadr_ven.fleet.model import HOUR_S
from openadr_ven.fleet.thermostat import Answer, answer

SHORTEST, LONGEST = timedelta(minutes=45), timedelta(hours=6)
HOUSES_MIN = 8
"""Fewer are not worth a plan."""
BLOCKS = 6
"""Groups of storage by how long it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turns:
    """When each house is raised and let go."""

    starts_at: datetime
    begins_s: NDArray[np.float32]
    """By row of the fleet, from ``starts_at``; not a number for everything that has no turn."""
    ends_s: NDArray[np.float32]
    _houses: Rows
    _answer: Answer

    @classmethod
    def of(
        cls, fleet: Fleet, starts_at: datetime, begins_s: NDArray[np.float32], ends_s: NDArray[np.float32], *,
        outdoor_c: float,
    ) -> "Turns":  # fmt: skip
        houses = np.flatnonzero(np.isfinite(begins_s))
        return cls(
            starts_at=starts_at,
            begins_s=begins_s,
            ends_s=ends_s,
            _houses=houses,
            _answer=answer(fleet, houses, outdoor_c),
        )

    def relief_w(self, now: datetime) -> Floats:
        """By row of the fleet, what the houses that are raised now give."""
        second = (now - self.starts_at).total_seconds()
        raised_s = second - self.begins_s[self._houses]
        raised = (raised_s >= 0.0) & (second < self.ends_s[self._houses])
        watts = np.where(raised_s < self._answer.off_s, self._answer.draw_w, self._answer.saved_w)
        relief_w = np.zeros(self.begins_s.size)
        relief_w[self._houses] = np.where(raised, watts, 0.0)
        return relief_w


def plan_turns(
    fleet: Fleet, book: Book, profile_w: Floats, *, starts_at: datetime, uniform: float, outdoor_c: float
) -> Turns | None:
    """Turns for the houses that the book offers, so that with its storage they follow a profile (a value per slot).

    None where turns would help nothing: too short, too long, or too few houses.
    """
    length = timedelta(seconds=SLOT_S * profile_w.size)
    houses = np.flatnonzero((fleet.device_class == DeviceClass.THERMOSTAT) & book.usable)
    if not SHORTEST <= length <= LONGEST or houses.size < HOUSES_MIN or profile_w.max(initial=0.0) <= 0.0:
        return None
    made = schedule(
        answer(fleet, houses, outdoor_c), profile_w, storage=_storage(book), uniform=uniform
    )  # fmt: skip
    begins_s, ends_s = (np.full(fleet.size, np.nan, dtype=np.float32) for _ in range(2))
    begins_s[houses], ends_s[houses] = made.begins_s, made.ends_s
    return Turns.of(fleet, starts_at, begins_s, ends_s, outdoor_c=outdoor_c)


def _storage(book: Book) -> Storage:
    """The book's continuous devices as a few blocks, by how long they last."""
    rows = book.giving.rows[~book.giving.whole]
    if rows.size == 0:
        return Storage(power_w=np.zeros(0), energy_wh=np.zeros(0))
    lasts_s = np.minimum(book.can.endurance_s[rows], LONGEST.total_seconds())
    block = np.argsort(np.argsort(lasts_s, kind="stable"), kind="stable") * BLOCKS // rows.size
    power_w = book.can.power_w[rows]
    return Storage(
        power_w=np.bincount(block, weights=power_w, minlength=BLOCKS).astype(np.float64),
        energy_wh=np.bincount(block, weights=power_w * lasts_s / HOUR_S, minlength=BLOCKS).astype(np.float64),
    )
