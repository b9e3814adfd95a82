"""A cell of a fleet from round to round: its book is kept until something that it is made of has changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.cutting import CELL, cells_of
from openadr_ven.dispatch.market import Ask, asked_of
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.dispatch.seller import Seller
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, over
from openadr_ven.fleet.model import Outlook

BOOKS_MAX = 2
"""A round needs two at most, one of relief by the program's policy and one of what a price is worth."""
BOOK_COLUMNS = ("soc", "temperature_c", "plugged", "baseline_w", "reached", "withheld", "burden", "among", "beside_w")
ROUND_COLUMNS = ("held", "in_turn_w")
"""What changes with each round, and is in no book."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sight:
    """All that a book is made of besides the fleet, and a round's own columns, where there are any."""

    outlook: Outlook
    direction: Direction
    policy: str
    """By name, of ``POLICIES``."""
    quota_w: NDArray[np.float64]
    """By vendor, infinite for no quota."""
    columns: Mapping[str, NDArray[Any]]
    """By name (``BOOK_COLUMNS``, ``ROUND_COLUMNS``), a value per row; ``among``, ``beside_w`` (what others take of
    the network) and a round's own may be missing."""
    levels: tuple[Level, ...]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of its arrays by name, as they travel."""
        limits = {f"level {place} {name}": getattr(level, name)
                  for place, level in enumerate(self.levels) for name in ("starts", "limit_w")}  # fmt: skip
        return {**self.columns, **limits, "quota_w": self.quota_w}

    @classmethod
    def of(
        cls, outlook: Outlook, direction: Direction, policy: str, arrays: Mapping[str, NDArray[Any]]
    ) -> "Sight":  # fmt: skip
        """From arrays by name."""
        count = sum(name.endswith(" starts") for name in arrays)
        return cls(
            outlook=outlook,
            direction=direction,
            policy=policy,
            quota_w=arrays["quota_w"],
            columns={name: arrays[name] for name in (*BOOK_COLUMNS, *ROUND_COLUMNS) if name in arrays},
            levels=tuple(
                Level(starts=arrays[f"level {place} starts"], limit_w=arrays[f"level {place} limit_w"])
                for place in range(count)
            ),
        )

    def has_same_book(self, other: "Sight") -> bool:
        mine, others = (
            {name: array for name, array in one.arrays().items() if name not in ROUND_COLUMNS} for one in (self, other)
        )
        return (
            (self.outlook, self.direction, self.policy) == (other.outlook, other.direction, other.policy)
            and mine.keys() == others.keys()
            and all(is_same(array, others[name]) for name, array in mine.items())
        )

    def kept(self) -> "Sight":
        """The same, safe from changes in place."""
        return replace(self, columns={name: array.copy() for name, array in self.columns.items()})


@dataclass(slots=True, eq=False)
class Cell:
    """Some consecutive rows of a fleet."""

    fleet: Fleet
    _kept: list[tuple[Sight, Book]] = field(default_factory=list)
    """The newest last."""

    def open(self, sight: Sight) -> Seller:
        """Ready to be asked, as things stand."""
        columns = sight.columns
        return Seller(
            self._book(sight), self.fleet, held_before=columns.get("held"), in_turn_w=columns.get("in_turn_w")
        )  # fmt: skip

    def _book(self, sight: Sight) -> Book:
        for place, (seen, book) in enumerate(self._kept):
            if seen.has_same_book(sight):
                self._kept.append(self._kept.pop(place))
                return book
        book = _book(self.fleet, sight)
        self._kept = [*self._kept[1 - BOOKS_MAX :], (sight.kept(), book)]
        return book


class Cells:
    """All cells of a fleet in this process."""

    def __init__(self, fleet: Fleet, size: int = CELL) -> None:
        self.parts = cells_of(fleet, size)
        self._cells = [Cell(fleet.take(part)) for part in self.parts]

    def open(self, sights: Sequence[Sight]) -> Ask:
        """A round, by what is seen of each cell."""
        return asked_of(over(lambda one: one[0].open(one[1]), list(zip(self._cells, sights, strict=True))))


def is_same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """To the bit, what is no number among them."""
    if one is other or one.dtype != other.dtype:
        return one is other
    bits = np.dtype(f"i{one.itemsize}")
    return bool(np.array_equal(one.view(bits), other.view(bits)))


def _book(fleet: Fleet, sight: Sight) -> Book:
    columns, nothing = sight.columns, np.zeros(fleet.size)
    always = np.ones(fleet.size, dtype=np.bool_)
    state = FleetState(
        power_w=nothing, soc=columns["soc"], temperature_c=columns["temperature_c"], plugged=columns["plugged"],
        online=always, override=~always, measured_at_s=nothing, heard_at_s=nothing,
    )  # fmt: skip
    levels = sight.levels
    if "beside_w" in columns:
        levels = tuple(level.beside(columns["beside_w"]) for level in levels)
    return offer_book(
        replace(fleet, vendor_limit_w=sight.quota_w),
        state,
        columns["baseline_w"],
        outlook=sight.outlook,
        levels=levels,
        policy=POLICIES[sight.policy],
        direction=sight.direction,
        reached=columns["reached"],
        withheld=columns["withheld"],
        burden=columns["burden"],
        among=columns.get("among"),
    )
