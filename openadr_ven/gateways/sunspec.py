"""SunSpec Modbus: inverters and batteries on the gateway's own network, as a driver of the edge.

The ``pysunspec2`` package finds a device's models and knows their points; it waits, so each device has its turn
in a thread. Interpretation: what has no reversion timer is not told anything, since it would go on without us.
SunSpec counts power out of the device as positive, the contract what the device draws.

Nobody is authenticated on Modbus: keep it on a network of its own.
"""

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sunspec2.modbus.client import (
    SunSpecModbusClientDeviceTCP,
    SunSpecModbusClientError,
    SunSpecModbusValueError,
)
from sunspec2.modbus.modbus import ModbusClientError, ModbusClientException

from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, DriverTraits, Hear, Order, Outcome, Reading
from openadr_ven.gateways.sunspec_support import GridModels, known

AC_MEASUREMENT, AC_CONTROLS, STORAGE_CAPACITY = 701, 704, 713
INVERTERS = (101, 102, 103, 111, 112, 113)
IMMEDIATE_CONTROLS, BASIC_STORAGE = 123, 124
ENABLED, DISABLED = 1, 0
WATTS = 1
"""Of 704's WSetMod."""
CHARGE_AND_DISCHARGE = 3
"""Of 124's StorCtl_Mod: both limits hold."""
FAULTS = {AC_MEASUREMENT: ("InvSt", 6), **dict.fromkeys(INVERTERS, ("St", 7))}
ALARMS = {AC_MEASUREMENT: "Alrm", **dict.fromkeys(INVERTERS, "Evt1")}
ALARM_BITS = {8: 3, 9: 4, 10: 1, 11: 2}
"""Of those, over- and under-frequency, over- and under-voltage; by their bits in IEEE 2030.5's alarmStatus."""
REFUSES = (ModbusClientException, SunSpecModbusValueError, struct.error)
"""It will not have it, or its registers have no room for the number."""
ANSWERS_NOT = (SunSpecModbusClientError, ModbusClientError, OSError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int
    unit: int


class SunSpecDevices:
    """A driver of the edge for devices that we ask."""

    def __init__(
        self, devices: Mapping[str, Address], *, read_every_s: float, timeout_s: float, now: Callable[[], datetime]
    ) -> None:
        """By the fleet's names."""
        self.traits = DriverTraits(lets_go=True, reading_lasts_s=3.0 * read_every_s + timeout_s)
        self._devices = {name: SunSpecDevice(address, timeout_s) for name, address in devices.items()}
        self._turns = {name: asyncio.Lock() for name in devices}
        self._read_every_s = read_every_s
        self._now = now

    async def run(self, hear: Hear) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name in self._devices:
                tasks.create_task(self._watch(name, hear))

    async def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        for told in asyncio.as_completed([self._tell(order) for order in orders]):
            yield await told

    async def adjust(self, adjustments: Sequence[Adjustment]) -> AsyncIterator[Adjusted]:
        # What a device holds of ours goes first: what it does by itself must not be taken for that.
        ordered = sorted(adjustments, key=lambda one: not one.held)
        for told in asyncio.as_completed([self._adjust(one) for one in ordered]):
            yield await told

    async def _tell(self, order: Order) -> Outcome:
        reason = await self._asked(order.device_id, order.until, lambda device, lasts_s: device.tell(order, lasts_s))
        return Outcome(order=order, reason=reason)

    async def _adjust(self, one: Adjustment) -> Adjusted:
        reason = await self._asked(one.device_id, one.until, lambda device, lasts_s: device.adjust(one, lasts_s))
        return Adjusted(adjustment=one, reason=reason)

    async def _asked(self, name: str, until: datetime, ask: Callable[["SunSpecDevice", int], Reason]) -> Reason:
        """In the device's turn."""
        device = self._devices.get(name)
        if device is None:
            return Reason.UNREACHABLE
        try:
            async with self._turns[name]:
                lasts_s = max(1, math.ceil((until - self._now()).total_seconds()))
                return await asyncio.to_thread(ask, device, lasts_s)
        except REFUSES as refused:
            log.warning("device refused", device=name, error=str(refused))
            return Reason.OUT_OF_RANGE
        except ANSWERS_NOT as failed:
            log.warning("device did not answer", device=name, error=str(failed))
            return Reason.UNREACHABLE

    async def _watch(self, name: str, hear: Hear) -> None:
        last: Reading | None = None
        while True:
            try:
                async with self._turns[name]:
                    measured = await asyncio.to_thread(self._devices[name].read)
                last = Reading(device_id=name, at=self._now(), **measured)
                hear([last])
            except ANSWERS_NOT as failed:
                if last is not None and last.online:
                    log.warning("device lost", device=name, error=str(failed))
                    last = Reading(device_id=name, at=self._now(), power_w=last.power_w, online=False)
                    hear([last])
            await asyncio.sleep(self._read_every_s)


class SunSpecDevice:
    """One device; its methods wait, and raise one of ``ANSWERS_NOT`` if it does not answer."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._client = SunSpecModbusClientDeviceTCP(
            slave_id=address.unit, ipaddr=address.host, ipport=address.port, timeout=timeout_s
        )
        self._known = False
        self._grid = GridModels(self._model)
        self._functions = 0

    def read(self) -> dict[str, Any]:
        """Power, state of charge, and whether it is fit to be told anything."""
        with self._connected():
            return self._measured()

    def tell(self, order: Order, lasts_s: int) -> Reason:
        """Do it, for so long."""
        with self._connected():
            return self._told(order, lasts_s)

    def adjust(self, one: Adjustment, lasts_s: int) -> Reason:
        """Likewise, for grid support."""
        with self._connected():
            return self._grid.adjust(one.function, one.support, lasts_s, held=one.held)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Kept from one time to the next, and made anew after whatever went wrong."""
        if not self._client.is_connected():
            self._client.connect()
        try:
            if not self._known:
                self._client.scan(connect=False)
                self._known = True
                self._functions = known(self._model)
            yield
        except BaseException:
            self._client.disconnect()
            raise

    def _measured(self) -> dict[str, Any]:
        number, model = self._first(AC_MEASUREMENT, *INVERTERS)
        model.read()
        power_w = model.W.cvalue
        if power_w is None:
            raise SunSpecModbusClientError("it does not measure power")
        place, fault = FAULTS[number]
        alarms = getattr(model, ALARMS[number]).value or 0
        found: dict[str, Any] = {
            "power_w": -float(power_w),
            "online": getattr(model, place).value != fault,
            "functions": self._functions,
            "alarms": sum(1 << theirs for ours, theirs in ALARM_BITS.items() if alarms >> ours & 1),
        }
        if (percent := self._charge()) is not None:
            found["soc"] = percent / 100.0
        return found

    def _told(self, order: Order, lasts_s: int) -> Reason:
        if order.mode not in {Mode.SETPOINT, Mode.RELEASE}:
            return Reason.UNSUPPORTED_MODE
        output_w = None if order.mode is Mode.RELEASE else -order.setpoint_w
        only_feeds = order.import_max_w <= 0.0
        percent = None if output_w is None else 100.0 * output_w / max(order.export_max_w, 1.0)
        if (controls := self._model(AC_CONTROLS)) is not None:
            controls.read()
            if only_feeds:
                return self._limit(controls, ("WMaxLimPctEna", "WMaxLimPctRvrtTms"), percent, lasts_s)
            return self._set(controls, output_w, lasts_s)
        if only_feeds and (controls := self._model(IMMEDIATE_CONTROLS)) is not None:
            controls.read()
            return self._limit(controls, ("WMaxLim_Ena", "WMaxLimPct_RvrtTms"), percent, lasts_s)
        if not only_feeds and (storage := self._model(BASIC_STORAGE)) is not None:
            storage.read()
            return self._bound(storage, output_w, lasts_s)
        return Reason.UNSUPPORTED_MODE

    # -- the three ways to say it ------------------------------------------------------

    @staticmethod
    def _set(controls: Any, output_w: float | None, lasts_s: int) -> Reason:
        """704: a setpoint in watts."""
        if controls.WSetRvrtTms.value is None or controls.WSetEna.value is None:
            return Reason.UNSUPPORTED_MODE
        if output_w is not None:
            controls.WSetMod.value, controls.WSet.cvalue = WATTS, output_w
            controls.WSetEnaRvrt.value, controls.WSetRvrtTms.value = DISABLED, lasts_s
            controls.write()
        controls.WSetEna.value = DISABLED if output_w is None else ENABLED
        controls.write()
        return Reason.NONE

    @staticmethod
    def _limit(controls: Any, points: tuple[str, str], percent: float | None, lasts_s: int) -> Reason:
        """704 and 123: no more than a share of what it is rated for. ``points`` enable it, and time it."""
        enable, timer = points
        if getattr(controls, timer).value is None:
            return Reason.UNSUPPORTED_MODE
        if percent is not None:
            controls.WMaxLimPct.cvalue = max(0.0, min(100.0, percent))
            getattr(controls, timer).value = lasts_s
            controls.write()
        getattr(controls, enable).value = DISABLED if percent is None else ENABLED
        controls.write()
        return Reason.NONE

    @staticmethod
    def _bound(storage: Any, output_w: float | None, lasts_s: int) -> Reason:
        """124. Interpretation: two bounds that meet are a setpoint; the one against its direction is negative."""
        if storage.InOutWRte_RvrtTms.value is None or not storage.WChaMax.cvalue:
            return Reason.UNSUPPORTED_MODE
        if output_w is not None:
            percent = max(-100.0, min(100.0, 100.0 * output_w / storage.WChaMax.cvalue))
            storage.OutWRte.cvalue, storage.InWRte.cvalue = percent, -percent
            storage.InOutWRte_RvrtTms.value = lasts_s
            storage.write()
        storage.StorCtl_Mod.value = 0 if output_w is None else CHARGE_AND_DISCHARGE
        storage.write()
        return Reason.NONE

    # -- models ------------------------------------------------------------------------

    def _charge(self) -> float | None:
        """Per cent; None where there is no storage, or it does not say."""
        for number, point in ((STORAGE_CAPACITY, "SoC"), (BASIC_STORAGE, "ChaState")):
            if (model := self._model(number)) is not None:
                model.read()
                percent = getattr(model, point).cvalue
                return None if percent is None else float(percent)
        return None

    def _first(self, *numbers: int) -> tuple[int, Any]:
        for number in numbers:
            if (model := self._model(number)) is not None:
                return number, model
        raise SunSpecModbusClientError("it has no model that measures power")

    def _model(self, number: int) -> Any | None:
        found = self._client.models.get(number)
        return found[0] if found else None
