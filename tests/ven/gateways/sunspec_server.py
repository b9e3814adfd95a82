"""A SunSpec device for tests: registers behind ``pymodbus``'s server, and what a device makes of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from sunspec2 import device

from openadr_ven.gateways.broker import free_port

BASE = 40_000
END = b"\xff\xff\x00\x00"
UNIT, RATED_W = 1, 6_000.0
READ, WRITE = 3, 16
"""Modbus functions: holding registers."""
STEP_S = 0.02
Models = Mapping[int, Mapping[str, Any]]
COMPLETED, FAILED = 1, 2
ADOPTING = frozenset({705, 706, 707, 708, 709, 710, 711, 712})
NAMES = {711: ("Ctl", "AdptCtlReq", "AdptCtlRslt", "RvrtCtl")}
COMMON = {"Mn": "Maker", "Md": "Model", "SN": "1"}


class Device:
    """Follows what its registers say, and lets go when its timer is over."""

    def __init__(self, models: Models, *, usual_w: float, port: int = 0) -> None:
        """``models`` are points by number, raw; ``usual_w`` is what goes out of it by itself."""
        self.usual_w = usual_w
        image, self.at, self._sizes = b"SunS", {}, {}
        for number, points in models.items():
            self.at[number] = BASE + len(image) // 2
            mine = _image(number, points)
            self._sizes[number] = len(mine) // 2
            image += mine
        words = [int.from_bytes((image + END)[at : at + 2], "big") for at in range(0, len(image + END), 2)]
        data = SimData(address=BASE, values=words, datatype=DataType.REGISTERS)
        self.port = port or free_port()
        self.server = ModbusTcpServer(SimDevice(id=UNIT, simdata=[data]), address=("127.0.0.1", self.port))
        self._since: dict[int, float] = {}
        self.fails_to_adopt = False

    async def model(self, number: int) -> Any:
        """As its registers are now."""
        size = self._sizes[number]
        words = await self.server.async_getValues(UNIT, READ, self.at[number], size)
        return device.Model(number, data=b"".join(word.to_bytes(2, "big") for word in words))

    async def put(self, number: int, model: Any) -> None:
        data = model.get_mb()
        words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        await self.server.async_setValues(UNIT, WRITE, self.at[number], words)

    async def holds(self, number: int, enable: str, timer: str) -> bool:
        """Whether that control acts; its timer runs from when it was enabled."""
        model = await self.model(number)
        if not getattr(model, enable).value:
            self._since.pop(number, None)
            return False
        since = self._since.setdefault(number, time.monotonic())
        if time.monotonic() - since < (getattr(model, timer).value or float("inf")):
            return True
        getattr(model, enable).value = 0
        await self.put(number, model)
        return False

    async def output_w(self) -> float:
        if 704 in self.at and await self.holds(704, "WSetEna", "WSetRvrtTms"):
            return float((await self.model(704)).WSet.cvalue)
        if 704 in self.at and await self.holds(704, "WMaxLimPctEna", "WMaxLimPctRvrtTms"):
            return min(self.usual_w, float((await self.model(704)).WMaxLimPct.cvalue) / 100.0 * RATED_W)
        if 123 in self.at and await self.holds(123, "WMaxLim_Ena", "WMaxLimPct_RvrtTms"):
            return min(self.usual_w, float((await self.model(123)).WMaxLimPct.cvalue) / 100.0 * RATED_W)
        if 124 in self.at and await self.holds(124, "StorCtl_Mod", "InOutWRte_RvrtTms"):
            storage = await self.model(124)
            return float(storage.OutWRte.cvalue) / 100.0 * float(storage.WChaMax.cvalue)
        return self.usual_w

    async def adopt(self, number: int) -> None:
        """Do what is in the place that is asked for, and go back to where it reverts to when the timer is over."""
        names = NAMES.get(number, ("Crv", "AdptCrvReq", "AdptCrvRslt", "RvrtCrv"))
        model = await self.model(number)
        found: list[Any] = [getattr(model, name, None) for name in names]
        rows, request, result, reversion = found
        if request.value:
            result.value = FAILED if self.fails_to_adopt else COMPLETED
            if not self.fails_to_adopt:
                _copy(rows[request.value - 1], rows[0])
                self._since[number] = time.monotonic()
            request.value = 0
            await self.put(number, model)
        elif reversion is not None and model.Ena.value and model.RvrtTms.value:
            if time.monotonic() - self._since.get(number, time.monotonic()) < model.RvrtTms.value:
                return
            model.RvrtTms.value = 0
            if reversion.value:
                _copy(rows[reversion.value - 1], rows[0])
            else:
                model.Ena.value = 0
            await self.put(number, model)

    async def close(self) -> None:
        """Gone, as a device whose plug is pulled."""
        await self.server.shutdown()  # type: ignore[no-untyped-call]

    async def live(self) -> None:
        while True:
            meter = 701 if 701 in self.at else 103
            model = await self.model(meter)
            model.W.cvalue = await self.output_w()
            await self.put(meter, model)
            for number in self.at.keys() & ADOPTING:
                await self.adopt(number)
            await asyncio.sleep(STEP_S)


def _image(number: int, points: Mapping[str, Any]) -> bytes:
    return bytes(device.Model(number, data={"ID": number, **points}).get_mb())


def _copy(source: Any, target: Any) -> None:
    target.set_dict({name: value for name, value in source.get_dict().items() if name != "ReadOnly"})


@asynccontextmanager
async def serving(models: Models, *, usual_w: float) -> AsyncIterator[Device]:
    simulated = Device({1: COMMON, **models}, usual_w=usual_w)
    await simulated.server.serve_forever(background=True)
    living = asyncio.create_task(simulated.live())
    try:
        yield simulated
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living
        await simulated.close()
