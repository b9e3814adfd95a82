"""SunSpec Modbus against a simulated device over TCP: read, told in each model's way, and let go by its timer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.broker import free_port
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Order, Reading
from openadr_ven.gateways.sunspec import Address, SunSpecDevices
from tests.ven.gateways.sunspec_server import RATED_W, UNIT, Device, Models, serving

WAIT_S = 10.0
MODERN_METER = {701: {"W": 0, "W_SF": 0, "InvSt": 3, "ConnSt": 1}}
SETPOINT = {"WSetEna": 0, "WSetMod": 0, "WSet": 0, "WSet_SF": 1, "WSetRvrtTms": 0, "WSetEnaRvrt": 1}
LIMIT = {"WMaxLimPctEna": 0, "WMaxLimPct": 1000, "WMaxLimPct_SF": -1, "WMaxLimPctRvrtTms": 0}
OLD_METER = {103: {"W": 0, "W_SF": 0, "St": 4}}
STORAGE = {
    "WChaMax": 500, "WChaMax_SF": 1, "StorCtl_Mod": 0, "OutWRte": 0, "InWRte": 0, "InOutWRte_SF": -2,
    "InOutWRte_RvrtTms": 0, "ChaState": 550, "ChaState_SF": -1,
}  # fmt: skip
MODERN_BATTERY: Models = {**MODERN_METER, 704: SETPOINT, 713: {"SoC": 625, "Pct_SF": -1}}
MODERN_INVERTER: Models = {**MODERN_METER, 704: LIMIT}
OLD_BATTERY: Models = {**OLD_METER, 124: STORAGE}
OLD_INVERTER: Models = {
    **OLD_METER, 123: {"WMaxLimPct": 100, "WMaxLimPct_SF": 0, "WMaxLim_Ena": 0, "WMaxLimPct_RvrtTms": 0}
}  # fmt: skip


class Running:
    def __init__(self, device: Device, driver: SunSpecDevices) -> None:
        self.device, self.driver = device, driver
        self.readings: list[Reading] = []

    async def tell(self, mode: Mode, watts: float = 0.0, *, lasts_s: float = 30.0, draws: bool = True) -> Reason:
        order = Order(
            device_id="d", mode=mode, setpoint_w=watts, until=datetime.now(UTC) + timedelta(seconds=lasts_s),
            import_max_w=5_000.0 if draws else 0.0, export_max_w=RATED_W,
        )  # fmt: skip
        (outcome,) = [one async for one in self.driver.tell([order])]
        return outcome.reason

    async def until(self, holds: Callable[[Reading], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if self.readings and holds(self.readings[-1]):
                    return
                await asyncio.sleep(0.02)

    async def draws(self, watts: float) -> None:
        await self.until(lambda reading: abs(reading.power_w - watts) < 1.0)


@asynccontextmanager
async def driven(device: Device) -> AsyncIterator[Running]:
    driver = SunSpecDevices(
        {"d": Address(host="127.0.0.1", port=device.port, unit=UNIT)},
        read_every_s=0.05, timeout_s=2.0, now=lambda: datetime.now(UTC),
    )  # fmt: skip
    running = Running(device, driver)
    task = asyncio.create_task(driver.run(running.readings.extend))
    try:
        yield running
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("models", "soc"), [(MODERN_BATTERY, 0.625), (OLD_BATTERY, 0.55)], ids=["704 and 713", "124"])
async def test_a_battery_feeds_draws_and_lets_go(models: Models, soc: float) -> None:
    async with serving(models, usual_w=-1_200.0) as device, driven(device) as running:
        await running.draws(1_200.0)
        assert running.readings[-1].soc == pytest.approx(soc)
        assert await running.tell(Mode.SETPOINT, -3_000.0) is Reason.NONE
        await running.draws(-3_000.0)
        assert await running.tell(Mode.SETPOINT, 2_000.0) is Reason.NONE
        await running.draws(2_000.0)
        assert await running.tell(Mode.RELEASE) is Reason.NONE
        await running.draws(1_200.0)
        assert await running.tell(Mode.SETPOINT, -3_000.0, lasts_s=0.5) is Reason.NONE
        await running.draws(-3_000.0)
        await running.draws(1_200.0)


@pytest.mark.parametrize("models", [MODERN_INVERTER, OLD_INVERTER], ids=["704", "123"])
async def test_an_inverter_is_limited_to_a_share_of_its_rating(models: Models) -> None:
    async with serving(models, usual_w=5_000.0) as device, driven(device) as running:
        await running.draws(-5_000.0)
        assert await running.tell(Mode.SETPOINT, -1_500.0, draws=False) is Reason.NONE
        await running.draws(-1_500.0)
        assert await running.tell(Mode.RELEASE, draws=False) is Reason.NONE
        await running.draws(-5_000.0)


def without(models: Models, number: int, point: str) -> Models:
    return {**models, number: {name: value for name, value in models[number].items() if name != point}}


@pytest.mark.parametrize(
    ("models", "draws"),
    [
        (without(MODERN_BATTERY, 704, "WSetRvrtTms"), True),
        (without(OLD_BATTERY, 124, "InOutWRte_RvrtTms"), True),
        (without(OLD_INVERTER, 123, "WMaxLimPct_RvrtTms"), False),
        (MODERN_METER, True),
    ],
    ids=["704", "124", "123", "only a meter"],
)
async def test_what_would_go_on_without_us_is_not_told(models: Models, draws: bool) -> None:
    async with serving(models, usual_w=700.0) as device, driven(device) as running:
        assert await running.tell(Mode.SETPOINT, -3_000.0, draws=draws) is Reason.UNSUPPORTED_MODE
        await running.draws(-700.0)


async def test_a_device_that_is_shed_or_loaded_whole_is_none_of_these() -> None:
    async with serving(MODERN_BATTERY, usual_w=0.0) as device, driven(device) as running:
        assert await running.tell(Mode.SHED) is Reason.UNSUPPORTED_MODE
        assert await running.tell(Mode.LOAD_UP) is Reason.UNSUPPORTED_MODE


@pytest.mark.parametrize(
    "models", [{701: {**MODERN_METER[701], "InvSt": 6}}, {103: {**OLD_METER[103], "St": 7}}], ids=["701", "103"]
)
async def test_a_fault_is_heard(models: Mapping[int, Mapping[str, Any]]) -> None:
    async with serving(models, usual_w=0.0) as device, driven(device) as running:
        await running.until(lambda reading: not reading.online)


@pytest.mark.parametrize(
    "models",
    [{701: {**MODERN_METER[701], "Alrm": 1 << 10 | 1 << 5}}, {103: {**OLD_METER[103], "Evt1": 1 << 10 | 1 << 5}}],
    ids=["701", "103"],
)
async def test_an_alarm_of_the_grid_is_heard_in_the_words_of_2030_5(models: Mapping[int, Mapping[str, Any]]) -> None:
    over_voltage = 1 << 1
    async with serving(models, usual_w=0.0) as device, driven(device) as running:
        await running.until(lambda reading: reading.alarms == over_voltage)


async def test_a_device_that_goes_is_unreachable_and_one_that_comes_back_is_not() -> None:
    async with serving(MODERN_BATTERY, usual_w=0.0) as device, driven(device) as running:
        await running.until(lambda reading: reading.online)
        await device.close()
        await running.until(lambda reading: not reading.online)
        assert await running.tell(Mode.SETPOINT, -1_000.0) is Reason.UNREACHABLE
        again = Device({1: {"Mn": "Maker"}, **MODERN_BATTERY}, usual_w=-500.0, port=device.port)
        await again.server.serve_forever(background=True)
        living = asyncio.create_task(again.live())
        await running.draws(500.0)
        assert await running.tell(Mode.SETPOINT, -1_000.0) is Reason.NONE
        living.cancel()
        await again.close()


async def test_what_is_no_sunspec_device_is_unreachable() -> None:
    driver = SunSpecDevices(
        {"d": Address(host="127.0.0.1", port=free_port(), unit=UNIT)},
        read_every_s=1.0, timeout_s=0.2, now=lambda: datetime.now(UTC),
    )  # fmt: skip
    order = Order(
        device_id="d", mode=Mode.SETPOINT, setpoint_w=0.0, until=datetime.now(UTC), import_max_w=1.0, export_max_w=1.0
    )
    assert [one.reason async for one in driver.tell([order])] == [Reason.UNREACHABLE]
