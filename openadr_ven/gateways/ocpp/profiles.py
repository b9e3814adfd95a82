"""From an order to a charging profile, in each version's words. Pure.

A profile is one schedule of one period that lasts as long as the lease. During a transaction it is a TxProfile
of that transaction, which outranks whatever the station has by default; otherwise a TxDefaultProfile, so that a
vehicle that comes within the lease is bound too.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Order

PROFILE_ID = 7_000
"""Added to the EVSE's number: ids are the station's, and one of ours replaces the one before."""
SCHEDULE_ID = 1


class Version(StrEnum):
    """By the name of its WebSocket subprotocol; the newest that both sides speak is taken."""

    V21 = "ocpp2.1"
    V201 = "ocpp2.0.1"
    V16 = "ocpp1.6"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateUnit:
    """What a station wants its limits in."""

    in_amperes: bool = False
    volts: float = 230.0
    """Of a phase to neutral."""
    phases: int = 3

    def limit(self, watts: float) -> float:
        """In the station's unit, to the tenth that the messages carry, and never more than asked."""
        value = watts / (self.volts * self.phases) if self.in_amperes else watts
        return math.floor(value * 10.0 + 1e-6) / 10.0

    @property
    def name(self) -> str:
        return "A" if self.in_amperes else "W"


def profile_of(
    order: Order,
    *,
    version: Version,
    evse: int,
    transaction: str | int | None,
    unit: RateUnit,
    stack_level: int,
    now: datetime,
) -> dict[str, Any] | Reason:
    """The arguments of SetChargingProfile for an order that is no RELEASE; a reason if the version cannot say it.

    Interpretation: SHED is a limit of nothing, and LOAD_UP the whole rating, which only ends what holds the
    vehicle back: no profile of a one-way charger makes it draw.
    """
    period: dict[str, Any] = {"start_period": 0}
    if order.mode is Mode.SETPOINT and version is Version.V21 and order.export_max_w > 0.0:
        # 2.1: the only one of the three in which a vehicle can be told to feed. Setpoints below zero discharge.
        period |= {"operation_mode": "CentralSetpoint", "setpoint": _signed(unit, order.setpoint_w)}
    elif order.mode is Mode.SETPOINT and order.setpoint_w < 0.0:
        return Reason.OUT_OF_RANGE
    else:
        watts = {Mode.SHED: 0.0, Mode.LOAD_UP: order.import_max_w, Mode.SETPOINT: order.setpoint_w}[order.mode]
        period["limit"] = unit.limit(watts)
        if unit.in_amperes:
            period["number_phases"] = unit.phases
    schedule = {
        "charging_rate_unit": unit.name,
        "charging_schedule_period": [period],
        "start_schedule": rfc3339(now),
        "duration": max(1, math.ceil((order.until - now).total_seconds())),
    }
    profile: dict[str, Any] = {
        "stack_level": stack_level,
        "charging_profile_purpose": "TxDefaultProfile" if transaction is None else "TxProfile",
        "charging_profile_kind": "Absolute",
        "valid_to": rfc3339(order.until),
        "transaction_id": transaction,
    }
    if version is Version.V16:
        profile |= {"charging_profile_id": PROFILE_ID + evse, "charging_schedule": schedule}
        return {"connector_id": evse, "cs_charging_profiles": _without_none(profile)}
    profile |= {"id": PROFILE_ID + evse, "charging_schedule": [{"id": SCHEDULE_ID} | schedule]}
    return {"evse_id": evse, "charging_profile": _without_none(profile)}


def release_of(version: Version, evse: int) -> dict[str, Any]:
    """The arguments of ClearChargingProfile."""
    return {"id" if version is Version.V16 else "charging_profile_id": PROFILE_ID + evse}


def rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _signed(unit: RateUnit, watts: float) -> float:
    return math.copysign(unit.limit(abs(watts)), watts)


def _without_none(profile: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in profile.items() if value is not None}
