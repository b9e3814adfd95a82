"""A lot: offers of one cell that are cleared together, within its network's limits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from openadr_ven.dispatch.caps import Level, capped_by
from openadr_ven.dispatch.clear import Offers, price_range, relief_at, response_at
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
    """As it was offered; so is the next."""
    _slope: Floats
    _holding: tuple[tuple[Level, Floats, Rows | None], ...]
    """What holds the offers: nodes, the prices at which they stop following, the rows that they count (None: all)."""

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
        return cls(
            offers=held, levels=levels, quotas=quotas, rows=rows, _cost=held.cost, _slope=held.slope, _holding=holding
        )

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

    def charge(self, surcharge: Floats, softness: float) -> tuple[float, float]:
        cost = self._cost + surcharge[self._quotas.vendor]
        self.hold(Offers.of(cost, self._slope / softness, self.offers.upper_w))
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

    def bend(self, price: float) -> Floats:
        offers, quotas = self.offers, self._quotas
        ruling, node = self._ruled(price)
        relief_w = offers.slope * (ruling - offers.cost)
        rows = np.flatnonzero((relief_w > 0.0) & (relief_w < offers.upper_w))
        slope, node, vendor = offers.slope[rows], node[rows], quotas.counted[quotas.vendor[rows]]
        count = int(quotas.counted.max()) + 1
        free = node == 0
        mine = np.bincount(vendor[free], weights=slope[free], minlength=count)
        nodes, place = np.unique(node[~free], return_inverse=True)
        by_node = np.bincount(place * count + vendor[~free], weights=slope[~free], minlength=nodes.size * count)
        by_node = by_node.reshape(-1, count)
        # A node's sum stays: who is surcharged gives less, and all below it more, as the node's price rises for it.
        more = np.einsum("nv,nw->vw", by_node / by_node.sum(axis=1, keepdims=True), by_node)
        held = np.diag(by_node.sum(axis=0)) - more
        return np.concatenate(([mine.sum()], mine[:-1], held[:-1, :-1].ravel()))

    def _ruled(self, price: float) -> tuple[Floats, Rows]:
        """By offer, the price that it follows, and the node which holds it to that: 0 for none."""
        size = self.offers.cost.size
        ruling, node, before = np.full(size, price), np.zeros(size, dtype=np.intp), 1
        for level, prices, _ in self._holding:
            lengths = level.lengths(size)
            lower = np.flatnonzero(np.repeat(prices, lengths) < ruling)
            ruling[lower] = np.repeat(prices, lengths)[lower]
            node[lower] = np.repeat(np.arange(before, before + prices.size), lengths)[lower]
            before += prices.size
        return ruling, node

    @property
    def _quotas(self) -> Quotas:
        if self.quotas is None:
            raise LookupError("no vendor of this fleet sets a quota")
        return self.quotas


def _range(offers: Offers) -> tuple[float, float]:
    return price_range(offers) if offers.cost.size else NO_OFFERS
