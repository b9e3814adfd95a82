"""One station's connection: what it says goes to its ``Station``, what it is told comes from ``profiles``.

The package's ``ChargePoint`` reads and checks the messages. All three versions say the same things in two
dialects: 1.6 has transactions that we number, 2.x has events of transactions that the station names.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog
from ocpp import v16, v21, v201
from ocpp.exceptions import NotImplementedError as NoSuchAction
from ocpp.exceptions import OCPPError
from ocpp.routing import on

from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Hear, Order
from openadr_ven.gateways.ocpp.courtesies import with_courtesies
from openadr_ven.gateways.ocpp.profiles import Version, profile_of, release_of, rfc3339
from openadr_ven.gateways.ocpp.station import Station

HEARTBEAT_S = 30
SAMPLED_EVERY_S = 10
ANSWER_WAIT_S = 10
MEASURANDS = "Power.Active.Import,Power.Active.Export,Energy.Active.Import.Register,SoC"
FEWER = "Power.Active.Import,Energy.Active.Import.Register"
"""A station that knows no SoC refuses the whole list."""

_QUIET = logging.getLogger("openadr_ven.gateways.ocpp.messages")
"""The package logs every message, and a traceback for each that is wrong, which strangers could fill disks with."""
_QUIET.setLevel(logging.CRITICAL)
log = structlog.get_logger(__name__)


class Wire(Protocol):
    """A connection, as the package wants it."""

    async def recv(self) -> str: ...
    async def send(self, text: str) -> None: ...
    async def close(self) -> None: ...


class Session:
    """What both dialects have in common; mixed into the package's ``ChargePoint``."""

    version: Version
    messages: Any
    """The package's module of calls."""
    results: Any
    """Of answers."""

    def __init__(
        self,
        station: Station,
        wire: Wire,
        *,
        hear: Hear,
        now: Callable[[], datetime],
        stack_level: int,
        next_transaction: Callable[[], int],
    ) -> None:
        super().__init__(station.identity, wire, response_timeout=ANSWER_WAIT_S, logger=_QUIET)  # type: ignore[call-arg]
        self.station = station
        self._wire = wire
        self._hear_readings = hear
        self._now = now
        self._stack_level = stack_level
        self._next_transaction = next_transaction

    async def listen(self) -> None:
        """Until the station leaves."""
        while True:
            try:
                text = await self._wire.recv()
            except ConnectionError:
                return
            try:
                await self.route_message(text)  # type: ignore[attr-defined]
            except ConnectionError:
                return
            except Exception as wrong:  # noqa: BLE001 (JSON that is no OCPP: the next message counts again)
                log.warning("message dropped", station=self.station.identity, error=repr(wrong))

    async def close(self) -> None:
        await self._wire.close()

    async def tell(self, order: Order) -> Reason:
        """Why the station does not do it; NONE if it does. Raises OCPPError, TimeoutError or ConnectionError."""
        evse = self.station.evse_of(order.device_id)
        if order.mode is Mode.RELEASE:
            # "Unknown" is as good as "Accepted": the profile has ended, or was never there.
            await self.ask("ClearChargingProfile", release_of(self.version, evse))
            return Reason.NONE
        arguments = profile_of(
            order,
            version=self.version,
            evse=evse,
            transaction=self.station.evses[evse].transaction,
            unit=self.station.unit,
            stack_level=self._stack_level,
            now=self._now(),
        )
        if isinstance(arguments, Reason):
            return arguments
        status = (await self.ask("SetChargingProfile", arguments)).status
        return {"Accepted": Reason.NONE, "NotSupported": Reason.UNSUPPORTED_MODE}.get(status, Reason.OUT_OF_RANGE)

    async def ask(self, action: str, arguments: Mapping[str, Any]) -> Any:
        return await self.call(getattr(self.messages, action)(**arguments), suppress=False)  # type: ignore[attr-defined]

    async def try_to_ask(self, action: str, arguments: Mapping[str, Any]) -> Any | None:
        """None if the station has no answer for it."""
        try:
            return await self.ask(action, arguments)
        except (OCPPError, TimeoutError) as refused:
            log.info("station does not answer that", station=self.station.identity, action=action, error=str(refused))
            return None

    async def greet(self) -> None:
        """Learn the unit of limits, and have power measured often enough."""
        raise NotImplementedError

    def say(self) -> None:
        """Tell the edge how the station's places are."""
        self._hear_readings(self.station.readings(self._now()))

    async def _handle_call(self, message: Any) -> Any:
        # The package answers nothing to an action that 2.1 does not have, and the station would wait.
        if message.action not in self.route_map:  # type: ignore[attr-defined]
            raise NoSuchAction(details={"cause": f"no handler for {message.action}"})
        return await super()._handle_call(message)  # type: ignore[misc]

    def heartbeat(self) -> str:
        self._hear_readings(self.station.idle_readings(self._now()))
        return rfc3339(self._now())

    def take_meter_values(self, evse: int, meter_values: Sequence[Mapping[str, Any]]) -> None:
        if place := self.station.evses.get(evse):
            place.take_meter_values(meter_values, self._now())
            self.say()

    def take_status(self, evse: int, status: str) -> None:
        if place := self.station.evses.get(evse):
            place.take_status(status)
            self.say()


