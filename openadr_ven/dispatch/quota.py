"""Quotas that cross the network: what may be asked of one vendor's cloud at once, wherever its devices are.

A vendor is no node of the tree, so its limit is no price cap. It is a surcharge on the costs of its
devices, found by turns: the tree's caps and the price, exact for the surcharges as they are; then each
vendor's surcharge, exact for the caps and the price as they are. Both turns climb the same concave dual,
one block of multipliers at a time, and where neither moves any more the optimality conditions hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openadr_ven.dispatch.caps import Level, capped
from openadr_ven.dispatch.clear import Offers, clear, price_range, relief_at, solve_price
from openadr_ven.fleet.columns import Codes, Floats

TURNS_MAX = 1_000
"""Most are settled after a dozen; where quotas and transformers compete for the same devices it can take hundreds."""
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

    def exceeded(self, relief_w: Floats) -> bool:
        return bool((self.sums(relief_w) > self.limit_w * (1.0 + SETTLED)).any())


def clear_within(
    offers: Offers, levels: Sequence[Level], quotas: Quotas, target_w: float
) -> tuple[Offers, float]:  # fmt: skip
    """Offers with surcharges and caps, and the price at which they give the target within every limit.

    ``offers`` are before the network holds them. If the target is out of reach, everybody gives all
    that the limits let through at the highest price that means anything.
    """
    surcharge = np.zeros(quotas.limit_w.size)
    held, price = offers, 0.0
    for _ in range(TURNS_MAX):
        charged = Offers.of(offers.cost + surcharge[quotas.vendor], offers.slope, offers.upper_w)
        held = capped(charged, levels)
        price = clear(held, target_w)
        given_w = quotas.sums(relief_at(held, price))
        over = given_w > quotas.limit_w * (1.0 + SETTLED)
        under = (surcharge > 0.0) & (given_w < quotas.limit_w * (1.0 - SETTLED))
        moving = np.flatnonzero(over | under)
        if moving.size == 0:
            break
        for vendor in moving:
            surcharge[vendor] = max(surcharge[vendor] + _more_surcharge(held, quotas, int(vendor), price), 0.0)
    return held, price


def _more_surcharge(held: Offers, quotas: Quotas, vendor: int, price: float) -> float:
    """What a vendor's devices must cost more, or less, for its quota to be met at this price."""
    rows = np.flatnonzero(quotas.vendor == vendor)
    gap = held.cost[rows] - np.minimum(held.cap[rows], price)
    mine = Offers.of(gap, held.slope[rows], held.upper_w[rows])

    def respond(at: float) -> tuple[float, float]:
        relief_w = np.clip(mine.slope * (at - mine.cost), 0.0, mine.upper_w)
        follows = (relief_w > 0.0) & (relief_w < mine.upper_w)
        return float(relief_w.sum()), float((mine.slope * follows).sum())

    return -solve_price(respond, float(quotas.limit_w[vendor]), *price_range(mine))
