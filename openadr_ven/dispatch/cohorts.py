"""Houses that take turns: when each thermostat is raised and let go, so that relief holds and does not snap back.

Raised all at once, a fleet of houses gives its best in the first hour, tapers, and comes back together
after the end, hungrier than before. So houses are grouped by how they behave, and a linear program says
how many of each group begin in which slot and for how long, so that relief follows a profile together
with what storage adds, and what comes back later never exceeds a share of their normal load.

The closed form of a house is ``thermostat.Answer``; slots are a quarter of an hour.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack, identity, vstack

from openadr_ven.fleet.columns import Floats, Rows
from openadr_ven.fleet.model import HOUR_S
from openadr_ven.fleet.thermostat import Answer

SLOT_S = 900.0
TAIL_SLOTS = 6
"""After the end, until houses have recovered."""
REBOUND_SHARE = 0.25
"""Of the houses' normal load: the most that may come back on top of it."""
LENGTHS = (2, 4, 8, 16, 24)
"""Slots that a house may be raised for."""
BINS = 8
"""Groups by how long houses coast, and in each by how much they draw."""
SAMPLE = 100_000
"""Houses that say where groups end: more tell nothing new."""
COMMAND_COST = 1e-6
"""Of a watt that is missing: of two schedules that give the same, the one with fewer commands."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Storage:
    """What batteries and vehicles add: blocks of power with the energy behind it."""

    power_w: Floats
    energy_wh: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """When each house begins and ends, in seconds from the event's start; not a number for a house that rests."""

    begins_s: Floats
    ends_s: Floats
    promised_w: Floats
    """Relief by slot, the tail included: of houses and storage together."""
    short_w: Floats
    """By slot of the event, what of the profile nobody can give."""

    def raised_at(self, second: float) -> Rows:
        """Which houses are raised then."""
        return np.flatnonzero((self.begins_s <= second) & (second < self.ends_s))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """Houses that behave alike: as many groups as a linear program likes, however many houses there are."""

    of_house: Rows
    """Each house's group."""
    number: Floats
    """Of houses, by group."""
    typical: Answer
    """By group, the mean of its houses."""

    @classmethod
    def of(cls, houses: Answer) -> "Groups":
        """By how long houses coast, and in each such group by how much they draw: about equal numbers in each."""
        size = houses.draw_w.size
        bins = min(BINS, max(1, round(np.sqrt(size / 4.0))))
        sample = slice(None, None, max(1, size // SAMPLE))
        coasting = _binned(houses.off_s, houses.off_s[sample], bins)
        of_house = np.zeros(size, dtype=np.intp)
        for one in range(bins):
            rows = coasting == one
            inside = houses.draw_w[sample][rows[sample]]
            of_house[rows] = one * bins + _binned(houses.draw_w[rows], inside, bins)
        number = np.bincount(of_house, minlength=bins * bins).astype(np.float64)
        means = {
            name: np.bincount(of_house, weights=getattr(houses, name), minlength=number.size) / np.maximum(number, 1.0)
            for name in Answer.__dataclass_fields__
        }
        return cls(of_house=of_house, number=number, typical=Answer(**means))

    def only(self, number: Floats) -> "Groups":
        """With so many houses in each: those that can be asked now."""
        return replace(self, number=number)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flat:
    """The most that is held flat, and what one house of each group gives of it on average."""

    level_w: float
    each_w: Floats


def _binned(values: Floats, sample: Floats, bins: int) -> Rows:
    """Which of equally full bins, as a sample has them, each value is in."""
    if sample.size == 0:
        return np.zeros(values.size, dtype=np.intp)
    edges = np.quantile(sample, np.arange(1, bins) / bins)
    return np.searchsorted(edges, values, side="right")


NO_STORAGE = Storage(power_w=np.zeros(0), energy_wh=np.zeros(0))


def schedule(
    houses: Answer,
    profile_w: Floats,
    *,
    storage: Storage = NO_STORAGE,
    uniform: float = 0.5,
    start_window_s: float = 0.0,
    release_window_s: float = 0.0,
    rebound_share: float = REBOUND_SHARE,
) -> Schedule:
    """Turns for houses so that, with storage, relief follows ``profile_w`` (a value per slot) as far as it can.

    ``uniform`` is the event's one draw: it decides who of equal houses is in which turn, and when within
    its slot each begins and ends, so that houses change one by one. Those that begin with the event do so
    over ``start_window_s``, and those that end with it over ``release_window_s`` before its end; with no
    window all at once, and the guard's ramps do the rest.
    """
    groups = Groups.of(houses)
    program = _Program.of(groups, profile_w.size, storage, rebound_share)
    found = program.solve(identity(profile_w.size), np.ones(profile_w.size), profile_w)
    begins_s, ends_s = _assign(
        program, groups.of_house, found.counts,
        uniform=uniform, start_window_s=start_window_s, release_window_s=release_window_s,
    )  # fmt: skip
    promised_w = np.tensordot(found.counts, program.relief_w, axes=2)
    promised_w[: profile_w.size] += found.stored_w
    return Schedule(begins_s=begins_s, ends_s=ends_s, promised_w=promised_w, short_w=found.rest)


def flat_with_turns_w(houses: Answer, duration_s: float, *, storage: Storage = NO_STORAGE) -> float:
    """The most relief that houses in turns, with storage, hold flat over a duration."""
    return flat_of(Groups.of(houses), duration_s, storage=storage).level_w


def flat_of(
    groups: Groups, duration_s: float, *, storage: Storage = NO_STORAGE, rebound_share: float = REBOUND_SHARE
) -> Flat:
    """The same of houses that are grouped already."""
    slots = max(1, round(duration_s / SLOT_S))
    program = _Program.of(groups, slots, storage, rebound_share)
    found = program.solve(csr_matrix(-np.ones((slots, 1))), -np.ones(1), np.zeros(slots))
    by_group_w = np.einsum("gt,gts->g", found.counts, program.relief_w[:, :, :slots]) / slots
    return Flat(
        level_w=float(found.rest[0]),
        each_w=np.divide(by_group_w, groups.number, out=np.zeros(by_group_w.size), where=groups.number > 0.0),
    )


def _turns(slots: int) -> list[tuple[int, int]]:
    """First slot and length of every turn that ends with the event or before."""
    lengths = sorted({min(length, slots) for length in LENGTHS} | {slots})
    return [(first, length) for length in lengths for first in range(slots - length + 1)]


def _kernels(typical: Answer, turns: list[tuple[int, int]], slots: int) -> Floats:
    """Relief of one house, by group, turn and slot."""
    after_s = {length: typical.relief_after(length * SLOT_S, SLOT_S, slots) for _, length in turns}
    relief_w = np.zeros((typical.draw_w.size, len(turns), slots))
    for place, (first, length) in enumerate(turns):
        relief_w[:, place, first:] = after_s[length][:, : slots - first]
    return relief_w


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    counts: Floats
    """Houses by group and turn."""
    stored_w: Floats
    """What storage gives, by slot."""
    rest: Floats
    """What the program's own columns came to: watts short by slot, or a level."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Program:
    """The linear program of an event, but for what is asked of it."""

    number: Floats
    """Of houses, by group."""
    turns: list[tuple[int, int]]
    relief_w: Floats
    """Of one house, by group, turn and slot."""
    slots: int
    """Of the event; the tail comes after."""
    storage: Storage
    rebound_w: float

    @classmethod
    def of(cls, groups: Groups, slots: int, storage: Storage, rebound_share: float) -> "_Program":
        turns = _turns(slots)
        return cls(
            number=groups.number,
            turns=turns,
            relief_w=_kernels(groups.typical, turns, slots + TAIL_SLOTS),
            slots=slots,
            storage=storage,
            rebound_w=rebound_share * float((groups.typical.draw_w * groups.number).sum()),
        )

    def solve(self, rest: Any, cost: Floats, profile_w: Floats) -> _Found:
        """Relief + storage + ``rest`` columns is the profile at least, at the least ``cost`` of those columns."""
        houses, blocks, hours = self.relief_w.shape[0] * len(self.turns), self.storage.power_w.size, SLOT_S / HOUR_S
        by_slot = csr_matrix(self.relief_w.reshape(houses, self.slots + TAIL_SLOTS).T)
        stored = csr_matrix(np.tile(np.eye(self.slots), blocks)) if blocks else csr_matrix((self.slots, 0))
        energy = csr_matrix(np.kron(np.eye(blocks), np.full((1, self.slots), hours)))
        number = self.number
        each = csr_matrix(np.kron(np.eye(number.size), np.ones((1, len(self.turns)))))
        nobody = csr_matrix((number.size, stored.shape[1] + rest.shape[1]))
        found = linprog(
            np.concatenate([np.full(houses, COMMAND_COST), np.zeros(stored.shape[1]), cost]),
            A_ub=vstack(
                [
                    hstack([-by_slot[: self.slots], -stored, -rest]),
                    hstack([-by_slot[self.slots :], csr_matrix((TAIL_SLOTS, nobody.shape[1]))]),
                    hstack([each, nobody]),
                    hstack([csr_matrix((blocks, houses)), energy, csr_matrix((blocks, rest.shape[1]))]),
                ]
            ),
            b_ub=np.concatenate([-profile_w, np.full(TAIL_SLOTS, self.rebound_w), number, self.storage.energy_wh]),
            bounds=[(0.0, None)] * houses
            + [(0.0, watts) for watts in np.repeat(self.storage.power_w, self.slots)]
            + [(0.0, None)] * rest.shape[1],
            method="highs",
        )
        given = found.x[houses : houses + stored.shape[1]]
        return _Found(
            counts=found.x[:houses].reshape(number.size, len(self.turns)),
            stored_w=given.reshape(blocks, self.slots).sum(axis=0),
            rest=found.x[houses + stored.shape[1] :],
        )


def _assign(
    program: _Program,
    groups: Rows,
    counts: Floats,
    *,
    uniform: float,
    start_window_s: float,
    release_window_s: float,
) -> tuple[Floats, Floats]:
    """A turn for each house: as many as the program says, whole houses, the rest rests."""
    turns = program.turns
    begins_s, ends_s = np.full(groups.size, np.nan), np.full(groups.size, np.nan)
    first_s = np.array([first for first, _ in turns]) * SLOT_S
    length_s = np.array([length for _, length in turns]) * SLOT_S
    for group in range(counts.shape[0]):
        rows = np.flatnonzero(groups == group)
        # The golden ratio spreads neighbours over the turns, from wherever the draw begins.
        order = rows[np.argsort(np.mod(uniform + np.arange(rows.size) * 0.618033988749895, 1.0), kind="stable")]
        ends = np.floor(np.cumsum(counts[group]) + uniform).astype(np.intp)
        place = np.searchsorted(ends, np.arange(order.size), side="right")
        takes = place < len(turns)
        begins_s[order[takes]] = first_s[place[takes]]
        ends_s[order[takes]] = first_s[place[takes]] + length_s[place[takes]]
    fraction = np.mod(uniform + np.arange(groups.size) * 0.7548776662466927, 1.0)
    shift_s = SLOT_S * (fraction - 0.5)
    last_s = program.slots * SLOT_S
    begins_s += np.where(begins_s == 0.0, start_window_s * fraction, shift_s)
    ends_s += np.where(ends_s == last_s, -release_window_s * fraction, shift_s)
    return begins_s, ends_s
