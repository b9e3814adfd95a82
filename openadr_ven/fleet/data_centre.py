"""A data centre's block of jobs that can wait: a store of work put off.

Pausing takes energy out of it, catching up puts it back. ``energy_wh`` is all the work that may be
put off, ``soc`` the share of it that is not (1: nothing waits), ``reserve`` the share that stays the
owner's, ``charge_efficiency`` what is left of a kilowatt-hour after restarting from checkpoints, and
``import_max_w`` what the block draws when it also catches up.
"""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import HOUR_S, Headroom, Orders, Outlook, Step, Tick


def headroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """What it draws, for as long as its jobs may wait."""
    draws_w = np.maximum(baseline_w, 0.0)
    floor = np.maximum(fleet.reserve[rows], 0.0)
    waits_wh = fleet.energy_wh[rows] * np.maximum(np.nan_to_num(state.soc[rows]) - floor, 0.0)
    return Headroom(
        relief_w=np.minimum(draws_w, waits_wh * HOUR_S / outlook.horizon_s),
        power_w=draws_w * (waits_wh > 0.0),
        endurance_s=waits_wh * HOUR_S / np.maximum(draws_w, 1.0),
    )


def footroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Catching up on what waits."""
    backlog = np.maximum(1.0 - np.nan_to_num(state.soc[rows], nan=1.0), 0.0)
    late_wh = fleet.energy_wh[rows] * backlog / fleet.charge_efficiency[rows]
    more_w = np.maximum(fleet.import_max_w[rows] - baseline_w, 0.0)
    return Headroom(
        relief_w=np.minimum(more_w, late_wh * HOUR_S / outlook.horizon_s),
        power_w=more_w * (late_wh > 0.0),
        endurance_s=late_wh * HOUR_S / np.maximum(more_w, 1.0),
    )


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """Its jobs arrive evenly, at ``gain_w``; by itself it does them and catches up as its rating allows."""
    arrives_w, soc = fleet.gain_w[rows], state.soc[rows]
    own_w = np.where(soc < 1.0, fleet.import_max_w[rows], arrives_w)
    wanted_w = np.where(orders.mode == Mode.SETPOINT, np.clip(orders.setpoint_w, 0.0, None), own_w)
    # Against what arrives: below it work is put off, above it caught up.
    hours, energy_wh = tick.dt_s / HOUR_S, fleet.energy_wh[rows]
    puts_off_w = np.maximum(soc - fleet.reserve[rows], 0.0) * energy_wh / hours
    catches_up_w = np.maximum(1.0 - soc, 0.0) * energy_wh / (fleet.charge_efficiency[rows] * hours)
    highest_w = np.minimum(fleet.import_max_w[rows] - arrives_w, catches_up_w)
    put_back_w = np.clip(wanted_w - arrives_w, -np.minimum(arrives_w, puts_off_w), highest_w)
    done_wh = np.where(put_back_w > 0.0, put_back_w * fleet.charge_efficiency[rows], put_back_w) * hours
    return Step(
        power_w=arrives_w + put_back_w,
        soc=np.clip(soc + done_wh / energy_wh, 0.0, 1.0),
        temperature_c=state.temperature_c[rows],
    )
