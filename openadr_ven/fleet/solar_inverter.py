"""Solar inverters: they feed what the sun gives; the only order they can follow is to feed less."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import Headroom, Orders, Outlook, Step, Tick

FLICKER = 0.02
"""Relative spread of an inverter's output from second to second under a clear sky."""


def headroom(_fleet: Fleet, _state: FleetState, rows: Rows, _baseline_w: Floats, _outlook: Outlook) -> Headroom:
    """None: curtailing takes away relief, and nothing can be added to the sun."""
    nothing = np.zeros(rows.size)
    return Headroom(relief_w=nothing, power_w=nothing, endurance_s=nothing)


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """All that the sun gives, or no more than a setpoint allows."""
    sun_w = fleet.export_max_w[rows] * np.clip(tick.sunlight * tick.rng.normal(1.0, FLICKER, rows.size), 0.0, 1.0)
    allowed_w = np.where(orders.mode == Mode.SETPOINT, np.maximum(-orders.setpoint_w, 0.0), np.inf)
    return Step(power_w=-np.minimum(sun_w, allowed_w), soc=state.soc[rows], temperature_c=state.temperature_c[rows])