@with_courtesies
class Session16(Session, v16.ChargePoint):
    """OCPP 1.6 over JSON."""

    version = Version.V16
    messages, results = v16.call, v16.call_result

    async def greet(self) -> None:
        unit = "ChargingScheduleAllowedChargingRateUnit"
        told = await self.try_to_ask("GetConfiguration", {"key": [unit]})
        for entry in (told and told.configuration_key) or ():
            if entry.get("key") == unit and "Power" not in entry.get("value", "Power"):
                self.station.limit_in_amperes()
        await self.try_to_ask("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": str(SAMPLED_EVERY_S)})
        for measurands in (MEASURANDS, FEWER):
            told = await self.try_to_ask("ChangeConfiguration", {"key": "MeterValuesSampledData", "value": measurands})
            if told is not None and told.status == "Accepted":
                break
        for evse in self.station.evses:
            for wanted in ("StatusNotification", "MeterValues"):
                await self.try_to_ask("TriggerMessage", {"requested_message": wanted, "connector_id": evse})

    @on("BootNotification")
    def on_boot_notification(self, **_: Any) -> Any:
        return v16.call_result.BootNotification(rfc3339(self._now()), HEARTBEAT_S, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_: Any) -> Any:
        return v16.call_result.Heartbeat(self.heartbeat())

    @on("Authorize")
    def on_authorize(self, **_: Any) -> Any:
        return v16.call_result.Authorize({"status": "Accepted"})

    @on("StatusNotification")
    def on_status_notification(self, connector_id: int, status: str, **_: Any) -> Any:
        self.take_status(connector_id, status)
        return v16.call_result.StatusNotification()

    @on("StartTransaction")
    def on_start_transaction(self, connector_id: int, **_: Any) -> Any:
        number = self._next_transaction()
        if place := self.station.evses.get(connector_id):
            place.begin(number)
        return v16.call_result.StartTransaction(number, {"status": "Accepted"})

    @on("StopTransaction")
    def on_stop_transaction(self, transaction_id: int, **_: Any) -> Any:
        if place := self.station.in_transaction(transaction_id):
            place.end()
            self.say()
        return v16.call_result.StopTransaction()

    @on("MeterValues")
    def on_meter_values(
        self, connector_id: int, meter_value: Sequence[Mapping[str, Any]], transaction_id: int | None = None, **_: Any
    ) -> Any:
        place = self.station.evses.get(connector_id)
        if place is not None and place.transaction is None and transaction_id is not None:
            place.begin(transaction_id)  # it began before we did
        self.take_meter_values(connector_id, meter_value)
        return v16.call_result.MeterValues()


class Session2(Session):
    """OCPP 2.0.1 and 2.1."""

    async def greet(self) -> None:
        rate_unit = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "RateUnit"}}
        told = await self.try_to_ask("GetVariables", {"get_variable_data": [rate_unit]})
        for entry in (told and told.get_variable_result) or ():
            if "W" not in entry.get("attribute_value", "W"):
                self.station.limit_in_amperes()
        wanted = {"TxUpdatedInterval": str(SAMPLED_EVERY_S), "TxUpdatedMeasurands": MEASURANDS}
        for name, value in wanted.items():
            setting = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": name}, "attribute_value": value}
            await self.try_to_ask("SetVariables", {"set_variable_data": [setting]})
        for evse in self.station.evses:
            for message in ("StatusNotification", "TransactionEvent"):
                place = {"id": evse} | ({"connector_id": 1} if message == "StatusNotification" else {})
                await self.try_to_ask("TriggerMessage", {"requested_message": message, "evse": place})

    @on("BootNotification")
    def on_boot_notification(self, **_: Any) -> Any:
        return self.results.BootNotification(current_time=rfc3339(self._now()), interval=HEARTBEAT_S, status="Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_: Any) -> Any:
        return self.results.Heartbeat(current_time=self.heartbeat())

    @on("Authorize")
    def on_authorize(self, **_: Any) -> Any:
        return self.results.Authorize(id_token_info={"status": "Accepted"})

    @on("StatusNotification")
    def on_status_notification(self, evse_id: int, connector_status: str, **_: Any) -> Any:
        self.take_status(evse_id, connector_status)
        return self.results.StatusNotification()

    @on("TransactionEvent")
    def on_transaction_event(
        self,
        event_type: str,
        transaction_info: Mapping[str, Any],
        evse: Mapping[str, Any] | None = None,
        meter_value: Sequence[Mapping[str, Any]] = (),
        id_token: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        transaction = str(transaction_info["transaction_id"])
        place = self.station.evses.get(int(evse["id"])) if evse else self.station.in_transaction(transaction)
        if place is not None:
            place.begin(transaction)
            if state := transaction_info.get("charging_state"):
                place.take_status(str(state))
            place.take_meter_values(meter_value, self._now())
            if event_type == "Ended":
                place.end()
            self.say()
        # 2.x, E: an idToken that came with the event is answered for.
        return self.results.TransactionEvent(id_token_info={"status": "Accepted"} if id_token else None)

    @on("MeterValues")
    def on_meter_values(self, evse_id: int, meter_value: Sequence[Mapping[str, Any]], **_: Any) -> Any:
        self.take_meter_values(evse_id, meter_value)
        return self.results.MeterValues()

    @on("NotifyEVChargingNeeds")
    def on_notify_ev_charging_needs(self, **_: Any) -> Any:
        # Interpretation: we make no schedule ahead of time for a vehicle; what we want of it comes as a profile.
        return self.results.NotifyEVChargingNeeds(status="Processing")


@with_courtesies
class Session201(Session2, v201.ChargePoint):
    version = Version.V201
    messages, results = v201.call, v201.call_result


@with_courtesies
class Session21(Session2, v21.ChargePoint):
    version = Version.V21
    messages, results = v21.call, v21.call_result


SESSIONS: dict[Version, Callable[..., Session]] = {
    Version.V21: Session21, Version.V201: Session201, Version.V16: Session16
}  # fmt: skip
