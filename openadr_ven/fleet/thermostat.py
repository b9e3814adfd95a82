"""Thermostats that cool: a house of one thermal node, a compressor that runs or does not.

Interpretation: only the cooling season is modelled; the programmes that this first form serves are
summer evenings. Shedding raises the setpoint by the owner's comfort range and loading up lowers it,
so the house itself sees to it that comfort holds.
"""

from dataclasses import dataclass

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mode, Rows
from openadr_ven.fleet.model import Headroom, Orders, Outlook, Step, Tick
from openadr_ven.fleet.thermal import cools_to_in_s, relaxed, time_constant_s, warms_to_in_s

COASTS_MAX_S = 86_400.0
"""A house that never gets warm coasts for a day: as good as for ever, and a finite mean."""


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What raising a house's setpoint by its comfort range does, in closed form (first-order, cooling)."""

    draw_w: Floats
    """What it takes on average by itself."""
    off_s: Floats
    """How long it stays off from its setpoint on; after that it takes ``saved_w`` less than before."""
    saved_w: Floats
    rebound_w: Floats
    """What it takes on top of its average while it cools down again."""
    drift_c_per_s: Floats
    """How fast it warms while it is off, on average."""
    cools_c_per_s: Floats
    """How fast it cools again at full power, on average; 0 if it cannot."""

    def relief_after(self, raised_s: float, slot_s: float, slots: int) -> Floats:
        """Mean relief in each slot from when it was raised for ``raised_s``, by house; negative while it recovers."""
        begin = np.arange(slots, dtype=np.float64) * np.float64(slot_s)
        off_s = np.minimum(self.off_s, raised_s)[:, None]
        off = _overlap_s(begin, slot_s, np.zeros_like(off_s), off_s)
        warm = _overlap_s(begin, slot_s, off_s, np.full_like(off_s, raised_s))
        drift_c = self.drift_c_per_s[:, None] * off_s
        with np.errstate(divide="ignore", invalid="ignore"):
            recovers_s = np.where(drift_c > 0.0, drift_c / self.cools_c_per_s[:, None], 0.0)
        back = _overlap_s(begin, slot_s, np.full_like(off_s, raised_s), raised_s + recovers_s)
        watts = self.draw_w[:, None] * off + self.saved_w[:, None] * warm - self.rebound_w[:, None] * back
        return np.asarray(watts / slot_s)


def answer(fleet: Fleet, rows: Rows, outdoor_c: float) -> Answer:
    """How each house answers, from its columns alone: the same after a restart."""
    resistance, import_w = fleet.resistance_c_per_w[rows], fleet.import_max_w[rows]
    setpoint_c, comfort_c = fleet.setpoint_c[rows], fleet.comfort_c[rows]
    time_constant = time_constant_s(fleet, rows)
    warm_c = outdoor_c + resistance * fleet.gain_w[rows]
    cold_c = warm_c - resistance * fleet.cop[rows] * import_w
    draw_w = import_w * duty(fleet, rows, outdoor_c)
    off_s = warms_to_in_s(setpoint_c, setpoint_c + comfort_c, warm_c, time_constant)
    recovers_s = cools_to_in_s(setpoint_c + comfort_c, setpoint_c, cold_c, time_constant)
    with np.errstate(divide="ignore", invalid="ignore"):
        drift_c_per_s = np.where(np.isfinite(off_s) & (off_s > 0.0), comfort_c / off_s, 0.0)
        cools_c_per_s = np.where(np.isfinite(recovers_s) & (recovers_s > 0.0), comfort_c / recovers_s, 0.0)
    return Answer(
        draw_w=draw_w,
        off_s=np.minimum(off_s, COASTS_MAX_S),
        saved_w=np.minimum(comfort_c / (resistance * fleet.cop[rows]), draw_w),
        rebound_w=import_w - draw_w,
        drift_c_per_s=drift_c_per_s,
        cools_c_per_s=cools_c_per_s,
    )


def _overlap_s(begin_s: Floats, length_s: float, from_s: Floats, until_s: Floats) -> Floats:
    """How much of each slot lies between two moments."""
    return np.asarray(np.maximum(np.minimum(begin_s + length_s, until_s) - np.maximum(begin_s, from_s), 0.0))
