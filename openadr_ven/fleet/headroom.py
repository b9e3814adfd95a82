"""What the fleet could give now, over all classes, and what it could if everything were reachable."""

import numpy as np

from openadr_ven.fleet import (
    battery,
    data_centre,
    ev_bidirectional,
    ev_charger,
    solar_inverter,
    thermostat,
    water_heater,
)
from openadr_ven.fleet.columns import DeviceClass, Direction, Fleet, FleetState, Floats, Mask, over_chunks
from openadr_ven.fleet.model import Headroom, Outlook

MODELS = {
    DeviceClass.BATTERY: battery,
    DeviceClass.EV_BIDIRECTIONAL: ev_bidirectional,
    DeviceClass.EV_CHARGER: ev_charger,
    DeviceClass.THERMOSTAT: thermostat,
    DeviceClass.SOLAR_INVERTER: solar_inverter,
    DeviceClass.WATER_HEATER: water_heater,
    DeviceClass.DATA_CENTRE: data_centre,
}
"""Each class's module has ``headroom`` (relief), ``footroom`` (extra load) and ``step``."""

SILENT_AFTER_S = 3.0
"""Telemetry comes each second; three missed in a row is silence."""

HORIZON_MIN_S = 60.0
"""Relief is promised for a minute at least, so that the last seconds of an event empty nothing."""


def headroom(
    fleet: Fleet,
    state: FleetState,
    baseline_w: Floats,
    outlook: Outlook,
    *,
    direction: Direction = Direction.RELIEF,
) -> Headroom:
    """Per row, in the direction asked for, as if every device could be reached; ``reachable`` says which can."""
    relief_w, power_w, endurance_s = np.zeros(fleet.size), np.zeros(fleet.size), np.zeros(fleet.size)

    def look(part: slice) -> None:
        some, of_some = fleet.take(part), state.take(part)
        for device_class in np.unique(some.device_class).tolist():
            model, rows = MODELS[DeviceClass(device_class)], some.rows_of(device_class)
            could = model.headroom if direction is Direction.RELIEF else model.footroom
            found = could(some, of_some, rows, baseline_w[part][rows], outlook)
            relief_w[part][rows], power_w[part][rows], endurance_s[part][rows] = (
                found.relief_w, found.power_w, found.endurance_s,
            )  # fmt: skip

    over_chunks(look, fleet.size)
    return Headroom(relief_w=relief_w, power_w=power_w, endurance_s=endurance_s)


def newest_s(state: FleetState, now_s: float) -> float:
    """What silence is counted from: the newest moment that anybody has told of.

    If nobody at all is heard, it is we who are deaf (a stall of ours, a broker that is down), and that
    says nothing about the devices, which go on under their leases.
    """
    newest = float(state.measured_at_s.max(initial=-np.inf))
    return min(now_s, newest) if np.isfinite(newest) else now_s


def silence_s(state: FleetState, now_s: float) -> Floats:
    """How long each device has said nothing, or nothing new, beside the newest that is known of any."""
    return np.asarray(newest_s(state, now_s) - np.minimum(state.heard_at_s, state.measured_at_s))


def reachable(state: FleetState, now_s: float) -> Mask:
    """Devices that can be asked: heard of lately, online, at home, and not taken back by their owners."""
    heard = silence_s(state, now_s) <= SILENT_AFTER_S
    return heard & state.online & state.plugged & ~state.override


def only(headroom: Headroom, mask: Mask) -> Headroom:
    """Nothing from the rest."""
    return Headroom(
        relief_w=headroom.relief_w * mask, power_w=headroom.power_w * mask, endurance_s=headroom.endurance_s
    )
