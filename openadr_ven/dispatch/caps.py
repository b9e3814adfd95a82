"""Exact limits in a tree: each node becomes a price above which the devices below it stop following.

From the leaves up: a node's cap is the price at which the response below it, each device already
held by the caps beneath, equals the node's limit. With every device held at the least cap of its
ancestors, one clearing over the fleet satisfies all limits at once and is still the optimum (the
multiplier of a node is what the ruling price exceeds its cap by, so the optimality conditions hold).
Caps do not depend on the target: they change with telemetry, not with the event (``dispatch/book.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from openadr_ven.dispatch.clear import ROUNDS_MAX, TOLERANCE, Offers, relief_at
from openadr_ven.fleet.columns import Floats, Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """The nodes of one height in the tree: consecutive slices of the fleet's rows."""

    starts: Rows
    """First row of each node, ascending from 0."""
    limit_w: Floats
    """Most that may be asked below each node; infinite where nothing limits it."""

    def among(self, rows: Rows) -> "Level":
        """The same nodes over these rows only, which ascend; nodes without any of them are left out."""
        begins = np.searchsorted(rows, self.starts)
        used = np.diff(begins, append=rows.size) > 0
        return Level(starts=begins[used], limit_w=self.limit_w[used])

    def beside(self, taken_w: Floats) -> "Level":
        """What is left below each node when rows have taken this much."""
        return Level(starts=self.starts, limit_w=np.maximum(self.limit_w - self.sums(taken_w), 0.0))

    def can_bind(self, most_w: Floats) -> bool:
        """Whether any node is full when everything below gives its most."""
        return bool((self.sums(most_w) > self.limit_w).any())

    def lengths(self, size: int) -> Rows:
        """How many rows are below each node."""
        return np.diff(np.append(self.starts, size))

    def sums(self, values: Floats) -> Floats:
        """Of rows, by node."""
        return np.asarray(np.add.reduceat(values, self.starts))


def capped(offers: Offers, levels: Sequence[Level]) -> Offers:
    """The same offers, each held by every node above it."""
    return capped_by(offers, levels)[0]


def capped_by(offers: Offers, levels: Sequence[Level]) -> tuple[Offers, tuple[Floats, ...]]:
    """Likewise, and by level the prices at which its nodes stop following; infinite where they never do."""
    found = []
    for level in levels:
        prices = node_caps(offers, level)
        found.append(prices)
        if np.isfinite(prices).any():
            offers = replace(offers, cap=np.minimum(offers.cap, np.repeat(prices, level.lengths(offers.cost.size))))
    return offers, tuple(found)


def node_caps(offers: Offers, level: Level) -> Floats:
    """The price at which each node reaches its limit; infinite where it never does."""
    reachable_w = level.sums(relief_at(offers, np.inf))
    prices = np.full(level.starts.size, np.inf)
    binding = np.flatnonzero(reachable_w > level.limit_w)
    if binding.size:
        prices[binding] = _solve(_Nodes.gather(offers, level, binding), reachable_w[binding])
    return prices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Nodes:
    """The rows of the nodes still being solved, packed together."""

    cost: Floats
    slope: Floats
    upper_w: Floats
    cap: Floats
    starts: Rows
    lengths: Rows
    limit_w: Floats

    @classmethod
    def gather(cls, offers: Offers, level: Level, chosen: Rows) -> "_Nodes":
        lengths = level.lengths(offers.cost.size)[chosen]
        rows, starts = packed(level.starts[chosen], lengths)
        return cls(
            cost=offers.cost[rows],
            slope=offers.slope[rows],
            upper_w=offers.upper_w[rows],
            cap=offers.cap[rows],
            starts=starts,
            lengths=lengths,
            limit_w=level.limit_w[chosen],
        )

    def only(self, chosen: Rows) -> "_Nodes":
        rows, starts = packed(self.starts[chosen], self.lengths[chosen])
        return _Nodes(
            cost=self.cost[rows],
            slope=self.slope[rows],
            upper_w=self.upper_w[rows],
            cap=self.cap[rows],
            starts=starts,
            lengths=self.lengths[chosen],
            limit_w=self.limit_w[chosen],
        )

    def respond(self, prices: Floats) -> tuple[Floats, Floats]:
        price = np.repeat(prices, self.lengths)
        relief_w = self.slope * (np.minimum(price, self.cap) - self.cost)
        follows = (relief_w > 0.0) & (relief_w < self.upper_w) & (price < self.cap)
        total_w = np.add.reduceat(np.clip(relief_w, 0.0, self.upper_w), self.starts)
        return total_w, np.add.reduceat(self.slope * follows, self.starts)


def packed(starts: Rows, lengths: Rows) -> tuple[Rows, Rows]:
    """Row numbers of these slices one after another, and where each begins among them."""
    new_starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    return np.arange(lengths.sum()) + np.repeat(starts - new_starts, lengths), new_starts


def _solve(nodes: _Nodes, reachable_w: Floats) -> Floats:
    """Newton on every node at once, each inside its own bracket; solved nodes drop out."""
    prices = np.empty(nodes.starts.size)
    pending = np.arange(nodes.starts.size)
    low = np.minimum.reduceat(nodes.cost, nodes.starts)
    high = np.maximum.reduceat(nodes.cap, nodes.starts)
    price = low + (high - low) * nodes.limit_w / reachable_w
    for _ in range(ROUNDS_MAX):
        total_w, slope = nodes.respond(price)
        prices[pending] = np.where(total_w > nodes.limit_w, low, price)
        done = np.abs(total_w - nodes.limit_w) <= TOLERANCE * nodes.limit_w
        prices[pending[done]] = price[done]
        low = np.where(total_w <= nodes.limit_w, price, low)
        high = np.where(total_w > nodes.limit_w, price, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            guess = price + (nodes.limit_w - total_w) / slope
        price = np.where((guess > low) & (guess < high), guess, 0.5 * (low + high))
        done |= (price <= low) | (price >= high)
        if done.all():
            break
        if done.any():
            kept = np.flatnonzero(~done)
            nodes, pending, low, high, price = nodes.only(kept), pending[kept], low[kept], high[kept], price[kept]
    return prices
