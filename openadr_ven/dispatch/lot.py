"""A lot: offers of one cell that are cleared together, within its network's limits."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from openadr_ven.dispatch.caps import Level, capped
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
    _cost: Floats
    """As it was offered."""
    _gap: Offers | None = field(default=None)

    @classmethod
    def of(cls, held: Offers, levels: tuple[Level, ...], quotas: Quotas | None) -> Self:
        """Offers that the network holds already."""
        return cls(offers=held, levels=levels, quotas=quotas, _cost=held.cost)

    @classmethod
    def of_some(cls, offers: Offers, rows: Rows, levels: tuple[Level, ...], quotas: Quotas | None) -> Self:
        """These rows of offers, held by what is left in the network (``levels``, over all rows) alone."""
        left = tuple(level.among(rows) for level in levels) if rows.size else ()
        some = offers.only(rows)
        held = capped(Offers.of(some.cost, some.slope, some.upper_w), left)
        mine = None if quotas is None else Quotas(vendor=quotas.vendor[rows], limit_w=quotas.limit_w)
        return cls.of(held, left, mine)

    def prices(self) -> tuple[float, float]:
        """From where nobody gives anything to where all give what they can."""
        return _range(self.offers)

    def respond(self, price: float) -> tuple[float, float]:
        return response_at(self.offers, price)

    def relief_w(self, price: float) -> Floats:
        return relief_at(self.offers, price)

    def charge(self, surcharge: Floats) -> tuple[float, float]:
        vendor = self._quotas.vendor
        charged = Offers.of(self._cost + surcharge[vendor], self.offers.slope, self.offers.upper_w)
        self.offers = capped(charged, self.levels)
        return self.prices()

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
