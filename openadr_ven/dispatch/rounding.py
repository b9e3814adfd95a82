"""Devices that run or do not: which of them to shed, so that the sum is right and the draw is fair.

Systematic sampling: with shares q and one random number U, device i is shed when the running sum of
q passes an integer shifted by U. Each device is shed with probability qᵢ exactly, and, with devices
in order of size, the sum misses by less than twice the largest of them, however many there are.
"""

from collections.abc import Sequence

import numpy as np

from openadr_ven.dispatch.caps import Level, packed
from openadr_ven.fleet.columns import Floats, Mask

CERTAIN = 1.0 - 1e-9
"""A share beyond this is the whole device: rounding of sums must not lose it."""


def sample(share: Floats, uniform: float) -> Mask:
    """Which devices to shed, smallest first as they are given: each with the probability that is its share."""
    certain = share >= CERTAIN
    passed = np.floor(np.cumsum(np.where(certain, 0.0, share)) + uniform)
    return np.asarray(certain | (np.diff(passed, prepend=0.0) > 0.0))


def not_beyond(shed: Mask, size_w: Floats, target_w: float) -> Mask:
    """The same choice less the one or two devices that exceed the target: others can fill a gap, not undo it."""
    excess_w = float(size_w.sum(where=shed)) - target_w
    if excess_w <= 0.0:
        return shed
    shed = shed.copy()
    rows = np.flatnonzero(shed)
    rows = rows[np.argsort(size_w[rows], kind="stable")]
    while excess_w > 0.0 and rows.size:
        place = min(int(np.searchsorted(size_w[rows], excess_w)), rows.size - 1)
        shed[rows[place]] = False
        excess_w -= float(size_w[rows[place]])
        rows = np.delete(rows, place)
    return shed


def within(shed: Mask, size_w: Floats, levels: Sequence[Level]) -> Mask:
    """The same choice without the devices that would carry a node beyond its limit."""
    for level in levels:
        full = np.flatnonzero(level.sums(np.where(shed, size_w, 0.0)) > level.limit_w * (1.0 + 1e-12))
        if full.size == 0:
            continue
        lengths = level.lengths(shed.size)[full]
        rows, starts = packed(level.starts[full], lengths)
        taken_w = np.cumsum(np.where(shed[rows], size_w[rows], 0.0))
        before_w = np.concatenate(([0.0], taken_w))[starts]
        inside_w = taken_w - np.repeat(before_w, lengths)
        shed = shed.copy()
        shed[rows[inside_w > np.repeat(level.limit_w[full], lengths) * (1.0 + 1e-12)]] = False
    return shed
