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
COMMON = {"Mn": "Maker", "Md": "Model", "SN": "1"}


class Device:
    """Follows what its registers say, and lets go when its timer is over."""

    def __init__(self, models: Models, *, usual_w: float, port: int = 0) -> None:
        """``models`` are points by number, raw; ``usual_w`` is what goes out of it by itself."""
        self.usual_w = usual_w
        image, self.at = b"SunS", {}
        for number, points in models.items():
            self.at[number] = BASE + len(image) // 2
            image += _image(number, points)
        words = [int.from_bytes((image + END)[at : at + 2], "big") for at in range(0, len(image + END), 2)]
        data = SimData(address=BASE, values=words, datatype=DataType.REGISTERS)
        self.port = port or free_port()
        self.server = ModbusTcpServer(SimDevice(id=UNIT, simdata=[data]), address=("127.0.0.1", self.port))
        self._since: dict[int, float] = {}

    async def model(self, number: int) -> Any:
        """As its registers are now."""
        size = device.Model(number).len
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

    async def close(self) -> None:
        """Gone, as a device whose plug is pulled."""
        await self.server.shutdown()  # type: ignore[no-untyped-call]

    async def live(self) -> None:
        while True:
            meter = 701 if 701 in self.at else 103
            model = await self.model(meter)
            model.W.cvalue = await self.output_w()
            await self.put(meter, model)
            await asyncio.sleep(STEP_S)


def _image(number: int, points: Mapping[str, Any]) -> bytes:
    model = device.Model(number)
    for name, value in points.items():
        getattr(model, name).value = value
    return bytes(model.get_mb())


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
