"""Thermostats that cool: a house of one thermal node, a compressor that runs or does not.

Interpretation: only the cooling season is modelled; the programmes that this first form serves are
summer evenings. Shedding raises the setpoint by the owner's comfort range and loading up lowers it,
so the house itself sees to it that comfort holds.
"""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import Headroom, Orders, Outlook, Step, Tick
from openadr_ven.fleet.thermal import cools_to_in_s, relaxed, time_constant_s, warms_to_in_s


def headroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """All it draws until the house is at its warmest; after that, what the warmer house needs less."""
    draws_w = np.maximum(baseline_w, 0.0)
    lasts_s = off_for_s(fleet, state, rows, outlook.outdoor_c)
    saved_w = fleet.comfort_c[rows] / (fleet.resistance_c_per_w[rows] * fleet.cop[rows])
    return Headroom(
        relief_w=np.where(lasts_s >= outlook.horizon_s, draws_w, np.minimum(draws_w, saved_w)),
        power_w=draws_w,
        endurance_s=lasts_s,
    )


def footroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Pre-cooling: full power until the house is at its coolest; after that, what the cooler house needs more."""
    import_w, resistance = fleet.import_max_w[rows], fleet.resistance_c_per_w[rows]
    coolest_c = fleet.setpoint_c[rows] - fleet.comfort_c[rows]
    final_c = outlook.outdoor_c + resistance * (fleet.gain_w[rows] - fleet.cop[rows] * import_w)
    lasts_s = cools_to_in_s(state.temperature_c[rows], coolest_c, final_c, time_constant_s(fleet, rows))
    more_w = np.maximum(import_w - baseline_w, 0.0)
    needs_w = fleet.comfort_c[rows] / (resistance * fleet.cop[rows])
    return Headroom(
        relief_w=np.where(lasts_s >= outlook.horizon_s, more_w, np.minimum(more_w, needs_w)),
        power_w=more_w,
        endurance_s=lasts_s,
    )


def off_for_s(fleet: Fleet, state: FleetState, rows: Rows, outdoor_c: float) -> Floats:
    """How long the compressor stays off once the setpoint is raised; infinite if the house never gets there."""
    warmest_c = fleet.setpoint_c[rows] + fleet.comfort_c[rows]
    final_c = outdoor_c + fleet.resistance_c_per_w[rows] * fleet.gain_w[rows]
    return warms_to_in_s(state.temperature_c[rows], warmest_c, final_c, time_constant_s(fleet, rows))


def duty(fleet: Fleet, rows: Rows, outdoor_c: float) -> Floats:
    """Share of time that the compressor runs to hold the setpoint."""
    resistance = fleet.resistance_c_per_w[rows]
    lift_c = outdoor_c + resistance * fleet.gain_w[rows] - fleet.setpoint_c[rows]
    return np.clip(lift_c / (resistance * fleet.cop[rows] * fleet.import_max_w[rows]), 0.0, 1.0)


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """On above the deadband, off below it, unchanged within; shed, around a higher setpoint, loaded up, a lower one."""
    temperature_c = state.temperature_c[rows]
    drift = 1.0 * (orders.mode == Mode.SHED) - 1.0 * (orders.mode == Mode.LOAD_UP)
    aim_c = fleet.setpoint_c[rows] + fleet.comfort_c[rows] * drift
    half_c = fleet.deadband_c[rows] / 2.0
    running = np.where(
        temperature_c > aim_c + half_c, True, np.where(temperature_c < aim_c - half_c, False, state.power_w[rows] > 0.0)
    )
    power_w = fleet.import_max_w[rows] * running
    resistance = fleet.resistance_c_per_w[rows]
    final_c = tick.outdoor_c + resistance * (fleet.gain_w[rows] - fleet.cop[rows] * power_w)
    return Step(
        power_w=power_w,
        soc=state.soc[rows],
        temperature_c=relaxed(temperature_c, final_c, time_constant_s(fleet, rows), tick.dt_s),
    )
