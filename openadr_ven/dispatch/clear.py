"""Exact clearing: one price at which the fleet's responses add up to the target.

    minimise   Σ cᵢ dᵢ + dᵢ² / (2 hᵢ)     subject to   Σ dᵢ = target,   0 ≤ dᵢ ≤ uᵢ

Every device answers a price λ with ``dᵢ(λ) = clip(hᵢ (min(λ, capᵢ) − cᵢ), 0, uᵢ)``. The sum grows with
λ and is piecewise linear, so Newton's method, kept inside a bracket, ends on the exact price
(Cominetti, Mascarenhas, Silva, 2014). ``capᵢ`` is the price at which the network stops the device
(``dispatch/caps.py``); costs and slopes are a policy (``dispatch/policy.py``). Watts are of relief or of
extra load, whichever was asked for: the same arithmetic clears both.

The search needs only the fleet's total and slope at a price, so shards can each return theirs and
the sum of both is all that has to travel. Where it starts is read off a ``SupplyCurve``, which is made
when telemetry changes; curves of shards add up too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from openadr_ven.fleet.columns import Floats, Rows, over_chunks

ROUNDS_MAX = 200
"""Newton takes 4 to 12; a bracket of doubles is halved to nothing in 120."""
TOLERANCE = 1e-12
"""Relative: below what float64 sums of millions of watts can tell apart."""
CURVE_POINTS = 4096
"""Between two of them few prices of devices lie, so Newton is there in two or three passes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offers:
    """What each device would do at a price. Watts, and the policy's own unit of price."""

    cost: Floats
    slope: Floats
    """Watts per unit of price; positive wherever ``upper_w`` is."""
    upper_w: Floats
    cap: Floats
    """The price above which this device no longer follows; at most the one that saturates it."""

    @classmethod
    def of(cls, cost: Floats, slope: Floats, upper_w: Floats) -> "Offers":
        """Offers that only the devices' own headroom ends."""
        return cls(cost=cost, slope=slope, upper_w=upper_w, cap=saturation_price(cost, slope, upper_w))

    def only(self, rows: Rows) -> "Offers":
        """Of these rows."""
        return Offers(cost=self.cost[rows], slope=self.slope[rows], upper_w=self.upper_w[rows], cap=self.cap[rows])


Response = Callable[[float], tuple[float, float]]
"""From a price to (total watts, watts per unit of price)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SupplyCurve:
    """What a fleet gives at rising prices, a few thousand of them."""

    price: Floats
    total_w: Floats

    def around(self, target_w: float) -> "Between | None":
        """Where the target is met; wider by a step than need be, since sums have rounding errors.

        None if it is beyond the curve's ends.
        """
        if not 0.0 < target_w < float(self.total_w[-1]) * (1.0 - 1e-9):
            return None
        place = int(np.searchsorted(self.total_w, target_w))
        low, high = max(place - 2, 0), min(place + 1, self.price.size - 1)
        near = np.interp(target_w, self.total_w[low : high + 1], self.price[low : high + 1])
        return Between(low=float(self.price[low]), high=float(self.price[high]), near=float(near))


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Prices between which one is likely to be, and where among them."""

    low: float
    high: float
    near: float


def saturation_price(cost: Floats, slope: Floats, upper_w: Floats) -> Floats:
    """The price at which each device gives all it has."""
    price = np.zeros_like(cost)

    def saturate(rows: slice) -> None:
        np.divide(upper_w[rows], slope[rows], out=price[rows], where=upper_w[rows] > 0.0)
        price[rows] += cost[rows]

    over_chunks(saturate, cost.size)
    return price


def price_range(offers: Offers) -> tuple[float, float]:
    """From where nobody gives anything to where all give what they can."""
    if offers.cost.size == 0:
        return 0.0, 0.0
    return float(offers.cost.min()), float(offers.cap.max())


def clear(offers: Offers, target_w: float, *, curve: SupplyCurve | None = None) -> float:
    """The price at which the fleet gives the target; the highest that means anything if it cannot."""

    def respond(price: float) -> tuple[float, float]:
        return response_at(offers, price)

    between = None if curve is None else curve.around(target_w)
    return clear_by(respond, target_w, price_range(offers), between=between)


def clear_by(
    respond: Response,
    target_w: float,
    prices: tuple[float, float],
    *,
    between: Between | None = None,
    near: float | None = None,
) -> float:
    """The same for whoever responds, in the range of their prices.

    Where it is likely to be is worth a few passes over the devices: ``between`` these, or ``near`` this one.
    """
    if between is not None:
        price, is_between = _search(respond, target_w, between.low, between.high, between.near)
        if is_between:
            return price
    return solve_price(respond, target_w, *prices, near=near)


