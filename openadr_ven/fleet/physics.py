"""One step of every device: what the simulator runs, and what tests hold the promises of dispatch against."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats
from openadr_ven.fleet.headroom import MODELS
from openadr_ven.fleet.model import Orders, Tick
from openadr_ven.fleet.thermostat import duty

HOME_SHARE = 0.7
"""Vehicles at their charger at half past six in the evening."""
WATER_DUTY = 0.1
"""Share of time that an element heats."""


def step(
    fleet: Fleet,
    state: FleetState,
    *,
    mode: NDArray[np.uint8],
    setpoint_w: NDArray[np.floating],
    tick: Tick,
) -> FleetState:
    """Every device after ``tick.dt_s``, each following its ``Mode``; ``state`` is the truth, not what was heard."""
    power_w, soc, temperature_c = state.power_w.copy(), state.soc.copy(), state.temperature_c.copy()
    for device_class, model in MODELS.items():
        rows = fleet.rows_of(device_class)
        orders = Orders(mode=mode[rows], setpoint_w=setpoint_w[rows].astype(np.float64))
        moved = model.step(fleet, state, rows, orders, tick)
        power_w[rows], soc[rows], temperature_c[rows] = moved.power_w, moved.soc, moved.temperature_c
    now_s = np.full(fleet.size, tick.now_s)
    return replace(state, power_w=power_w, soc=soc, temperature_c=temperature_c, measured_at_s=now_s, heard_at_s=now_s)


def evening_state(fleet: Fleet, *, now_s: float, outdoor_c: float, rng: np.random.Generator) -> FleetState:
    """A July evening: batteries charged by the day's sun, vehicles home and hungry, houses somewhere in their cycle."""
    size = fleet.size
    battery, thermostat = fleet.rows_of(DeviceClass.BATTERY), fleet.rows_of(DeviceClass.THERMOSTAT)
    tank = fleet.rows_of(DeviceClass.WATER_HEATER)
    vehicle = np.isin(fleet.device_class, (DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER))
    soc = np.full(size, np.nan)
    soc[battery] = rng.uniform(0.6, 0.98, battery.size)
    soc[vehicle] = rng.uniform(0.3, 0.75, int(vehicle.sum()))
    centre = fleet.rows_of(DeviceClass.DATA_CENTRE)
    soc[centre] = 1.0
    temperature_c = fleet.setpoint_c + fleet.deadband_c * rng.uniform(-0.5, 0.5, size)
    running = np.zeros(size, dtype=np.bool_)
    running[thermostat] = rng.random(thermostat.size) < duty(fleet, thermostat, outdoor_c)
    running[tank] = rng.random(tank.size) < WATER_DUTY
    power_w = np.where(running, fleet.import_max_w, 0.0)
    power_w[centre] = fleet.gain_w[centre]
    return FleetState(
        power_w=power_w,
        soc=soc,
        temperature_c=temperature_c,
        plugged=np.where(vehicle, rng.random(size) < HOME_SHARE, True),
        online=np.ones(size, dtype=np.bool_),
        override=np.zeros(size, dtype=np.bool_),
        measured_at_s=np.full(size, now_s),
        heard_at_s=np.full(size, now_s),
    )


def released(size: int) -> tuple[NDArray[np.uint8], Floats]:
    """Modes and setpoints of devices that nobody commands."""
    return np.zeros(size, dtype=np.uint8), np.zeros(size)
