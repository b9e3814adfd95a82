"""Devices that run or do not: which of them to shed, so that the sum is right and the draw is fair.

Systematic sampling: with shares q and one random number U, device i is shed when the running sum of
q passes an integer shifted by U. Each device is shed with probability qᵢ exactly, and, with devices
in order of size, the sum misses by less than twice the largest of them, however many there are.
"""

import numpy as np

from openadr_ven.dispatch.caps import Level
from openadr_ven.fleet.columns import Floats, Mask

CERTAIN = 1.0 - 1e-9
"""A share beyond this is the whole device: rounding of sums must not lose it."""


def sample(share: Floats, size_w: Floats, uniform: float) -> Mask:
    """Which devices to shed: each with the probability that is its share."""
    drawn = share >= CERTAIN
    open_rows = np.flatnonzero((share > 0.0) & ~drawn)
    order = open_rows[np.argsort(size_w[open_rows], kind="stable")]
    passed = np.floor(np.concatenate(([0.0], np.cumsum(share[order]))) + uniform)
    drawn[order] = np.diff(passed) > 0.0
    return drawn


def not_beyond(shed: Mask, size_w: Floats, target_w: float) -> Mask:
    """The same choice less the one or two devices that exceed the target: others can fill a gap, not undo it."""
    shed = shed.copy()
    excess_w = float(size_w[shed].sum()) - target_w
    while excess_w > 0.0 and shed.any():
        rows = np.flatnonzero(shed)
        large = rows[size_w[rows] >= excess_w]
        dropped = large[size_w[large].argmin()] if large.size else rows[size_w[rows].argmax()]
        shed[dropped] = False
        excess_w -= float(size_w[dropped])
    return shed


def within(shed: Mask, size_w: Floats, levels: tuple[Level, ...]) -> Mask:
    """The same choice without the devices that would carry a node beyond its limit."""
    for level in levels:
        taken_w = np.cumsum(np.where(shed, size_w, 0.0))
        before_w = np.concatenate(([0.0], taken_w))[level.starts]
        lengths = np.diff(np.append(level.starts, shed.size))
        inside_w = taken_w - np.repeat(before_w, lengths)
        shed = shed & (inside_w <= np.repeat(level.limit_w, lengths) * (1.0 + 1e-12))
    return shed