def solve_price(respond: Response, target_w: float, low: float, high: float, *, near: float | None = None) -> float:
    """The price between ``low`` and ``high`` at which ``respond`` gives ``target_w``: the nearer end if none does."""
    reachable_w, _ = respond(high)
    if target_w >= reachable_w:
        return high
    if target_w <= 0.0:
        return low
    if near is None or not low < near < high:
        near = low + (high - low) * target_w / reachable_w
    return _search(respond, target_w, low, high, near)[0]


def _search(respond: Response, target_w: float, low: float, high: float, price: float) -> tuple[float, bool]:
    """The price, begun at this one, and whether it is seen to be between those two, or is only taken to be."""
    is_above, is_below = False, False
    for _ in range(ROUNDS_MAX):
        total_w, slope = respond(price)
        if abs(total_w - target_w) <= TOLERANCE * target_w:
            return price, True
        if total_w < target_w:
            low, is_above = price, True
        else:
            high, is_below = price, True
        guess = price + (target_w - total_w) / slope if slope > 0.0 else math.nan
        price = guess if low < guess < high else 0.5 * (low + high)
        if not low < price < high:
            break
    return price, is_above and is_below


def response_at(offers: Offers, price: float) -> tuple[float, float]:
    """The fleet's total and its slope at a price; exact sums, so the order of rows does not matter."""

    def respond(rows: slice) -> tuple[float, float]:
        slope, upper_w, cap = offers.slope[rows], offers.upper_w[rows], offers.cap[rows]
        relief_w = np.minimum(cap, price)
        relief_w -= offers.cost[rows]
        relief_w *= slope
        follows = relief_w > 0.0
        follows &= relief_w < upper_w
        follows &= cap > price
        np.maximum(relief_w, 0.0, out=relief_w)
        np.minimum(relief_w, upper_w, out=relief_w)
        return float(relief_w.sum()), float(slope[follows].sum())

    found = over_chunks(respond, offers.cost.size)
    return math.fsum(total_w for total_w, _ in found), math.fsum(slope for _, slope in found)


def relief_at(offers: Offers, price: float) -> Floats:
    """What each device gives at a price."""
    relief_w = np.empty_like(offers.cost)

    def answer(rows: slice) -> None:
        out = relief_w[rows]
        np.minimum(offers.cap[rows], price, out=out)
        out -= offers.cost[rows]
        out *= offers.slope[rows]
        np.maximum(out, 0.0, out=out)
        np.minimum(out, offers.upper_w[rows], out=out)

    over_chunks(answer, offers.cost.size)
    return relief_w


def supply_curve(offers: Offers, low: float, high: float) -> SupplyCurve:
    """The fleet's total at evenly spaced prices, in one pass over the devices however many prices there are.

    A device adds its slope to the curve where it begins to give and takes it back where it ends, so
    what has begun and what has ended by each price is all that has to be counted.
    """
    price = np.linspace(low, high, CURVE_POINTS)
    scale = (CURVE_POINTS - 1) / (high - low) if high > low else 0.0

    def count(rows: slice) -> Floats:
        """How steeply the total rises from each price on, and where the lines that it is made of begin."""
        begin, slope = offers.cost[rows] - low, offers.slope[rows]
        end = np.maximum(offers.cap[rows] - low, begin)
        counted = np.zeros((2, CURVE_POINTS))
        for at, weight in ((begin, slope), (end, -slope)):
            place = np.clip(np.ceil(at * scale), 0, CURVE_POINTS - 1).astype(np.intp)
            counted[0] += np.bincount(place, weights=weight, minlength=CURVE_POINTS)
            counted[1] += np.bincount(place, weights=weight * at, minlength=CURVE_POINTS)
        return counted

    rising, rising_from = sum(over_chunks(count, offers.cost.size), np.zeros((2, CURVE_POINTS)))
    total_w = (price - low) * np.cumsum(rising) - np.cumsum(rising_from)
    return SupplyCurve(price=price, total_w=np.maximum.accumulate(np.maximum(total_w, 0.0)))


def merged(curves: Sequence[SupplyCurve]) -> SupplyCurve:
    """The curve of several shards, made over the same range of prices."""
    return SupplyCurve(price=curves[0].price, total_w=np.sum([curve.total_w for curve in curves], axis=0))
