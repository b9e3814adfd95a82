"""Quotas that cross the network: what may be asked of one vendor's cloud at once, wherever its devices are.

A vendor is no node of the tree, so its limit is no price cap. It is a surcharge on the costs of its devices. With
surcharges as they are, the tree's caps and the price are exact (one turn: ``clear.py``, ``caps.py``); what is left is a
concave function of one number for each quota, whose slope is by how much the quota is exceeded. It is quadratic in
pieces, so Newton's method, its steps cut where they would go too far, ends on the exact surcharges after half a dozen
turns, and there the optimality conditions of everything hold.

Where costs are in steps (``merit``) the pieces are so small that Newton sees nothing of the next. Then everybody is
let respond softly first, over much of the range of prices, and less and less softly: surcharges go in straight lines
meanwhile, so that two stages tell the next. Where a stage does not settle, a smaller one is tried; if that does not do
either, the last that did is what is done: within every limit, while the order of costs blurs by as much as it was soft.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from openadr_ven.dispatch.clear import solve_price
from openadr_ven.fleet.columns import Codes, Floats

STAGE_TURNS = 15
"""Turns at one softness; six are usual, and where they do not do, a softer one settles."""
HALVINGS = 60
SETTLED = 1e-7
"""Relative, or of a watt: a quota that is exceeded by less is kept."""
STEEP = 1e-3
"""Devices that follow over less of the range of prices than this follow in steps."""
TURNS_MAX = 100
"""After so many no other stage is begun."""
SOFTEST = 1e-6
"""Of the same range: steeper offers begin as if they were as steep as this."""
SOFTER, SOFTER_MIN = 10.0, 1.5
"""How much softer one stage is than the next; after one that did not settle, the square root of it."""
ENOUGH, TOO_FAR = 0.5, 0.7
"""A step that leaves so much of a slope of the dual is taken; one that is too long is cut to this, or more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quotas:
    """Who every row's vendor is, and what each allows; infinite for no quota."""

    vendor: Codes
    limit_w: Floats

    @property
    def counted(self) -> Codes:
        """By vendor, its number among those with a quota; all others are one more."""
        has = np.isfinite(self.limit_w)
        return np.where(has, np.cumsum(has) - 1, np.count_nonzero(has))

    def sums(self, relief_w: Floats) -> Floats:
        """By vendor."""
        return np.asarray(np.bincount(self.vendor, weights=relief_w, minlength=self.limit_w.size))


class Sale(Protocol):
    """Offers under one price, on which vendors' quotas may put surcharges; one cell's, or all cells' together."""

    def charge(self, surcharge: Floats, softness: float) -> tuple[float, float]:
        """Add these surcharges, by vendor, to the costs as they were offered, and let everybody's response grow over
        so many times the range of prices that it was offered for; the range of prices then.
        """

    def respond(self, price: float) -> tuple[float, float]:
        """Total watts, and watts per unit of price."""

    def by_vendor(self, price: float) -> Floats:
        """Watts by vendor."""

    def bend(self, price: float) -> Floats:
        """How what vendors give bends when surcharges rise, in watts per unit of price: of those that follow the price
        the sum, and the sum of each vendor with a quota; then, of those that a node holds, how much less each vendor
        with a quota (row) gives for each surcharge (column), the node's price as it follows from that.
        """


def exceeded(given_w: Floats, limit_w: Floats) -> bool:
    return bool((given_w > limit_w * (1.0 + SETTLED)).any())


