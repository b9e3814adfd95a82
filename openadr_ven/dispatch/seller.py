"""One cell's side of a clearing: it knows its devices, and answers questions.

A question is a name and a few numbers, and so is its answer, so that it does not matter in which process, or on
which machine, it is asked. ``market.py`` asks; what a question means stands here.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np

from openadr_ven.dispatch.book import Book, Giving
from openadr_ven.dispatch.lot import Lot
from openadr_ven.dispatch.rounding import CERTAIN, not_beyond, sample, within
from openadr_ven.fleet.columns import Fleet, Floats, Mask, Rows


class Question(StrEnum):
    """What is asked of every cell, with which numbers; what each answers."""

    OPEN = "open"
    """→ most, can, withheld and could (``Book``; W), the range of prices, then most by vendor if any sets a quota."""
    CURVE = "curve"
    """Two prices → the totals (W) at ``clear.CURVE_POINTS`` prices between them."""
    RESPOND = "respond"
    """A price → watts, and watts per unit of price, of the lot."""
    CHARGE = "charge"
    """Surcharges by vendor, then a softness → the range of prices (``quota.Sale``)."""
    BY_VENDOR = "by_vendor"
    """A price → watts by vendor."""
    BEND = "bend"
    """A price → see ``quota.Sale``."""
    ALL = "all"
    """All offers become the lot, as they stand in the book → the range of prices."""
    TURNS = "turns"
    """Houses whose turn it is are taken whole → ``Whole``."""
    HELD = "held"
    """Devices that are shed whole now, or run, are kept → ``Whole``."""
    SHARES = "shares"
    """A price → the sum of the shares that whole devices would have to give at it, certain ones apart."""
    DRAW = "draw"
    """A uniform number: whole devices are drawn by these shares → whether that is what the price gave, ``Whole``."""
    KEEP_TO = "keep_to"
    """Watts by vendor: whole devices beyond are left out → ``Whole``."""
    LIGHTEN = "lighten"
    """Watts that are too much: whole devices are left out → watts that are gone."""
    WHOLE = "whole"
    """→ ``Whole``: what is taken whole (W), whether there are other devices, W by vendor if any sets a quota."""
    REST = "rest"
    """The others, beside the whole ones, become the lot → the range of prices."""
    SETTLE = "settle"
    """A price → watts, with what is taken whole."""
    HOLDS = "holds"
    """→ what holds the lot in the network, as ``Lot.holds`` has it."""
    RELIEF = "relief"
    """Two rows of the cell → what was settled, from the one up to the other."""


class Seller:
    """One cell in one round."""

    def __init__(
        self, book: Book, fleet: Fleet, *, held_before: Mask | None = None, in_turn_w: Floats | None = None
    ) -> None:
        """``held_before`` are the devices that the last round shed, or ran; ``in_turn_w`` what houses in turn give."""
        self._book = book
        self._fleet = fleet
        self._held_before = held_before
        self._in_turn_w = in_turn_w
        self._answers: dict[Question, Callable[[Floats], object]] = {
            Question.OPEN: self._open,
            Question.ALL: self._all,
            Question.CURVE: self._curve,
            Question.RESPOND: lambda numbers: self._lot.respond(float(numbers[0])),
            Question.CHARGE: self._charge,
            Question.BY_VENDOR: lambda numbers: self._lot.by_vendor(float(numbers[0])),
            Question.BEND: lambda numbers: self._lot.bend(float(numbers[0])),
            Question.TURNS: self._turns,
            Question.HELD: self._held,
            Question.SHARES: self._shares,
            Question.DRAW: self._draw,
            Question.KEEP_TO: self._keep_to,
            Question.LIGHTEN: self._lighten,
            Question.WHOLE: self._whole,
            Question.REST: self._rest,
            Question.SETTLE: self._settle,
            Question.HOLDS: lambda _: self._lot.holds(self._fleet.size).ravel(),
            Question.RELIEF: self._relief,
        }
        self._share = np.zeros(book.by_size.size)
        self._all(self._share)
        self._relief_w = np.zeros(0)

    def answer(self, question: Question, numbers: Floats) -> Floats:
        return np.asarray(self._answers[question](numbers), dtype=np.float64)

    # -- what the fleet offers ---------------------------------------------------------

    def _open(self, _numbers: Floats) -> list[float]:
        book, quotas = self._book, self._book.giving.quotas
        by_vendor = [] if quotas is None else quotas.sums(self._lot.relief_w(np.inf)).tolist()
        return [book.most_w, book.can_w, book.withheld_w, book.could_w, *self._lot.prices(), *by_vendor]

    def _all(self, _numbers: Floats) -> tuple[float, float]:
        giving = self._book.giving
        self._take(giving, np.zeros(giving.rows.size))
        by = list(zip(self._book.levels, self._book.node_prices, strict=True))
        self._lot = Lot.of(giving.offers, giving.levels, giving.quotas, rows=giving.rows, by=by)
        self._followers: Rows | slice = slice(None)
        return self._lot.prices()

    def _curve(self, numbers: Floats) -> Floats:
        return self._book.curve(*numbers.tolist()).total_w

    # -- devices that are shed, or run, whole ------------------------------------------

    def _take(self, some: Giving, whole_w: Floats) -> None:
        self._some, self._whole_w = some, whole_w

    def _whole(self, _numbers: Floats | None = None) -> list[float]:
        quotas = self._some.quotas
        by_vendor = [] if quotas is None else quotas.sums(self._whole_w).tolist()
        return [float(self._whole_w.sum()), float(not self._some.whole.all()), *by_vendor]

    def _turns(self, _numbers: Floats) -> list[float]:
        # A house whose turn it is gives what it would draw, also while its compressor happens to rest.
        book = self._book
        in_turn_w = np.zeros(self._fleet.size) if self._in_turn_w is None else self._in_turn_w
        rows = np.flatnonzero((book.offers.upper_w > 0.0) | (book.usable & (in_turn_w > 0.0)))
        self._take(Giving.among(rows, self._fleet, book.offers, book.levels), in_turn_w[rows])
        return self._whole()

    def _held(self, _numbers: Floats) -> list[float]:
        giving = self._book.giving
        held = np.zeros(giving.rows.size, dtype=np.bool_)
        if self._held_before is not None:
            held = self._held_before[giving.rows] & giving.whole
        self._take(giving, np.where(within(held, giving.offers.upper_w, giving.levels), giving.offers.upper_w, 0.0))
        return self._whole()

    def _shares(self, numbers: Floats) -> list[float]:
        given_w = self._lot.relief_w(float(numbers[0]))
        self._share = given_w[self._book.by_size] / self._book.giving.offers.upper_w[self._book.by_size]
        return [float(self._share.sum(where=self._share < CERTAIN))]

    def _draw(self, numbers: Floats) -> list[float]:
        giving, share = self._book.giving, self._share
        chosen = sample(share, float(numbers[0]))
        exact = np.array_equal(chosen, share > 0.0) and bool((share[chosen] >= 1.0).all())
        drawn = np.zeros(giving.rows.size, dtype=np.bool_)
        drawn[self._book.by_size] = chosen
        drawn = within(drawn, giving.offers.upper_w, giving.levels)
        self._take(giving, np.where(drawn, giving.offers.upper_w, 0.0))
        return [float(exact), *self._whole()]

    def _keep_to(self, limit_w: Floats) -> list[float]:
        some, quotas = self._some, self._some.quotas
        if quotas is not None:
            kept_w = self._whole_w.copy()
            for vendor in np.flatnonzero(quotas.sums(kept_w) > limit_w):
                rows = np.flatnonzero((kept_w > 0.0) & (quotas.vendor == vendor))
                kept_w[rows[np.cumsum(kept_w[rows]) > limit_w[vendor]]] = 0.0
            self._take(some, kept_w)
        return self._whole()

    def _lighten(self, numbers: Floats) -> list[float]:
        before_w = float(self._whole_w.sum())
        kept = not_beyond(self._whole_w > 0.0, self._whole_w, before_w - float(numbers[0]))
        self._take(self._some, np.where(kept, self._whole_w, 0.0))
        return [before_w - float(self._whole_w.sum())]

    # -- the others --------------------------------------------------------------------

    def _rest(self, _numbers: Floats) -> tuple[float, float]:
        some = self._some
        self._followers = np.flatnonzero(~some.whole)
        left = tuple(level.beside(self._whole_w) for level in some.levels)
        self._lot = Lot.of_some(some.offers, self._followers, left, some.quotas, rows=some.rows)
        return self._lot.prices()

    def _charge(self, numbers: Floats) -> tuple[float, float]:
        return self._lot.charge(numbers[:-1], float(numbers[-1]))

    def _settle(self, numbers: Floats) -> list[float]:
        given_w = self._whole_w.copy()
        given_w[self._followers] = self._lot.relief_w(float(numbers[0]))
        self._relief_w = np.zeros(self._fleet.size)
        self._relief_w[self._some.rows] = self._book.direction * given_w
        return [float(given_w.sum())]

    def _relief(self, numbers: Floats) -> Floats:
        start, stop = numbers.tolist()
        return self._relief_w[int(start) : int(stop)]
