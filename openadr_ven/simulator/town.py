"""The town: every device with its physics, behind gateways that speak the contract. Pure: it is told the time."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats, Mask, Mode
from openadr_ven.fleet.model import Tick
from openadr_ven.fleet.physics import evening_state, step
from openadr_ven.gateways.contract import (
    CommandFrame,
    GatewayState,
    Report,
    StatusFrame,
    SupportFrame,
    TelemetryFlag,
    TelemetryFrame,
    telemetry_rows,
)
from openadr_ven.gateways.edge.leases import Leases, Receipt
from openadr_ven.simulator.faults import Fault, FaultKind
from openadr_ven.simulator.inverters import Inverters

OUTDOOR_C = 33.0
"""Half past six on a July evening, whatever the clock says; departures in the fleet file are by the clock."""
SUNLIGHT = 0.15
"""Of an inverter's rating, an hour and more before sunset."""
VEHICLES = (DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER)


class Town:
    """A fleet's devices, as they really are, and what their gateways say of them."""

    def __init__(self, fleet: Fleet, *, rng: np.random.Generator, started_at: datetime) -> None:
        self.fleet = fleet
        self.state = evening_state(fleet, now_s=started_at.timestamp(), outdoor_c=OUTDOOR_C, rng=rng)
        self.leases = Leases(fleet)
        self.gateways = _vendors_by_gateway(fleet)
        """By name of a gateway that has devices, the code of their vendor."""
        self.inverters = Inverters(fleet, self.gateways, started_at)
        self._rng = rng
        self._last = started_at
        self._silent = np.zeros(len(fleet.vendor_names), dtype=np.bool_)
        self._delay_s = np.zeros(len(fleet.vendor_names))
        self._lies = np.zeros(fleet.size, dtype=np.bool_)
        self._telemetry_sequence = 0
        self._late: list[tuple[datetime, TelemetryFrame]] = []

    def receive(self, frame: CommandFrame, now: datetime) -> Receipt | None:
        """What a gateway does with a command; None if nobody is there to do anything."""
        if frame.gateway not in self.gateways or self._is_silent(frame.gateway):
            return None
        return self.leases.receive(frame, self.state, now)

    def receive_support(self, frame: SupportFrame, now: datetime) -> list[Report]:
        """Likewise, with grid support."""
        if frame.gateway not in self.gateways or self._is_silent(frame.gateway):
            return []
        return self.inverters.receive(frame, now)

    def tick(self, now: datetime) -> list[Report]:
        """Live until ``now``; what the gateways have to say then, and what was held up until now."""
        acks = [ack for ack in self.leases.advance(self.state, now) if not self._is_silent(ack.gateway)]
        mode, setpoint_w = self.leases.in_force(self.state, now)
        acting = np.where(self._lies, np.uint8(Mode.RELEASE), mode)
        self.state = step(
            self.fleet, self.state, mode=acting, setpoint_w=setpoint_w, tick=self._physics_tick(now)
        )  # fmt: skip
        self._last = now
        reported_w = np.where(self._lies & (mode == Mode.SETPOINT), setpoint_w, self.state.power_w)
        reported_w = np.where(self._lies & (mode == Mode.SHED), np.minimum(reported_w, 0.0), reported_w)
        reported_w = np.where(self._lies & (mode == Mode.LOAD_UP), self.fleet.import_max_w, reported_w)
        heard = (gateway for gateway in self.gateways if not self._is_silent(gateway))
        support = [report for gateway in heard for report in self.inverters.tick(gateway, now)]
        return [*acks, *self._telemetry(reported_w, mode != Mode.RELEASE, now), *support]

    def status(self, gateway: str, state: GatewayState, now: datetime) -> StatusFrame:
        """What a gateway says when it connects, or leaves as its last will."""
        return StatusFrame(
            gateway=gateway,
            at=now,
            state=state,
            slot_count=int(self.leases.rows(gateway).size),
            command_sequence=self.leases.sequence(gateway),
        )

    def vendor(self, name: str) -> int:
        """A vendor's code; ConfigError names those that there are."""
        if name not in self.fleet.vendor_names:
            raise ConfigError(f"no vendor {name!r}; there are {', '.join(self.fleet.vendor_names)}")
        return self.fleet.vendor_names.index(name)

    def inject(self, fault: Fault) -> None:
        """Make something go wrong, now."""
        vendor = self.vendor(fault.vendor)
        rows = np.flatnonzero(self.fleet.vendor == vendor)
        if fault.kind is FaultKind.SILENT:
            self._silent[vendor] = True
            self.leases.drop(rows)
        elif fault.kind is FaultKind.ISOLATED:
            self._silent[vendor] = True
        elif fault.kind is FaultKind.LATE:
            self._delay_s[vendor] = fault.value
        elif fault.kind is FaultKind.LYING:
            self._lies[rows] = self._rng.random(rows.size) < fault.value
        else:
            self._silent[vendor], self._delay_s[vendor], self._lies[rows] = False, 0.0, False

    def _is_silent(self, gateway: str) -> bool:
        return bool(self._silent[self.gateways[gateway]])

    def _physics_tick(self, now: datetime) -> Tick:
        return Tick(
            now_s=now.timestamp(),
            dt_s=(now - self._last).total_seconds(),
            outdoor_c=OUTDOOR_C,
            sunlight=SUNLIGHT,
            rng=self._rng,
        )

    def _telemetry(self, reported_w: Floats, held: Mask, now: datetime) -> Iterator[TelemetryFrame]:
        flags = self._flags(held)
        self._telemetry_sequence += 1
        measured = []
        for gateway, vendor in self.gateways.items():
            if self._silent[vendor]:
                continue
            rows = self.leases.rows(gateway)
            frame = TelemetryFrame(
                gateway=gateway,
                telemetry_sequence=self._telemetry_sequence,
                measured_at=now,
                command_sequence=self.leases.sequence(gateway),
                rows=telemetry_rows(
                    np.arange(rows.size),
                    reported_w[rows],
                    self.state.soc[rows],
                    self.state.temperature_c[rows],
                    flags[rows],
                ),
            )
            measured.append((now + timedelta(seconds=float(self._delay_s[vendor])), frame))
        held_up, self._late = [*self._late, *measured], []
        for due, frame in held_up:
            if due <= now:
                yield frame
            else:
                self._late.append((due, frame))

    def _flags(self, held: Mask) -> NDArray[np.uint16]:
        vehicle = np.isin(self.fleet.device_class, VEHICLES)
        flags = np.where(vehicle & self.state.plugged, int(TelemetryFlag.PLUGGED), 0)
        flags |= np.where(self.state.online, int(TelemetryFlag.ONLINE), 0)
        flags |= np.where(self.state.override, int(TelemetryFlag.OVERRIDE), 0)
        return (flags | np.where(held, int(TelemetryFlag.HELD), 0)).astype(np.uint16)


def _vendors_by_gateway(fleet: Fleet) -> dict[str, int]:
    """ConfigError if a gateway stands before two vendors' devices: then no cloud could go down with it."""
    pairs = np.unique(np.stack((fleet.gateway, fleet.vendor), axis=1), axis=0).tolist()
    vendors = {fleet.gateway_names[gateway]: int(vendor) for gateway, vendor in pairs}
    if len(vendors) < len(pairs):
        raise ConfigError("a gateway of the fleet has devices of two vendors; the simulator gives each vendor its own")
    return vendors
