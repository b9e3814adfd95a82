"""Energy in and out of a cell, for batteries and vehicles alike."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mask, Rows
from openadr_ven.fleet.model import HOUR_S, SOC_DRIFT

CHARGE_MIN_C, FEED_MIN_C = 0.0, -10.0
"""LiFePO4: no charging below freezing, hardly any discharge below the other."""


def spare_wh(fleet: Fleet, state: FleetState, rows: Rows, soc_floor: float) -> Floats:
    """Energy inside that may leave, above the owner's and the programme's reserve and the meter's error."""
    floor = np.maximum(fleet.reserve[rows], soc_floor)
    return fleet.energy_wh[rows] * np.maximum(np.nan_to_num(state.soc[rows]) - floor - SOC_DRIFT, 0.0)


def room_wh(fleet: Fleet, state: FleetState, rows: Rows) -> Floats:
    """Energy at the meter that still fits in, the meter's error left aside; none where nothing was heard."""
    free = np.maximum(1.0 - SOC_DRIFT - np.nan_to_num(state.soc[rows], nan=1.0), 0.0)
    return fleet.energy_wh[rows] * free / fleet.charge_efficiency[rows]


def may_charge(state: FleetState, rows: Rows) -> Mask:
    """Lithium is plated onto a frozen cell by charging it. A cell whose temperature is not told is taken for warm."""
    return np.asarray(~(state.temperature_c[rows] < CHARGE_MIN_C))


def may_feed(state: FleetState, rows: Rows) -> Mask:
    """A cell so cold gives its rating for seconds only."""
    return np.asarray(~(state.temperature_c[rows] < FEED_MIN_C))


def within_reach(fleet: Fleet, soc: Floats, rows: Rows, wanted_w: Floats, dt_s: float) -> Floats:
    """The wanted power, as far as ratings, the owner's reserve and a full cell allow during a step."""
    hours = dt_s / HOUR_S
    energy_wh = fleet.energy_wh[rows]
    feed_w = np.maximum(soc - fleet.reserve[rows], 0.0) * energy_wh * fleet.discharge_efficiency[rows] / hours
    draw_w = np.maximum(1.0 - soc, 0.0) * energy_wh / (fleet.charge_efficiency[rows] * hours)
    lowest_w = -np.fmin(fleet.export_max_w[rows], feed_w)  # a one-way charger has no feed, hence NaN
    highest_w = np.minimum(fleet.import_max_w[rows], draw_w)
    return np.clip(wanted_w, lowest_w, highest_w)


def charged(fleet: Fleet, soc: Floats, rows: Rows, power_w: Floats, dt_s: float) -> Floats:
    """The state of charge after a step at this power at the meter."""
    cell_w = np.where(
        power_w >= 0.0, power_w * fleet.charge_efficiency[rows], power_w / fleet.discharge_efficiency[rows]
    )
    return np.clip(soc + cell_w * dt_s / (HOUR_S * fleet.energy_wh[rows]), 0.0, 1.0)
