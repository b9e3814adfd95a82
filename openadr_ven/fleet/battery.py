"""Stationary batteries (LiFePO4): any setpoint between full charge and full discharge, down to a reserve."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import HOUR_S, Headroom, Orders, Outlook, Step, Tick
from openadr_ven.fleet.storage import charged, may_charge, may_feed, room_wh, spare_wh, within_reach


def headroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Discharge on top of the baseline: what it already feeds on its own counts against its rating."""
    export_w = fleet.export_max_w[rows] * may_feed(state, rows)
    feed_wh = fleet.discharge_efficiency[rows] * spare_wh(fleet, state, rows, outlook.soc_floor)
    sustained_w = np.minimum(export_w, feed_wh * HOUR_S / outlook.horizon_s)
    has_energy = feed_wh > 0.0
    return Headroom(
        relief_w=np.maximum(baseline_w + sustained_w, 0.0),
        power_w=np.maximum(baseline_w + export_w * has_energy, 0.0),
        endurance_s=feed_wh * HOUR_S / np.maximum(export_w, 1.0),
    )


def footroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Charging on top of the baseline, while there is room in its cells and they are not frozen."""
    import_w = fleet.import_max_w[rows] * may_charge(state, rows)
    room = room_wh(fleet, state, rows)
    sustained_w = np.minimum(import_w, room * HOUR_S / outlook.horizon_s)
    return Headroom(
        relief_w=np.maximum(sustained_w - baseline_w, 0.0),
        power_w=np.maximum(import_w * (room > 0.0) - baseline_w, 0.0),
        endurance_s=room * HOUR_S / np.maximum(import_w, 1.0),
    )


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """By itself it rests; told a setpoint it follows at once, as far as its cells allow."""
    soc = state.soc[rows]
    wanted_w = np.where(orders.mode == Mode.SETPOINT, orders.setpoint_w, 0.0)
    power_w = within_reach(fleet, soc, rows, wanted_w, tick.dt_s)
    return Step(
        power_w=power_w,
        soc=charged(fleet, soc, rows, power_w, tick.dt_s),
        temperature_c=state.temperature_c[rows],
    )