def clear_within(sale: Sale, limit_w: Floats, target_w: float) -> float:
    """The price at which a sale gives the target within every quota; its surcharges are then those that it has.

    If the target is out of reach, everybody gives all that the limits let through at the highest price that means
    anything.
    """
    search = _Search(sale, limit_w, target_w)
    nothing = np.zeros(search.which.size)
    begun = search.begin(1.0)
    if not begun.is_steep and (found := search.settle(1.0, nothing, begun.range)) is not None:
        return found.price
    softness = SOFTER ** max(round(-math.log(max(begun.width, SOFTEST), SOFTER)), 1)
    begun = search.begin(softness)
    path: list[tuple[float, _Settled]] = []
    ratio = SOFTER
    while ratio > SOFTER_MIN and search.turns < TURNS_MAX:
        guess = _on_the_line(path, softness, nothing)
        far = begun.range if len(path) < 2 else float(np.abs(guess - path[-1][1].surcharge).max())
        found = search.settle(softness, guess, max(far, begun.range * SETTLED))
        if found is None:
            ratio = math.sqrt(ratio)
            if path:
                softness = max(path[-1][0] / ratio, 1.0)
            else:
                softness *= SOFTER * SOFTER
                begun = search.begin(softness)
            continue
        path.append((softness, found))
        if softness == 1.0:
            return found.price
        softness = 1.0 if found.is_guessed else max(softness / ratio, 1.0)
    if path:
        softness, found = path[-1]
        search.charge(softness, found.surcharge)
        return found.price
    low, high = search.charge(1.0, nothing)
    return _kept(sale, limit_w, low, min(high, begun.highest))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """Offers without a surcharge."""

    range: float
    """Of prices."""
    highest: float
    width: float
    """The share of that range over which those that follow do so."""

    @property
    def is_steep(self) -> bool:
        return self.width < STEEP


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Settled:
    surcharge: Floats
    """Of vendors with a quota."""
    price: float
    is_guessed: bool
    """It was settled as it was begun: where two stages had pointed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Point:
    """What comes of surcharges."""

    surcharge: Floats
    price: float
    is_highest: bool
    over_w: Floats
    """Beyond each quota: the slope of the dual."""


def _on_the_line(path: Sequence[tuple[float, _Settled]], softness: float, nothing: Floats) -> Floats:
    """Surcharges change with softness in straight pieces: where the last two point."""
    if len(path) < 2:
        return path[-1][1].surcharge if path else nothing
    (softer, before), (soft, last) = path[-2:]
    step = (last.surcharge - before.surcharge) * (softness - soft) / (soft - softer)
    return np.maximum(last.surcharge + step, 0.0)


class _Search:
    """Newton on the dual of the quotas, whose every evaluation clears the fleet: its network, then its price."""

    def __init__(self, sale: Sale, limit_w: Floats, target_w: float) -> None:
        self.which = np.flatnonzero(np.isfinite(limit_w))
        self._sale = sale
        self._limit_w = limit_w
        self._mine_w = limit_w[self.which]
        self._spare_w = SETTLED * np.maximum(self._mine_w, 1.0)
        self._target_w = target_w
        self._highest = math.inf
        self.turns = 0

    def charge(self, softness: float, surcharge: Floats) -> tuple[float, float]:
        charged = np.zeros(self._limit_w.size)
        charged[self.which] = surcharge
        self.turns += 1
        return self._sale.charge(charged, softness)

    def begin(self, softness: float) -> _Begun:
        # Beyond the highest price of all everybody without a surcharge gives all: to go on would only raise surcharges.
        low, self._highest = self.charge(softness, np.zeros(self.which.size))
        price = solve_price(self._sale.respond, self._target_w, low, self._highest)
        _, slope = self._sale.respond(price)
        wide = self._highest - low
        if price >= self._highest:
            return _Begun(range=wide, highest=self._highest, width=1.0)
        width = self._target_w / (slope * wide) if slope > 0.0 and wide > 0.0 else 0.0
        return _Begun(range=wide, highest=self._highest, width=width)

    def settle(self, softness: float, surcharge: Floats, radius: float) -> _Settled | None:
        """From these surcharges, which a step changes by about ``radius`` at most; None if it takes too many turns."""
        point, turns = self._at(softness, surcharge), 1
        while not self._is_settled(point):
            step = self._step(point, radius)
            slope = slope_there = float(point.over_w @ step)
            short, short_slope, share, longest, long_slope = 0.0, slope, 1.0, math.inf, 0.0
            while turns < STAGE_TURNS:
                there, turns = self._at(softness, np.maximum(point.surcharge + share * step, 0.0)), turns + 1
                slope_there = float(there.over_w @ step)
                far_enough = slope_there <= ENOUGH * slope or longest == math.inf
                if self._is_settled(there) or (slope_there >= -ENOUGH * slope and far_enough):
                    break
                if slope_there < 0.0:
                    longest, long_slope = share, slope_there
                else:
                    short, short_slope = share, slope_there
                secant = short + (longest - short) * short_slope / (short_slope - long_slope)
                share = min(max(secant, short + 0.05 * (longest - short)), short + TOO_FAR * (longest - short))
            else:
                return None
            if share < 1.0:
                radius = max(2.0 * float(np.abs(share * step).max()), np.finfo(float).tiny)
            elif slope_there > 0.0:
                radius *= 4.0
            point = there
        return _Settled(surcharge=point.surcharge, price=point.price, is_guessed=turns == 1)

    def _at(self, softness: float, surcharge: Floats) -> _Point:
        low, high = self.charge(softness, surcharge)
        highest = min(high, self._highest)
        price = solve_price(self._sale.respond, self._target_w, low, highest)
        over_w = self._sale.by_vendor(price)[self.which] - self._mine_w
        return _Point(surcharge=surcharge, price=price, is_highest=price >= highest, over_w=over_w)

    def _is_settled(self, point: _Point) -> bool:
        wrong = (point.over_w > self._spare_w) | ((point.surcharge > 0.0) & (point.over_w < -self._spare_w))
        return not wrong.any()

    def _step(self, point: _Point, radius: float) -> Floats:
        """Newton's, of those that are to move, and no further than to no surcharge at all."""
        count = self.which.size
        follows, mine, held = np.split(self._sale.bend(point.price), (1, 1 + count))
        bend = np.diag(mine) + held.reshape(count, count)
        if follows[0] > 0.0 and not point.is_highest:
            bend = bend - np.outer(mine, mine) / follows[0]  # the price goes up for everybody
        step = np.zeros(count)
        moves = (point.surcharge > 0.0) | (point.over_w > 0.0)
        while moves.any():
            inside, fixed = np.flatnonzero(moves), np.flatnonzero(~moves)
            # Where nothing bends (all follow in steps) the radius alone says how far to go.
            stiff = bend[np.ix_(inside, inside)] + np.diag(np.abs(point.over_w[inside]) / radius + np.finfo(float).tiny)
            step[inside] = np.linalg.solve(stiff, point.over_w[inside] - bend[np.ix_(inside, fixed)] @ step[fixed])
            beyond = inside[point.surcharge[inside] + step[inside] < 0.0]
            if not beyond.size:
                break
            step[beyond], moves[beyond] = -point.surcharge[beyond], False
        if float(point.over_w @ step) > 0.0:
            return step
        return np.maximum(np.sign(point.over_w) * radius, -point.surcharge)


def _kept(sale: Sale, limit_w: Floats, low: float, high: float) -> float:
    """The highest of these prices at which no quota is exceeded: where turns do not settle, less is given."""
    for _ in range(HALVINGS):
        price = 0.5 * (low + high)
        low, high = (low, price) if exceeded(sale.by_vendor(price), limit_w) else (price, high)
    return low
