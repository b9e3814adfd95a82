"""Quotas that cross the network: what may be asked of one vendor's cloud at once, wherever its devices are.

A vendor is no node of the tree, so its limit is no price cap. It is a surcharge on the costs of its
devices, found by turns: the tree's caps and the price, exact for the surcharges as they are; then each
vendor's surcharge, exact for the caps and the price as they are. Both turns climb the same concave dual,
one block of multipliers at a time, and where neither moves any more the optimality conditions hold.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from openadr_ven.dispatch.clear import solve_price
from openadr_ven.fleet.columns import Codes, Floats

TURNS_MAX = 300
"""Most are settled after a dozen; where quotas and transformers compete for the same devices it can take a hundred, and
with costs in steps (``merit``) for ever."""
HALVINGS = 60
SETTLED = 1e-7
"""Relative: a quota that is exceeded by less is kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quotas:
    """Who every row's vendor is, and what each allows; infinite for no quota."""

    vendor: Codes
    limit_w: Floats

    def sums(self, relief_w: Floats) -> Floats:
        """By vendor."""
        return np.asarray(np.bincount(self.vendor, weights=relief_w, minlength=self.limit_w.size))


class Sale(Protocol):
    """Offers under one price, on which vendors' quotas may put surcharges; one cell's, or all cells' together."""

    def charge(self, surcharge: Floats) -> tuple[float, float]:
        """Add these surcharges, by vendor, to the costs as they were offered; the range of prices then."""

    def respond(self, price: float) -> tuple[float, float]:
        """Total watts, and watts per unit of price."""

    def by_vendor(self, price: float) -> Floats:
        """Watts by vendor."""

    def gap(self, vendor: int, price: float) -> tuple[float, float]:
        """Between which surcharges, beside those that it has, a vendor's devices give all at this price, and nothing.

        Both negated: what ``gap_respond`` takes.
        """

    def gap_respond(self, at: float) -> tuple[float, float]:
        """What that vendor's devices give with the surcharge ``-at`` beside, and how fast that rises with ``at``."""


def exceeded(given_w: Floats, limit_w: Floats) -> bool:
    return bool((given_w > limit_w * (1.0 + SETTLED)).any())


def clear_within(sale: Sale, limit_w: Floats, target_w: float) -> float:
    """The price at which a sale gives the target within every quota; its surcharges are then those that it has.

    If the target is out of reach, everybody gives all that the limits let through at the highest price that means
    anything.
    """
    surcharge = np.zeros(limit_w.size)
    # Beyond the highest price of all everybody without a surcharge gives all: to go on would only raise surcharges.
    _, highest = sale.charge(surcharge)
    for _ in range(TURNS_MAX):
        low, high = sale.charge(surcharge)
        price = solve_price(sale.respond, target_w, low, min(high, highest))
        given_w = sale.by_vendor(price)
        over = given_w > limit_w * (1.0 + SETTLED)
        under = (surcharge > 0.0) & (given_w < limit_w * (1.0 - SETTLED))
        moving = np.flatnonzero(over | under)
        if moving.size == 0:
            return price
        for vendor in moving.tolist():
            more = -solve_price(sale.gap_respond, float(limit_w[vendor]), *sale.gap(vendor, price))
            surcharge[vendor] = max(surcharge[vendor] + more, 0.0)
    low, high = sale.charge(surcharge)
    return _kept(sale, limit_w, low, solve_price(sale.respond, target_w, low, min(high, highest)))


def _kept(sale: Sale, limit_w: Floats, low: float, high: float) -> float:
    """The highest of these prices at which no quota is exceeded: where turns do not settle, less is given."""
    for _ in range(HALVINGS):
        price = 0.5 * (low + high)
        low, high = (low, price) if exceeded(sale.by_vendor(price), limit_w) else (price, high)
    return low
