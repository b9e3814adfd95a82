"""A fleet with a few feeders and substations, and what is seen of its cells one evening."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from openadr_ven.dispatch.cell import Sight
from openadr_ven.dispatch.cutting import levels_within
from openadr_ven.dispatch.network import network
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, Floats
from openadr_ven.fleet.headroom import reachable
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.physics import evening_state
from openadr_ven.fleet.population import populate
from tests.ven.fleet.synthetic import EVENING_S

SIZE = 6_000
OUTLOOK = Outlook(now_s=EVENING_S, horizon_s=3_600.0, soc_floor=0.2)


def a_fleet(size: int = SIZE, *, substation_w: float = np.inf, quota_w: float = np.inf) -> Fleet:
    """Drawn from statistics, its transformers tight; six feeders or so, and as many substations as limits demand."""
    fleet = populate(size, rng=np.random.default_rng(11))
    feeders = 8
    feeder = (np.arange(fleet.size) * feeders // fleet.size).astype(np.uint32)
    starts = np.flatnonzero(np.diff(fleet.site, prepend=fleet.site[0] + 1))
    feeder = np.repeat(feeder[starts], np.diff(np.append(starts, fleet.size)))  # a site is on one feeder
    feeder[fleet.transformer == fleet.transformer[-1]] = feeder[-1]
    first = {code: feeder[np.argmax(fleet.transformer == code)] for code in np.unique(fleet.transformer).tolist()}
    return replace(
        fleet,
        feeder=np.array([first[code] for code in fleet.transformer.tolist()], dtype=np.uint32),
        feeder_names=tuple(f"f{one}" for one in range(feeders)),
        feeder_limit_w=np.full(feeders, 1e6),
        feeder_substation=(np.arange(feeders) // 2).astype(np.uint32),
        substation_names=tuple(f"s{one}" for one in range(4)),
        substation_limit_w=np.full(4, substation_w),
        transformer_limit_w=0.4 * fleet.transformer_limit_w,
        vendor_limit_w=np.where(np.arange(len(fleet.vendor_names)) == 0, quota_w, np.inf),
    )


def evening(fleet: Fleet) -> FleetState:
    state = evening_state(fleet, now_s=EVENING_S, outdoor_c=OUTLOOK.outdoor_c, rng=np.random.default_rng(2))
    return replace(state, measured_at_s=np.full(fleet.size, EVENING_S), heard_at_s=np.full(fleet.size, EVENING_S))


def sights_of(fleet: Fleet, state: FleetState, parts: Sequence[slice], policy: str, **more: Floats) -> list[Sight]:
    levels = network(fleet, state.power_w)
    columns = {
        "soc": state.soc, "temperature_c": state.temperature_c, "plugged": state.plugged, "baseline_w": state.power_w,
        "reached": reachable(state, OUTLOOK.now_s), "withheld": np.zeros(fleet.size, dtype=np.bool_),
        "burden": np.zeros(fleet.size), **more,
    }  # fmt: skip
    return [
        Sight(
            outlook=OUTLOOK, direction=Direction.RELIEF, policy=policy, quota_w=fleet.vendor_limit_w,
            columns={name: column[part] for name, column in columns.items()}, levels=levels_within(levels, part),
        )
        for part in parts
    ]  # fmt: skip
