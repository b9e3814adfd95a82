"""Bidirectional vehicles: charging can wait, and what can be charged back before departure can be fed out."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import HOUR_S, Headroom, Orders, Outlook, Step, Tick
from openadr_ven.fleet.storage import charged, spare_wh, within_reach
from openadr_ven.fleet.vehicle import charging_room, departs_in_s, laxity_s, missing_wh


def headroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Pausing what it draws, plus discharge that can be made good between the event's end and departure."""
    waits_s = np.maximum(laxity_s(fleet, state, rows, outlook.now_s), 0.0)
    may = waits_s >= outlook.horizon_s
    export_w = fleet.export_max_w[rows]
    feed_wh = may * _feed_wh(fleet, state, rows, outlook)
    sustained_w = np.minimum(export_w, feed_wh * HOUR_S / outlook.horizon_s)
    power_w = np.maximum(baseline_w + export_w * (feed_wh > 0.0), 0.0)
    pause_wh = np.maximum(baseline_w, 0.0) * waits_s / HOUR_S
    return Headroom(
        relief_w=np.where(may, np.maximum(baseline_w + sustained_w, 0.0), 0.0),
        power_w=power_w,
        endurance_s=(feed_wh + pause_wh) * HOUR_S / np.maximum(power_w, 1.0),
    )


def footroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Charging now what it would charge later, or has room for."""
    return charging_room(fleet, state, rows, baseline_w, outlook)


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """Charges by itself until its target; follows a setpoint, unless its departure needs every minute."""
    soc, plugged = state.soc[rows], state.plugged[rows]
    missing = missing_wh(fleet, state, rows) > 0.0
    own_w = np.where(missing, fleet.import_max_w[rows], 0.0)
    told_w = np.where(orders.mode == Mode.SETPOINT, orders.setpoint_w, 0.0)
    urgent = missing & (laxity_s(fleet, state, rows, tick.now_s) <= tick.dt_s)
    wanted_w = np.where((orders.mode == Mode.RELEASE) | urgent, own_w, told_w) * plugged
    power_w = within_reach(fleet, soc, rows, wanted_w, tick.dt_s)
    return Step(
        power_w=power_w,
        soc=charged(fleet, soc, rows, power_w, tick.dt_s),
        temperature_c=state.temperature_c[rows],
    )


def _feed_wh(fleet: Fleet, state: FleetState, rows: Rows, outlook: Outlook) -> Floats:
    """Energy at the meter that may be fed: above the reserves, and made good after the horizon."""
    left_h = np.maximum(departs_in_s(fleet, rows, outlook.now_s) - outlook.horizon_s, 0.0) / HOUR_S
    charge_wh = fleet.charge_efficiency[rows] * fleet.import_max_w[rows] * left_h
    made_good_wh = np.maximum(charge_wh - missing_wh(fleet, state, rows), 0.0)
    spare = np.minimum(spare_wh(fleet, state, rows, outlook.soc_floor), made_good_wh)
    return fleet.discharge_efficiency[rows] * spare
