"""A lot: offers of one cell that are cleared together, within its network's limits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from openadr_ven.dispatch.caps import Level, capped_by
from openadr_ven.dispatch.clear import Offers, price_range, relief_at, response_at, saturation_price
from openadr_ven.dispatch.quota import Quotas
from openadr_ven.fleet.columns import Floats, Rows

NO_OFFERS = (math.inf, -math.inf)
"""A range of prices that widens no other."""


@dataclass(slots=True, kw_only=True, eq=False)
class Lot:
    """A ``quota.Sale``."""

    offers: Offers
    """Held by the network, surcharges included."""
    levels: tuple[Level, ...]
    quotas: Quotas | None
    rows: Rows
    """Of the cell, by offer."""
    _cost: Floats
    """As it was offered."""
    _holding: tuple[tuple[Level, Floats, Rows | None], ...]
    """What holds the offers: nodes, the prices at which they stop following, the rows that they count (None: all)."""
    _gap: Offers | None = field(default=None)

    @classmethod
    def of(
        cls,
        held: Offers,
        levels: tuple[Level, ...],
        quotas: Quotas | None,
        *,
        rows: Rows,
        by: Sequence[tuple[Level, Floats]] = (),
    ) -> Self:
        """Offers that the network holds already, by these prices of nodes over all of the cell."""
        holding = tuple((level, prices, None) for level, prices in by)
        return cls(offers=held, levels=levels, quotas=quotas, rows=rows, _cost=held.cost, _holding=holding)

    @classmethod
    def of_some(
        cls, offers: Offers, places: Rows, levels: tuple[Level, ...], quotas: Quotas | None, *, rows: Rows
    ) -> Self:
        """The offers at these places, held by what is left in the network (``levels``, over all of them) alone."""
        left = tuple(level.among(places) for level in levels) if places.size else ()
        some = offers.only(places)
        mine = None if quotas is None else Quotas(vendor=quotas.vendor[places], limit_w=quotas.limit_w)
        lot = cls.of(some, left, mine, rows=rows[places])
        lot.hold(Offers.of(some.cost, some.slope, some.upper_w))
        return lot

    def prices(self) -> tuple[float, float]:
        """From where nobody gives anything to where all give what they can."""
        return _range(self.offers)

    def respond(self, price: float) -> tuple[float, float]:
        return response_at(self.offers, price)

    def relief_w(self, price: float) -> Floats:
        return relief_at(self.offers, price)

    def charge(self, surcharge: Floats) -> tuple[float, float]:
        vendor = self._quotas.vendor
        self.hold(Offers.of(self._cost + surcharge[vendor], self.offers.slope, self.offers.upper_w))
        return self.prices()

    def hold(self, free: Offers) -> None:
        """These offers instead, as far as the network lets them."""
        self.offers, prices = capped_by(free, self.levels)
        self._holding = tuple(
            (level, one, self.rows) for level, one in zip(self.levels, prices, strict=True)
        )  # fmt: skip

    def holds(self, size: int) -> Floats:
        """What holds the offers of a cell of so many rows: first row, row behind the last, and price; in a row each."""
        found = [np.zeros((0, 3))]
        for level, prices, rows in self._holding:
            held = np.flatnonzero(np.isfinite(prices))
            first = level.starts[held]
            last = first + level.lengths(size if rows is None else rows.size)[held] - 1
            if rows is not None:
                first, last = rows[first], rows[last]
            found.append(np.column_stack((first, last + 1, prices[held])))
        return np.concatenate(found)

    def by_vendor(self, price: float) -> Floats:
        return self._quotas.sums(self.relief_w(price))

    def gap(self, vendor: int, price: float) -> tuple[float, float]:
        rows = np.flatnonzero(self._quotas.vendor == vendor)
        mine = self.offers.only(rows)
        cost = mine.cost - np.minimum(mine.cap, price)
        self._gap = Offers(
            cost=cost, slope=mine.slope, upper_w=mine.upper_w, cap=saturation_price(cost, mine.slope, mine.upper_w)
        )
        return _range(self._gap)

    def gap_respond(self, at: float) -> tuple[float, float]:
        if self._gap is None:
            raise LookupError("no gap was asked for")
        return response_at(self._gap, at)

    @property
    def _quotas(self) -> Quotas:
        if self.quotas is None:
            raise LookupError("no vendor of this fleet sets a quota")
        return self.quotas


def _range(offers: Offers) -> tuple[float, float]:
    return price_range(offers) if offers.cost.size else NO_OFFERS
