"""When a vehicle must leave, and how long its charging can wait: the same for both kinds of charger."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Rows
from openadr_ven.fleet.model import DAY_S, HOUR_S, Headroom, Outlook
from openadr_ven.fleet.storage import room_wh


def departs_in_s(fleet: Fleet, rows: Rows, now_s: float) -> Floats:
    """Seconds to the next departure: under a day."""
    return np.mod(fleet.departure_s[rows] - now_s, DAY_S)


def missing_wh(fleet: Fleet, state: FleetState, rows: Rows) -> Floats:
    """Energy that its cells still lack for the trip."""
    return np.maximum(fleet.target_soc[rows] - np.nan_to_num(state.soc[rows]), 0.0) * fleet.energy_wh[rows]


def laxity_s(fleet: Fleet, state: FleetState, rows: Rows, now_s: float) -> Floats:
    """How long charging can wait and still be done in time; negative when it cannot."""
    charging_s = HOUR_S * missing_wh(fleet, state, rows) / (fleet.charge_efficiency[rows] * fleet.import_max_w[rows])
    return departs_in_s(fleet, rows, now_s) - charging_s


def charging_room(fleet: Fleet, state: FleetState, rows: Rows, baseline_w: Floats, outlook: Outlook) -> Headroom:
    """More charging than the baseline's, while it is plugged in and its cells have room."""
    room = room_wh(fleet, state, rows) * state.plugged[rows]
    import_w = fleet.import_max_w[rows]
    sustained_w = np.minimum(import_w, room * HOUR_S / outlook.horizon_s)
    return Headroom(
        relief_w=np.maximum(sustained_w - baseline_w, 0.0),
        power_w=np.maximum(import_w * (room > 0.0) - baseline_w, 0.0),
        endurance_s=room * HOUR_S / np.maximum(import_w, 1.0),
    )
