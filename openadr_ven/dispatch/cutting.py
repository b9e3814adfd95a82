"""Cells: the stretches of a fleet that are planned by themselves and meet in one price.

No node of the network that has a limit reaches over the edge of a cell, so what holds its devices is found inside
it. What is found of a cell depends on that cell alone, and cells are put together in their order: so a round is
the same to the bit whether one process computes all of them or each has a process of its own. That holds for cells
of the same size; a fleet that is no larger than one is one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.network import NODE_SHARES
from openadr_ven.fleet.columns import Codes, Fleet, Floats, Mask

CELL = 1 << 17
"""Rows: a round of so many is work enough to send for, and their columns fit a processor's cache."""
ALWAYS_APART = frozenset({"site", "feeder"})
"""Nodes that may get a limit while they have none in the fleet: of a utility, or of the safety envelope."""


def cells_of(fleet: Fleet, size: int = CELL) -> tuple[slice, ...]:
    """Consecutive rows, ``size`` of them at least; the last has what is left."""
    if fleet.size == 0:
        return (slice(0, 0),)
    edges = np.flatnonzero(_edges(fleet)) + 1
    starts = [0]
    while (place := int(np.searchsorted(edges, starts[-1] + size))) < edges.size:
        starts.append(int(edges[place]))
    if len(starts) > 1 and fleet.size - starts[-1] < size // 2:
        starts.pop()
    return tuple(slice(start, end) for start, end in zip(starts, [*starts[1:], fleet.size], strict=True))


def levels_within(levels: Sequence[Level], cell: slice) -> tuple[Level, ...]:
    """The network's limits inside a cell."""
    found = []
    for level in levels:
        first, last = np.searchsorted(level.starts, [cell.start + 1, cell.stop]) - [1, 0]
        starts = np.maximum(level.starts[first:last] - cell.start, 0)
        found.append(replace(level, starts=starts, limit_w=level.limit_w[first:last]))
    return tuple(found)


def _edges(fleet: Fleet) -> Mask:
    """By row but the last, whether a cell may end behind it."""
    apart = np.ones(fleet.size - 1, dtype=np.bool_)
    for node in NODE_SHARES:
        codes: Codes = getattr(fleet, node)
        limit_w: Floats = getattr(fleet, f"{node}_limit_w")
        changes = codes[1:] != codes[:-1]
        apart &= changes if node in ALWAYS_APART else changes | ~np.isfinite(limit_w[codes[1:]])
    return apart
