"""Electric water heaters: a tank of one node that loses heat and is drawn from; shed, it may cool a little,
loaded up, heat a little.
"""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import Headroom, Orders, Outlook, Step, Tick
from openadr_ven.fleet.thermal import cools_to_in_s, relaxed, time_constant_s, warms_to_in_s

ROOM_C = 20.0
"""Where tanks stand."""


def headroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """All it draws until the tank is at its coolest; then it must heat again, so nothing is promised after that."""
    draws_w = np.maximum(baseline_w, 0.0)
    lasts_s = off_for_s(fleet, state, rows)
    return Headroom(relief_w=draws_w * (lasts_s >= outlook.horizon_s), power_w=draws_w, endurance_s=lasts_s)


def footroom(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """Load-up (CTA-2045): heating until the tank is at its hottest, all or nothing."""
    import_w = fleet.import_max_w[rows]
    hottest_c = fleet.setpoint_c[rows] + fleet.comfort_c[rows]
    heat_w = fleet.gain_w[rows] + fleet.cop[rows] * import_w
    final_c = ROOM_C + fleet.resistance_c_per_w[rows] * heat_w
    lasts_s = warms_to_in_s(state.temperature_c[rows], hottest_c, final_c, time_constant_s(fleet, rows))
    more_w = np.maximum(import_w - baseline_w, 0.0)
    return Headroom(relief_w=more_w * (lasts_s >= outlook.horizon_s), power_w=more_w, endurance_s=lasts_s)


def off_for_s(fleet: Fleet, state: FleetState, rows: Rows) -> Floats:
    """How long the element may stay off at the average draw."""
    coolest_c = fleet.setpoint_c[rows] - fleet.comfort_c[rows]
    final_c = ROOM_C + fleet.resistance_c_per_w[rows] * fleet.gain_w[rows]
    return cools_to_in_s(state.temperature_c[rows], coolest_c, final_c, time_constant_s(fleet, rows))


def step(fleet: Fleet, state: FleetState, rows: Rows, orders: Orders, tick: Tick) -> Step:
    """On below the deadband, off above it; hot water is drawn at random around its average."""
    temperature_c = state.temperature_c[rows]
    drift = 1.0 * (orders.mode == Mode.LOAD_UP) - 1.0 * (orders.mode == Mode.SHED)
    aim_c = fleet.setpoint_c[rows] + fleet.comfort_c[rows] * drift
    half_c = fleet.deadband_c[rows] / 2.0
    running = np.where(
        temperature_c < aim_c - half_c, True, np.where(temperature_c > aim_c + half_c, False, state.power_w[rows] > 0.0)
    )
    power_w = fleet.import_max_w[rows] * running
    gain_w = fleet.gain_w[rows] * tick.rng.exponential(1.0, rows.size)
    final_c = ROOM_C + fleet.resistance_c_per_w[rows] * (gain_w + fleet.cop[rows] * power_w)
    return Step(
        power_w=power_w,
        soc=state.soc[rows],
        temperature_c=relaxed(temperature_c, final_c, time_constant_s(fleet, rows), tick.dt_s),
    )
