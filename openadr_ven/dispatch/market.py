"""The cells of a fleet under one price: what each offers is merged, one price is found, and each is told it.

The market sees no device. It adds up what cells answer (``seller.py``), so that as little travels between
processes as there are cells, not devices. Sums are taken cell by cell in their order, exactly.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from openadr_ven.dispatch.clear import CURVE_POINTS, Between, SupplyCurve, clear_by, merged
from openadr_ven.dispatch.quota import clear_within, exceeded
from openadr_ven.dispatch.seller import Question, Seller
from openadr_ven.fleet.columns import Floats, over

Ask = Callable[[Question, Sequence[Floats]], Sequence[Floats]]
"""A question to every cell, each with numbers of its own; their answers in the cells' order."""
PIECE = 1 << 16
"""Rows in one answer: half a megabyte."""
CLOSE_ENOUGH = 1e-9
"""Relative: a target that is missed by less is met."""


def asked_of(sellers: Sequence[Seller]) -> Ask:
    """Cells in this process."""

    def ask(question: Question, numbers: Sequence[Floats]) -> Sequence[Floats]:
        return over(lambda one: one[0].answer(question, one[1]), list(zip(sellers, numbers, strict=True)))

    return ask


class Market:
    """All cells in one round. A ``quota.Sale``, of the lot that stands."""

    def __init__(self, ask: Ask, cells: int, *, quota_w: Floats) -> None:
        """``quota_w`` is what each vendor allows, infinite for no quota."""
        self._ask = ask
        self._cells = cells
        self._quota_w = quota_w if bool(np.isfinite(quota_w).any()) else None
        opened = self._all(Question.OPEN)
        most_w, self.can_w, self.withheld_w, self.could_w = _summed([one[:4] for one in opened]).tolist()
        by_vendor_w = _summed([one[6:] for one in opened])
        self.most_w = most_w if self._quota_w is None else float(np.minimum(by_vendor_w, quota_w).sum())
        """The most that the fleet could give, within every limit."""
        self._prices = _widest([one[4:6] for one in opened])
        self._curve: SupplyCurve | None = None
        self._surcharge = np.zeros(0)
        self.softness = 1.0
        """How much more softly than they offered devices follow what was settled (``quota.py``)."""

    def worth_w(self, price: float) -> float:
        """What the fleet gives at a price that somebody sets; quotas, which hold a plan, do not count."""
        self._all(Question.ALL)
        return self.respond(price)[0]

    def share(
        self, target_w: float, *, uniform: float, has_turns: bool = False, has_held: bool = False
    ) -> tuple[float, float]:
        """Share a target over the cells: the price, and the watts that come of it. ``relief_w`` says whose.

        Whole devices keep their turn, or their state, where those are known, if the others close the gap; else
        they are drawn by ``uniform``, between 0 and 1.
        """
        for question, is_known in ((Question.TURNS, has_turns), (Question.HELD, has_held)):
            if is_known and target_w > 0.0:
                whole = self._all(question)
                whole = self._kept_to_quotas(whole) if question is Question.HELD else whole
                price, planned_w = self._around(target_w, whole)
                if abs(planned_w - target_w) <= CLOSE_ENOUGH * target_w:
                    return price, planned_w
        self._all(Question.ALL)
        between = self._merged_curve().around(target_w)
        price = self._cleared(target_w, self._prices, self._quota_w, between=between)
        drawn = self._drawn(price, uniform)
        if all(one[0] for one in drawn):
            return price, self._settled(price)
        whole = self._kept_to_quotas([one[1:] for one in drawn])
        return self._around(target_w, self._not_beyond(target_w, whole), near=price)

    def relief_w(self, size: int) -> Floats:
        """What was settled, by row of the fleet, of which there are so many."""
        pieces: list[list[Floats]] = [[] for _ in range(self._cells)]
        for start in range(0, size, PIECE):
            found = self._all(Question.RELIEF, start, start + PIECE)
            for mine, one in zip(pieces, found, strict=True):
                mine.append(one)
            if max(one.size for one in found) < PIECE:
                break
        return _joined([one for mine in pieces for one in mine])

    def following(self, parts: Sequence[slice]) -> tuple[Floats, Floats]:
        """What settled devices follow besides the price: what holds them (``Lot.holds``, by row of the fleet whose
        cells are ``parts``), and surcharges by vendor, if there are any.
        """
        holds = [one.reshape(-1, 3).copy() for one in self._all(Question.HOLDS)]
        for part, one in zip(parts, holds, strict=True):
            one[:, :2] += part.start
        return np.concatenate(holds), self._surcharge

    # -- whole devices -----------------------------------------------------------------

    def _drawn(self, price: float, uniform: float) -> Sequence[Floats]:
        """One draw through all cells: each goes on where the one before has ended."""
        shares = [float(one[0]) for one in self._all(Question.SHARES, price)]
        begins = np.concatenate(([0.0], np.cumsum(shares)[:-1])) + uniform
        return self._ask(Question.DRAW, [np.array([begin % 1.0]) for begin in begins])

    def _kept_to_quotas(self, whole: Sequence[Floats]) -> Sequence[Floats]:
        """Whole devices, less those beyond a vendor's quota: what earlier cells use of it, later ones have not."""
        quota_w = self._quota_w
        if quota_w is None or not (_summed([one[2:] for one in whole]) > quota_w).any():
            return whole
        left, limits = quota_w, []
        for one in whole:
            limits.append(left)
            left = np.maximum(left - np.minimum(one[2:], left), 0.0)
        return self._ask(Question.KEEP_TO, limits)

    def _not_beyond(self, target_w: float, whole: Sequence[Floats]) -> Sequence[Floats]:
        """Whole devices, less the few that exceed the target: others can fill a gap, not undo it."""
        excess_w = math.fsum(one[0] for one in whole) - target_w
        if not any(one[1] for one in whole):
            return whole
        for cell in range(self._cells):
            if excess_w <= 0.0:
                break
            too_much = [np.array([excess_w if place == cell else 0.0]) for place in range(self._cells)]
            excess_w -= math.fsum(one[0] for one in self._ask(Question.LIGHTEN, too_much))
        return self._all(Question.WHOLE)

    def _around(
        self, target_w: float, whole: Sequence[Floats], *, near: float | None = None
    ) -> tuple[float, float]:  # fmt: skip
        """What the others add to these whole ones to reach the target, probably ``near`` this price."""
        prices = _widest(self._all(Question.REST))
        left_w = target_w - math.fsum(one[0] for one in whole)
        quota_w = self._quota_w
        if quota_w is not None:
            quota_w = np.maximum(quota_w - _summed([one[2:] for one in whole]), 0.0)
        price = self._cleared(left_w, prices, quota_w, near=near)
        return price, self._settled(price)

    # -- the price ---------------------------------------------------------------------

    def _cleared(
        self,
        target_w: float,
        prices: tuple[float, float],
        quota_w: Floats | None,
        *,
        between: Between | None = None,
        near: float | None = None,
    ) -> float:
        self._surcharge, self.softness = np.zeros(0), 1.0
        price = clear_by(self.respond, target_w, prices, between=between, near=near)
        if quota_w is not None and exceeded(self.by_vendor(price), quota_w):
            return clear_within(self, quota_w, target_w)
        return price

    def _merged_curve(self) -> SupplyCurve:
        if self._curve is None:
            low, high = self._prices
            price = np.linspace(low, high, CURVE_POINTS)
            curves = [SupplyCurve(price=price, total_w=one) for one in self._all(Question.CURVE, low, high)]
            self._curve = merged(curves)
        return self._curve

    def _settled(self, price: float) -> float:
        return math.fsum(one[0] for one in self._all(Question.SETTLE, price))

    def respond(self, price: float) -> tuple[float, float]:
        total_w, slope = _summed(self._all(Question.RESPOND, price)).tolist()
        return total_w, slope

    def charge(self, surcharge: Floats, softness: float) -> tuple[float, float]:
        self._surcharge, self.softness = surcharge.copy(), softness
        return _widest(self._ask(Question.CHARGE, [np.append(surcharge, softness)] * self._cells))

    def by_vendor(self, price: float) -> Floats:
        return _summed(self._all(Question.BY_VENDOR, price))

    def bend(self, price: float) -> Floats:
        return _summed(self._all(Question.BEND, price))

    def _all(self, question: Question, *numbers: float) -> Sequence[Floats]:
        """The same numbers for every cell."""
        return self._ask(question, [np.array(numbers, dtype=np.float64)] * self._cells)


def _joined(pieces: Sequence[Floats]) -> Floats:
    """One behind the other, on every processor: memory that is new costs more than what is written to it."""
    ends = np.cumsum([one.size for one in pieces])
    whole = np.empty(int(ends[-1]))

    def put(place: int) -> None:
        whole[ends[place] - pieces[place].size : ends[place]] = pieces[place]

    over(put, range(len(pieces)))
    return whole


def _summed(answers: Sequence[Floats]) -> Floats:
    return np.array([math.fsum(column) for column in zip(*answers, strict=True)])


def _widest(ranges: Sequence[Floats]) -> tuple[float, float]:
    """The range of prices that covers all; nothing but 0 if nobody offers anything."""
    low, high = min(float(one[0]) for one in ranges), max(float(one[1]) for one in ranges)
    return (low, high) if low <= high else (0.0, 0.0)
