"""Solar inverters: they feed what the sun gives; the only order they can follow is to feed less."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import Headroom, Orders, Outlook, Step, Tick

FLICKER = 0.02
"""Relative spread of an inverter's output from second to second under a clear sky."""


def headroom(_fleet: Fleet, _state: FleetState, rows: Rows, _baseline_w: Floats, _outlook: Outlook) -> Headroom:
    """None: curtailing takes relief away, and nothing can be added to the sun."""
    nothing = np.zeros(rows.size)
    return Headroom(relief_w=nothing, power_w=nothing, endurance_s=nothing)


def footroom(_fleet: Fleet, _state: FleetState, rows: Rows, baseline_w: Floats, _outlook: Outlook) -> Headroom:
    """What it feeds, curtailed: for as long as asked, and lost for good, so policies ask it last."""
    feeds_w = np.maximum(-baseline_w, 0.0)
    return Headroom(relief_w=feeds_w, power_w=feeds_w, endurance_s=np.full(rows.size, np.inf))


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """All that the sun gives, or no more than a setpoint allows."""
    sun_w = fleet.export_max_w[rows] * np.clip(tick.sunlight * tick.rng.normal(1.0, FLICKER, rows.size), 0.0, 1.0)
    allowed_w = np.where(orders.mode == Mode.SETPOINT, np.maximum(-orders.setpoint_w, 0.0), np.inf)
    return Step(power_w=-np.minimum(sun_w, allowed_w), soc=state.soc[rows], temperature_c=state.temperature_c[rows])
