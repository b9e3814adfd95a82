"""What is known of one charging station: its sockets, what they draw, and what they are to be told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from openadr_ven.gateways.edge.driver import Reading
from openadr_ven.gateways.ocpp.metering import Measured, measured, power_w
from openadr_ven.gateways.ocpp.profiles import RateUnit

PLUGGED = frozenset(
    {"Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Occupied", "EVConnected", "Discharging"}
)  # fmt: skip
"""Statuses of connectors (1.6, 2.x) and states of transactions (2.x) in which a vehicle is at it."""
DRAWING = frozenset({"Charging", "Discharging"})
"""In these, what it draws is known from its meter alone; in the others it is nothing."""
DEAD = frozenset({"Faulted", "Unavailable"})


@dataclass(slots=True, kw_only=True)
class Evse:
    """One place for one vehicle: a connector in 1.6, an EVSE in 2.x."""

    device_id: str
    status: str = ""
    """As told last; empty until it was."""
    transaction: str | int | None = None
    soc: float | None = None
    _power_w: float | None = None
    _before: Measured | None = None

    def take_status(self, status: str) -> None:
        if status == "Occupied" and self.transaction is not None:
            return  # 2.x: the transaction's own events tell more
        self.status = status
        if status not in DRAWING:
            self._power_w = 0.0
        if status == "Available":
            self.soc, self._before, self.transaction = None, None, None

    def take_meter_values(self, meter_values: Sequence[Mapping[str, Any]], now: datetime) -> None:
        found = measured(meter_values, now)
        if found is None:
            return
        drawn_w = power_w(found, self._before)
        self._power_w = self._power_w if drawn_w is None else drawn_w
        self.soc = self.soc if found.soc is None else found.soc
        self._before = found

    def begin(self, transaction: str | int) -> None:
        self.transaction = transaction

    def end(self) -> None:
        self.transaction = None
        self._power_w = 0.0

    def reading(self, now: datetime, *, online: bool) -> Reading | None:
        """None as long as it is not known what it draws."""
        if self._power_w is None:
            return None
        return Reading(
            device_id=self.device_id,
            at=now,
            power_w=self._power_w,
            soc=float("nan") if self.soc is None else self.soc,
            plugged=self.status in PLUGGED or self.transaction is not None,
            online=online and self.status not in DEAD,
        )


class Station:
    """One charging station, as it told of itself."""

    def __init__(self, identity: str, evses: Mapping[int, str], unit: RateUnit) -> None:
        """``evses`` are the fleet's device ids by the station's numbers, from 1."""
        self.identity = identity
        self.unit = unit
        self.evses = {number: Evse(device_id=device_id) for number, device_id in evses.items()}

    def limit_in_amperes(self) -> None:
        """It takes no limits in watts."""
        self.unit = replace(self.unit, in_amperes=True)

    def evse_of(self, device_id: str) -> int:
        return next(number for number, evse in self.evses.items() if evse.device_id == device_id)

    def in_transaction(self, transaction: str | int) -> Evse | None:
        return next((evse for evse in self.evses.values() if evse.transaction == transaction), None)

    def readings(self, now: datetime, *, online: bool = True) -> list[Reading]:
        found = (evse.reading(now, online=online) for evse in self.evses.values())
        return [reading for reading in found if reading is not None]

    def idle_readings(self, now: datetime) -> list[Reading]:
        """Of those that draw nothing, so that a heartbeat is enough to know it."""
        return [
            reading
            for evse in self.evses.values()
            if evse.status not in DRAWING and (reading := evse.reading(now, online=True)) is not None
        ]
