"""An order in the words of IEEE 2030.5, and a device's words for the edge. Pure.

A device is told in a mode that it says it has (DERCapability). It counts what it gives as positive, the contract
what it draws.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openadr_core.model.grid_support import EVERY_FUNCTION, GridFunction
from openadr_core.sep2.der import DERCapability, DERSettings, DERStatus
from openadr_core.sep2.power import magnitude
from openadr_core.sep2.quantities import ActivePower
from openadr_core.sep2.translate_grid_support import FUNCTIONS
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Order, Reading

CHARGE, DISCHARGE, FIXED_W, MAX_LIM_W, TARGET_W = 0, 1, 7, 20, 22
"""Bits of DERControlType."""
GEN_LIM_W, LOAD_LIM_W = 2, 3
"""Of CSIP-AUS's doeModesSupported."""
WHOLE = 10_000
"""Hundredths of a per cent."""
FAULT = 1 << 4
"""Of ConnectStatusType."""
LOCAL_CONTROL = 0
"""LocalControlModeStatus: the owner's hand is on it."""

DOES = frozenset({2, 3, 9})
"""Responses that say that the device acts, or has acted, on a control."""
OPTS_OUT = frozenset({4, 8, 10})
CANCELLED = 6
REASONS: Mapping[int, Reason] = {
    CANCELLED: Reason.SUPERSEDED,
    7: Reason.SUPERSEDED,
    13: Reason.SUPERSEDED,
    14: Reason.SUPERSEDED,
    252: Reason.UNSUPPORTED_MODE,
    253: Reason.OUT_OF_RANGE,
    254: Reason.EXPIRED,
}
"""Responses that say that it does not."""
OVER = frozenset({3, *OPTS_OUT, 9, *REASONS})
"""After one of these the control holds the device no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a device has said of itself."""

    capability: DERCapability | None = None
    settings: DERSettings | None = None
    status: DERStatus | None = None
    power_w: float | None = None
    """Net import, of its newest mirrored reading."""
    power_at: datetime | None = None
    """When that ended."""


def asked_of(order: Order, facts: Facts) -> Mapping[str, Any] | Reason:
    """Members of DERControlBase, or why there are none."""
    if facts.capability is None:
        return Reason.UNREACHABLE  # it has not said yet what it can
    modes, limits = _bits(facts.capability.modes_supported), _bits(facts.capability.doe_modes_supported)
    if order.mode is Mode.SETPOINT and order.import_max_w <= 0.0:
        found = _generation(-order.setpoint_w, modes, limits, facts)
    elif order.mode is Mode.SETPOINT and order.export_max_w > 0.0:
        found = _power(-order.setpoint_w, modes, facts)
    else:
        most_w = {Mode.SETPOINT: order.setpoint_w, Mode.SHED: 0.0, Mode.LOAD_UP: order.import_max_w}[order.mode]
        found = {"opModLoadLimW": most_w} if LOAD_LIM_W in limits else {}
        if not found and order.mode is not Mode.LOAD_UP:
            found = _power(-most_w, modes, facts)
    return found or Reason.UNSUPPORTED_MODE


def reading_of(device_id: str, facts: Facts, *, opted_out: bool, now: datetime) -> Reading | None:
    """None until it has mirrored a power. Interpretation: a reading from the future was made now."""
    if facts.power_w is None or facts.power_at is None:
        return None
    status, capability = facts.status, facts.capability
    charge = None if status is None else status.state_of_charge_status
    local = None if status is None else status.local_control_mode_status
    return Reading(
        device_id=device_id,
        at=min(facts.power_at, now),
        power_w=facts.power_w,
        soc=float("nan") if charge is None else charge.value / WHOLE,
        online=not _is_faulty(status),
        override=opted_out or (local is not None and local.value == LOCAL_CONTROL),
        alarms=0 if status is None else int(status.alarm_status or "0", 16),
        functions=0 if capability is None else int(capability.modes_supported, 16) & EVERY_FUNCTION,
    )


def function_of(asks: Collection[str]) -> GridFunction | None:
    """What a control that asks for these modes is about: one function, or (None) the power.

    We connect and energise by the function alone, so that no order of power is one.
    """
    found = [FUNCTIONS[mode] for mode in asks if mode in FUNCTIONS]
    return found[0] if found else None


def _generation(most_w: float, modes: frozenset[int], limits: frozenset[int], facts: Facts) -> dict[str, Any]:
    """What only gives is told how much at most. Interpretation: rounded down, for a limit holds."""
    max_w = _rating(facts, "max_w")
    if MAX_LIM_W in modes and max_w > 0.0:
        return {"opModMaxLimW": max(0, min(WHOLE, int(WHOLE * most_w / max_w)))}
    return {"opModGenLimW": max(0.0, most_w)} if GEN_LIM_W in limits else _power(most_w, modes, facts)


def _power(give_w: float, modes: frozenset[int], facts: Facts) -> dict[str, Any]:
    """A power to hold, in watts where the device takes them, else in shares of what it is set to."""
    if TARGET_W in modes:
        return {"opModTargetW": give_w}
    charges = give_w < 0.0
    rate_w = _rating(facts, "max_charge_rate_w") if charges else _rating(facts, "max_discharge_rate_w")
    rate_w = rate_w or (0.0 if charges else _rating(facts, "max_w"))
    if not modes & {FIXED_W, CHARGE if charges else DISCHARGE} or rate_w <= 0.0:
        return {}
    return {"opModFixedW": max(-WHOLE, min(WHOLE, round(WHOLE * give_w / rate_w)))}


def _rating(facts: Facts, name: str) -> float:
    """What it is set to, or else rated for, in watts; 0 where it says neither."""
    for said, prefix in ((facts.settings, "set_"), (facts.capability, "rtg_")):
        power = getattr(said, f"{prefix}{name}", None)
        if isinstance(power, ActivePower):
            return magnitude(power)
    return 0.0


def _is_faulty(status: DERStatus | None) -> bool:
    if status is None:
        return False
    connections = (status.gen_connect_status, status.stor_connect_status)
    return any(int(one.value, 16) & FAULT for one in connections if one is not None)


def _bits(said: str | None) -> frozenset[int]:
    number = int(said or "0", 16)
    return frozenset(bit for bit in range(number.bit_length()) if number >> bit & 1)
