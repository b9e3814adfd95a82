"""Whether what a cell answers can be true, for who asks a cell that somebody else computes (T07 of a shard).

A shard's answers move load, so they are believed only as far as the fleet file, the network and the answers before
allow: finite, within what its devices can do, a supply that does not fall as the price rises, and devices that give
together what was settled, each no more than it can and no node of the network more than it carries.
"""

from collections.abc import Callable

import numpy as np

from openadr_ven.dispatch.cell import Sight
from openadr_ven.dispatch.clear import CURVE_POINTS
from openadr_ven.dispatch.seller import Question
from openadr_ven.fleet.columns import Fleet, Floats

SLACK = 1e-6
"""Relative, and ``SLACK_W`` besides: sums of millions have rounding errors."""
SLACK_W = 1.0
RANGES = frozenset({Question.CHARGE, Question.ALL, Question.REST})
NEW_LOT = frozenset({Question.CHARGE, Question.ALL, Question.REST})
"""After these the lot is another one, and so is its curve."""
WHOLES = frozenset({Question.TURNS, Question.HELD, Question.KEEP_TO, Question.WHOLE})


class Implausible(Exception):
    """A cell that somebody else computes said what cannot be true: what was asked since the round began is void."""


class Judge:
    """One cell in one round: told every question and its answer, in order."""

    def __init__(self, fleet: Fleet, sight: Sight) -> None:
        """The cell's rows of the fleet file, and what is seen of them."""
        self._sight = sight
        self._size = fleet.size
        self._most_w = _most_w(fleet, sight)
        self._total_w = float(self._most_w.sum())
        has_quotas = bool(np.isfinite(sight.quota_w).any())
        self._vendors = sight.quota_w.size if has_quotas else 0
        self._quotas = int(np.count_nonzero(np.isfinite(sight.quota_w)))
        self._by_vendor_w: Floats = np.bincount(fleet.vendor, weights=self._most_w, minlength=self._vendors).astype(
            np.float64
        )
        self._points: list[tuple[float, float]] = []
        """Of the curve that stands: prices and watts."""
        self._whole_w = 0.0
        """What is taken whole, beside the lot if it is the rest."""
        self._is_rest = False
        self._settled_w = 0.0
        self._relief_w = np.zeros(fleet.size)

    def fault(self, question: Question, numbers: Floats, answer: Floats) -> str | None:
        """Why the answer cannot be true; None if it can."""
        if answer.dtype != np.float64 or answer.ndim != 1:
            return f"{question}: no row of numbers"
        if (size := self._size_of(question, numbers)) is not None and answer.size != size:
            return f"{question}: {answer.size} numbers, not {size}"
        is_empty_range = question in RANGES and answer.tolist() == [np.inf, -np.inf]
        opens_empty = question is Question.OPEN and answer[4:6].tolist() == [np.inf, -np.inf]
        checked = np.delete(answer, (4, 5)) if opens_empty else answer
        if not is_empty_range and not np.isfinite(checked).all():
            return f"{question}: not finite"
        found = None if is_empty_range else self._content(question, numbers, answer)
        if question in NEW_LOT:
            self._points = []
        if question in (Question.ALL, Question.REST):
            self._is_rest = question is Question.REST
        return None if found is None else f"{question}: {found}"

    def _size_of(self, question: Question, numbers: Floats) -> int | None:
        if question in RANGES or question is Question.RESPOND:
            return 2
        if question in WHOLES:
            return 2 + self._vendors
        if question is Question.RELIEF:
            start, stop = (min(int(one), self._size) for one in numbers.tolist())
            return max(stop - start, 0)
        return {
            Question.OPEN: 6 + self._vendors, Question.CURVE: CURVE_POINTS, Question.BY_VENDOR: self._vendors,
            Question.BEND: 1 + self._quotas * (1 + self._quotas),
            Question.SHARES: 1, Question.DRAW: 3 + self._vendors, Question.LIGHTEN: 1, Question.SETTLE: 1,
        }.get(question)  # fmt: skip

    def _content(self, question: Question, numbers: Floats, answer: Floats) -> str | None:
        if question in RANGES:
            return None if answer[0] <= answer[1] else "a range that ends before it begins"
        if question is Question.RESPOND:
            return self._response(float(numbers[0]), *answer.tolist())
        if question in WHOLES:
            return self._whole(answer)
        others: dict[Question, Callable[[Floats, Floats], str | None]] = {
            Question.OPEN: lambda _, given: self._opened(given),
            Question.CURVE: lambda _, given: self._curve(given),
            Question.BY_VENDOR: lambda _, given: self._vendors_fault(given),
            Question.BEND: lambda _, given: self._bend(given),
            Question.SHARES: lambda _, given: None if 0.0 <= given[0] <= self._size else "more devices than it has",
            Question.DRAW: lambda _, given: self._whole(given[1:]),
            Question.LIGHTEN: lambda _, given: self._lighten(given),
            Question.SETTLE: self._settle,
            Question.HOLDS: lambda _, given: self._holds(given),
            Question.RELIEF: self._relief,
        }
        return others[question](numbers, answer)

    def _watts(self, watts: Floats) -> str | None:
        if (watts < -SLACK_W).any():
            return "less than nothing"
        if (watts > _loosely(self._total_w)).any():
            return "more than its devices can do"
        return None

    def _vendors_fault(self, watts: Floats) -> str | None:
        beyond = bool((watts > _loosely(self._by_vendor_w[: watts.size])).any())
        return "more than a vendor's devices can do" if beyond else self._watts(watts)

    def _opened(self, answer: Floats) -> str | None:
        most_w, can_w, _, could_w = answer[:4].tolist()
        if most_w > _loosely(can_w) or can_w > _loosely(could_w):
            return "more within limits than without"
        if np.isfinite(answer[4]) and answer[4] > answer[5]:
            return "a range that ends before it begins"
        return self._watts(answer[:4]) or self._vendors_fault(answer[6:])

    def _curve(self, total_w: Floats) -> str | None:
        return "supply falls as the price rises" if (np.diff(total_w) < 0.0).any() else self._watts(total_w)

    def _response(self, price: float, total_w: float, slope: float) -> str | None:
        if slope < 0.0:
            return "a slope that falls"
        spare_w = SLACK_W + SLACK * self._total_w
        for other, other_w in self._points:
            low_w, high_w = (other_w, total_w) if other <= price else (total_w, other_w)
            if low_w > high_w + spare_w:
                return "supply falls as the price rises"
        self._points.append((price, total_w))
        return self._watts(np.array([total_w]))

    def _bend(self, answer: Floats) -> str | None:
        held = answer[1 + self._quotas :].reshape(self._quotas, self._quotas)
        falls = (answer[: 1 + self._quotas] < 0.0).any() or (
            np.diag(held) < -SLACK * np.abs(held).max(initial=0.0)
        ).any()
        return "a slope that falls" if falls else None

    def _whole(self, answer: Floats) -> str | None:
        if answer[1] not in (0.0, 1.0):
            return "neither yes nor no"
        self._whole_w = float(answer[0])
        return self._watts(answer[:1]) or self._vendors_fault(answer[2:])

    def _lighten(self, answer: Floats) -> str | None:
        self._whole_w -= float(answer[0])
        return self._watts(answer)

    def _settle(self, numbers: Floats, answer: Floats) -> str | None:
        self._settled_w = float(answer[0])
        beside_w = self._whole_w if self._is_rest else 0.0
        for price, total_w in self._points:
            if price == numbers[0] and abs(beside_w + total_w - self._settled_w) > SLACK_W + SLACK * self._total_w:
                return "another sum than it responded with"
        return self._watts(answer)

    def _holds(self, answer: Floats) -> str | None:
        if answer.size % 3:
            return "no rows of three"
        rows = answer.reshape(-1, 3)[:, :2]
        inside = (rows >= 0.0).all() and (rows <= self._size).all() and (rows[:, 0] < rows[:, 1]).all()
        return None if inside else "rows that it has not"

    def _relief(self, numbers: Floats, answer: Floats) -> str | None:
        start = int(numbers[0])
        relief_w = self._sight.direction * answer
        if (relief_w < -SLACK_W).any() or (relief_w > _loosely(self._most_w[start : start + answer.size])).any():
            return "a device that does more than it can"
        self._relief_w[start : start + answer.size] = relief_w
        return self._together() if start + answer.size == self._size else None

    def _together(self) -> str | None:
        """All devices, once all are known."""
        if abs(float(self._relief_w.sum()) - self._settled_w) > SLACK_W + SLACK * self._settled_w:
            return "devices that give together another sum than was settled"
        columns = self._sight.columns
        if "in_turn_w" in columns:
            return None  # houses are taken whole when it is their turn, and the network holds the others
        for level in self._sight.levels:
            left = level.beside(columns["beside_w"]) if "beside_w" in columns else level
            if (left.sums(self._relief_w) > _loosely(left.limit_w)).any():
                return "more than the network carries"
        return None


def _most_w(fleet: Fleet, sight: Sight) -> Floats:
    """By row, the most that its power can move: between its most fed and its most drawn.

    A baseline that was measured a little beyond the nameplate may be given back all of it, and a house in turn gives
    what the plan of turns says that it would draw.
    """
    nameplate_w = fleet.import_max_w + fleet.export_max_w
    most_w = np.maximum(nameplate_w, np.abs(sight.columns["baseline_w"]) + fleet.export_max_w)
    in_turn_w = sight.columns.get("in_turn_w")
    return np.asarray(most_w if in_turn_w is None else np.maximum(most_w, in_turn_w))


def _loosely(watts: Floats | float) -> Floats | float:
    return watts * (1.0 + SLACK) + SLACK_W
