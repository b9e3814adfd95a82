"""Charging stations for tests: the ``ocpp`` package's charge-point side, over a real WebSocket."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from ocpp import v16, v21, v201
from ocpp.routing import on

from openadr_ven.gateways.ocpp.profiles import Version

PACKAGES = {Version.V16: v16, Version.V201: v201, Version.V21: v21}


class Wire:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def recv(self) -> str:
        message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionResetError
        return str(message.data)

    async def send(self, text: str) -> None:
        await self.socket.send_str(text)


class Station:
    """What all versions have in common; the vehicle draws all it may."""

    wire: Wire
    answer = "Accepted"
    """To SetChargingProfile."""
    rated_w = 7_200.0
    knows_watts = True

    def reset(self) -> None:
        self.profile: Mapping[str, Any] | None = None
        self.set_at = datetime.now(UTC)
        self.configured: dict[str, str] = {}
        self.told = 0

    @property
    def power_w(self) -> float:
        if self.profile is None:
            return self.rated_w
        schedule = self.profile["charging_schedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        if datetime.now(UTC) >= self.set_at + timedelta(seconds=schedule["duration"]):
            return self.rated_w
        period = schedule["charging_schedule_period"][0]
        scale = 1.0 if schedule["charging_rate_unit"] == "W" else 230.0 * period["number_phases"]
        return float(period.get("setpoint", period.get("limit"))) * scale

    def take(self, profile: Mapping[str, Any]) -> str:
        self.told += 1
        if self.answer == "Accepted":
            self.profile, self.set_at = profile, datetime.now(UTC)
        return self.answer

    async def boot(self) -> Any:
        raise NotImplementedError

    async def status(self, status: str) -> None:
        raise NotImplementedError

    async def begin(self) -> None:
        raise NotImplementedError

    async def measure(self, soc: float = 40.0) -> None:
        raise NotImplementedError


class Station16(Station, v16.ChargePoint):
    transaction: int | None = None

    @on("SetChargingProfile")
    def on_set(self, cs_charging_profiles: Mapping[str, Any], **_: Any) -> Any:
        return v16.call_result.SetChargingProfile(self.take(cs_charging_profiles))

    @on("ClearChargingProfile")
    def on_clear(self, **_: Any) -> Any:
        cleared, self.profile = self.profile is not None, None
        return v16.call_result.ClearChargingProfile("Accepted" if cleared else "Unknown")

    @on("GetConfiguration")
    def on_get_configuration(self, key: list[str], **_: Any) -> Any:
        value = "Current,Power" if self.knows_watts else "Current"
        return v16.call_result.GetConfiguration([{"key": key[0], "readonly": True, "value": value}])

    @on("ChangeConfiguration")
    def on_change_configuration(self, key: str, value: str) -> Any:
        if "SoC" in value:
            return v16.call_result.ChangeConfiguration("Rejected")
        self.configured[key] = value
        return v16.call_result.ChangeConfiguration("Accepted")

    async def boot(self) -> Any:
        return await self.call(v16.call.BootNotification("Model", "Vendor"))

    async def status(self, status: str) -> None:
        await self.call(v16.call.StatusNotification(1, "NoError", status))

    async def begin(self) -> None:
        started = await self.call(v16.call.StartTransaction(1, "tag", 0, datetime.now(UTC).isoformat()))
        self.transaction = started.transaction_id
        await self.status("Charging")

    async def measure(self, soc: float = 40.0) -> None:
        samples = [
            {"value": f"{self.power_w / 1e3:.3f}", "measurand": "Power.Active.Import", "unit": "kW"},
            {"value": f"{soc}", "measurand": "SoC", "unit": "Percent"},
        ]
        value = {"timestamp": datetime.now(UTC).isoformat(), "sampled_value": samples}
        await self.call(v16.call.MeterValues(1, [value], self.transaction))


class Station2(Station):
    package: Any
    transaction: str | None = None
    events = 0

    @on("SetChargingProfile")
    def on_set(self, charging_profile: Mapping[str, Any], **_: Any) -> Any:
        return self.package.call_result.SetChargingProfile(status=self.take(charging_profile))

    @on("ClearChargingProfile")
    def on_clear(self, **_: Any) -> Any:
        cleared, self.profile = self.profile is not None, None
        return self.package.call_result.ClearChargingProfile(status="Accepted" if cleared else "Unknown")

    @on("GetVariables")
    def on_get_variables(self, get_variable_data: list[Mapping[str, Any]], **_: Any) -> Any:
        value = "A,W" if self.knows_watts else "A"
        results = [{"attribute_status": "Accepted", "attribute_value": value, **one} for one in get_variable_data]
        return self.package.call_result.GetVariables(get_variable_result=results)

    @on("SetVariables")
    def on_set_variables(self, set_variable_data: list[Mapping[str, Any]], **_: Any) -> Any:
        results = []
        for one in set_variable_data:
            self.configured[one["variable"]["name"]] = one["attribute_value"]
            told = {"attribute_status": "Accepted", "component": one["component"], "variable": one["variable"]}
            results.append(told)
        return self.package.call_result.SetVariables(set_variable_result=results)

    async def boot(self) -> Any:
        station = {"model": "Model", "vendor_name": "Vendor"}
        return await self.call(self.package.call.BootNotification(charging_station=station, reason="PowerUp"))  # type: ignore[attr-defined]

    async def status(self, status: str) -> None:
        now = datetime.now(UTC).isoformat()
        await self.call(  # type: ignore[attr-defined]
            self.package.call.StatusNotification(timestamp=now, connector_status=status, evse_id=1, connector_id=1)
        )

    async def begin(self) -> None:
        await self.status("Occupied")
        self.transaction = "tx-1"
        await self.event("Started", "Authorized", state="Charging")

    async def measure(self, soc: float = 40.0) -> None:
        drawn, fed = max(self.power_w, 0.0), max(-self.power_w, 0.0)
        samples = [
            {
                "value": drawn / 1e3,
                "measurand": "Power.Active.Import",
                "unit_of_measure": {"unit": "W", "multiplier": 3},
            },
            {"value": fed, "measurand": "Power.Active.Export"},
            {"value": soc, "measurand": "SoC", "unit_of_measure": {"unit": "Percent"}},
        ]
        value = [{"timestamp": datetime.now(UTC).isoformat(), "sampled_value": samples}]
        await self.event("Updated", "MeterValuePeriodic", meter_value=value)

    async def event(self, kind: str, trigger: str, *, state: str | None = None, meter_value: Any = None) -> None:
        self.events += 1
        info = {"transaction_id": self.transaction} | ({"charging_state": state} if state else {})
        await self.call(  # type: ignore[attr-defined]
            self.package.call.TransactionEvent(
                event_type=kind, timestamp=datetime.now(UTC).isoformat(), trigger_reason=trigger, seq_no=self.events,
                transaction_info=info, meter_value=meter_value, evse={"id": 1},
                id_token={"id_token": "t", "type": "Local"},
            )
        )  # fmt: skip


class Station201(Station2, v201.ChargePoint):
    package = v201


class Station21(Station2, v21.ChargePoint):
    package = v21


STATIONS: dict[Version, Any] = {Version.V16: Station16, Version.V201: Station201, Version.V21: Station21}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@asynccontextmanager
async def connected(
    version: Version, port: int, tls: ssl.SSLContext, *, identity: str = "CP-1", password: str | None = None
) -> AsyncIterator[Any]:
    """A station at our central system; aiohttp.WSServerHandshakeError if it is not let in."""
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(
            f"wss://localhost:{port}/ocpp/{identity}",
            ssl=tls,
            headers={} if password is None else basic(identity, password),
            protocols=[version.value],
        ) as socket,
    ):
        station = STATIONS[version](identity, Wire(socket))
        station.reset()
        station.wire = Wire(socket)
        listening = asyncio.create_task(station.start())
        try:
            yield station
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, ConnectionResetError):
                await listening
