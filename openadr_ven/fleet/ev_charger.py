"""One-way chargers: charging can be paused, all or nothing, while the departure allows it."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import Headroom, Orders, Outlook, Step, Tick
from openadr_ven.fleet.storage import charged, within_reach
from openadr_ven.fleet.vehicle import charging_room, laxity_s, missing_wh


def headroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """What it draws, if it can wait for the whole horizon."""
    draws_w = np.maximum(baseline_w, 0.0)
    waits_s = np.maximum(laxity_s(fleet, state, rows, outlook.now_s), 0.0)
    return Headroom(relief_w=draws_w * (waits_s >= outlook.horizon_s), power_w=draws_w, endurance_s=waits_s)


def footroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Charging at its rating, all or nothing, if its cells have room for the whole horizon of it."""
    found = charging_room(fleet, state, rows, baseline_w, outlook)
    return Headroom(
        relief_w=found.power_w * (found.endurance_s >= outlook.horizon_s),
        power_w=found.power_w,
        endurance_s=found.endurance_s,
    )


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """Charges until the target is reached; shed, it waits for as long as the departure allows; loaded up, it fills."""
    soc = state.soc[rows]
    aims = (missing_wh(fleet, state, rows) > 0.0) | ((orders.mode == Mode.LOAD_UP) & (soc < 1.0))
    wants = state.plugged[rows] & aims
    waits = (orders.mode == Mode.SHED) & (laxity_s(fleet, state, rows, tick.now_s) > tick.dt_s)
    wanted_w = np.where(wants & ~waits, fleet.import_max_w[rows], 0.0)
    power_w = within_reach(fleet, soc, rows, wanted_w, tick.dt_s)
    return Step(
        power_w=power_w,
        soc=charged(fleet, soc, rows, power_w, tick.dt_s),
        temperature_c=state.temperature_c[rows],
    )
