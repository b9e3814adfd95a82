"""Bounds of whole sites, as limits of the network for as long as they rule.

A utility of IEEE 2030.5 bounds each site of an aggregator by itself. Taken as bounds on what all are asked, the
smallest would hold up everybody; at their own nodes they hold who is behind them, and the others do the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from openadr_ven.application.books import Engaged
from openadr_ven.application.limiting import Cap
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.network import network
from openadr_ven.fleet.columns import Direction, Fleet, Floats


def levels_of(fleet: Fleet, baseline_w: Floats, *, feeder_max_w: float | None) -> Mapping[Direction, tuple[Level, ...]]:
    """The network's limits, either way."""
    return {
        direction: network(fleet, baseline_w, feeder_max_w=feeder_max_w, direction=direction) for direction in Direction
    }


def of_whole_sites(caps: Sequence[Cap], fleet: Fleet) -> frozenset[Cap]:
    """Those of these bounds whose devices are all that is behind one site."""
    sizes = np.bincount(fleet.site) if any(cap.rows is not None for cap in caps) else np.zeros(0, dtype=np.intp)
    return frozenset(
        cap for cap in caps if cap.rows is not None and _is_whole_site(np.flatnonzero(cap.rows), fleet, sizes)
    )


def with_sites_bound(engaged: Engaged, caps: frozenset[Cap], fleet: Fleet, *, feeder_max_w: float | None) -> Engaged:
    """The engagement with these bounds at their sites: an export bound limits relief there, an import bound load."""
    if not caps:
        return engaged
    levels = dict(engaged.levels)
    for direction, imports in ((Direction.RELIEF, False), (Direction.LOAD, True)):
        limit_w = fleet.site_limit_w.copy()
        for cap in caps:
            if cap.imports is imports and cap.rows is not None:
                site = fleet.site[int(np.argmax(cap.rows))]
                limit_w[site] = min(limit_w[site], cap.bound_w)
        bound = replace(fleet, site_limit_w=limit_w)
        levels[direction] = network(bound, engaged.baseline_w, feeder_max_w=feeder_max_w, direction=direction)
    return replace(engaged, levels=levels)


def _is_whole_site(rows: np.ndarray, fleet: Fleet, sizes: np.ndarray) -> bool:
    # Rows are in network order, so those of a site are together.
    return bool(rows.size) and fleet.site[rows[0]] == fleet.site[rows[-1]] and sizes[fleet.site[rows[0]]] == rows.size
