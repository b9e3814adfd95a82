"""The fleet's network as levels of a tree, and how much an event may move at each node.

A node can turn around until it carries its rating the other way: relief may grow by what is drawn
through it now plus its rating, extra load by its rating less what is drawn.
"""

import numpy as np

from openadr_ven.dispatch.caps import Level
from openadr_ven.fleet.columns import Codes, Direction, Fleet, Floats, Rows

TRANSFORMER_SHARE = 0.95
"""Of a rating; the rest is for reactive power and for what the meters miss."""
NODE_SHARES = {
    "site": 1.0, "transformer": TRANSFORMER_SHARE, "feeder": TRANSFORMER_SHARE, "substation": TRANSFORMER_SHARE,
}  # fmt: skip
"""Leaves first. A site's limit is a contract about its meter, not a rating: it counts in full."""


def network(
    fleet: Fleet,
    baseline_w: Floats,
    *,
    load_w: Floats | None = None,
    feeder_max_w: float | None = None,
    direction: Direction = Direction.RELIEF,
) -> tuple[Level, ...]:
    """How much each site, transformer, feeder and substation can carry, leaves first; unlimited levels are left out.

    ``load_w`` is the metered load by transformer code of everything that is not in the fleet (existing
    generation, being negative, takes room for relief).
    Interpretation: without it only the fleet's own baseline counts, which errs on the safe side.
    """
    if fleet.size == 0:
        return ()
    drawn_w = _firm_w(fleet, baseline_w, direction)
    levels = []
    for node, share in NODE_SHARES.items():
        codes: Codes = getattr(fleet, node)
        starts = starts_of(codes)
        if node == "transformer" and load_w is not None:
            drawn_w = drawn_w.copy()
            drawn_w[starts] += load_w[codes[starts]]
        rated_w: Floats = getattr(fleet, f"{node}_limit_w")[codes[starts]]
        limit_w = np.maximum(share * rated_w + direction * np.add.reduceat(drawn_w, starts), 0.0)
        if node == "feeder" and feeder_max_w is not None:
            limit_w = np.minimum(limit_w, feeder_max_w)
        if np.isfinite(limit_w).any():
            levels.append(Level(starts=starts, limit_w=limit_w))
    return tuple(levels)


def starts_of(codes: Codes) -> Rows:
    """Where each run of equal codes begins."""
    if codes.size == 0:
        return np.zeros(0, dtype=np.intp)
    return np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))


def _firm_w(fleet: Fleet, baseline_w: Floats, direction: Direction) -> Floats:
    """What makes room: not what may stop, or start, by itself.

    A compressor or a heater may pause, and a transformer must carry the relief then too; for extra load
    likewise, one that rests may run, of which what it draws on average is the best that is known.
    """
    worst = np.minimum if direction is Direction.RELIEF else np.maximum
    return np.where(fleet.discrete(), worst(baseline_w, 0.0), baseline_w)
