"""Devices with topics of their own over a real broker: kept values, echoes, payloads that are none, a lost broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest
from click.testing import CliRunner

from openadr_core.errors import ConfigError
from openadr_ven.bootstrap.gateway import _topics
from openadr_ven.cli.root import cli
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.broker import free_port, running_broker
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Driver, Order, Reading
from openadr_ven.gateways.settings import load

WAIT_S = 10.0
CHARGER = "charger-1"
BATTERY = """
[topics.devices."battery-1"]
power_w = { topic = "home/battery/state", pointer = "/kw", scale = -1000 }
soc = { topic = "home/battery/state", pointer = "/soc", scale = 0.01 }
override = { topic = "home/battery/manual" }
[[topics.devices."battery-1".orders.SETPOINT]]
when = "feeds"
topic = "home/battery/set"
payload = { mode = "discharge", watts = "{feed_w}", until = "{until}" }
[[topics.devices."battery-1".orders.SETPOINT]]
when = "draws"
topic = "home/battery/set"
payload = { mode = "charge", watts = "{draw_w}" }
[[topics.devices."battery-1".orders.RELEASE]]
topic = "home/battery/set"
payload = "auto"
"""


def settings(folder: Path, port: int, *, more: str = "") -> Path:
    path = folder / "gateway.toml"
    printed = CliRunner().invoke(cli, ["gateway", "example", "topics"]).output
    home = printed.index("[topics]")
    path.write_text(printed[:home] + printed[home:].replace("port = 1883", f"port = {port}\necho_wait_s = 1") + more)
    return path


class Home:
    """A charger as evcc tells of it, and whoever else is at the broker."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.obeys = True
        self.published: list[tuple[str, str]] = []

    async def says(self, topic: str, value: object, *, retain: bool = False) -> None:
        await self.client.publish(topic, str(value), 1, retain=retain)

    async def live(self) -> None:
        await self.client.subscribe([("evcc/loadpoints/1/mode/set", 1), ("home/battery/set", 1)])
        async for message in self.client.messages:
            value = bytes(message.payload).decode() if isinstance(message.payload, bytes | bytearray) else ""
            self.published.append((message.topic.value, value))
            if self.obeys and message.topic.value.endswith("mode/set"):
                await self.says("evcc/loadpoints/1/mode", value)
                await self.says("evcc/loadpoints/1/chargePower", {"off": 0, "now": 11_000}.get(value, 3_000))


@asynccontextmanager
async def at_home(port: int) -> AsyncIterator[Home]:
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311) as client:
        home = Home(client)
        living = asyncio.create_task(home.live())
        try:
            yield home
        finally:
            living.cancel()
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await living


class Running:
    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.readings: list[Reading] = []

    def last(self, name: str) -> Reading | None:
        return next((one for one in reversed(self.readings) if one.device_id == name), None)

    async def until(self, name: str, holds: Callable[[Reading], bool]) -> Reading:
        async with asyncio.timeout(WAIT_S):
            while True:
                found = self.last(name)
                if found is not None and holds(found):
                    return found
                await asyncio.sleep(0.02)

    async def tell(self, name: str, mode: Mode, watts: float = 0.0) -> Reason:
        order = Order(
            device_id=name, mode=mode, setpoint_w=watts, until=datetime.now(UTC) + timedelta(seconds=30),
            import_max_w=11_000.0, export_max_w=5_000.0,
        )  # fmt: skip
        (outcome,) = [one async for one in self.driver.tell([order])]
        return outcome.reason


@asynccontextmanager
async def driven(path: Path) -> AsyncIterator[Running]:
    chosen = load(path).topics
    assert chosen is not None
    running = Running(_topics(chosen, lambda: datetime.now(UTC)))
    task = asyncio.create_task(running.driver.run(running.readings.extend))
    try:
        yield running
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_charger_of_evcc_is_heard_paused_and_let_go(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as port, at_home(port) as home:
        await home.says("evcc/loadpoints/1/chargePower", 3_000, retain=True)
        await home.says("evcc/loadpoints/1/connected", "true", retain=True)
        await home.says("evcc/loadpoints/1/vehicleSoc", 42, retain=True)
        await home.says("evcc/status", "online", retain=True)
        async with driven(settings(tmp_path, port)) as running:
            await asyncio.sleep(0.5)
            assert running.readings == [], "what the broker has kept says nothing of now"
            await home.says("evcc/updated", "2026-07-15T18:30:00Z")
            found = await running.until(CHARGER, lambda one: one.power_w == 3_000.0)
            assert (found.plugged, found.online) == (True, True)
            assert found.soc == pytest.approx(0.42)
            assert await running.tell(CHARGER, Mode.SHED) is Reason.NONE
            await running.until(CHARGER, lambda one: one.power_w == 0.0)
            assert await running.tell(CHARGER, Mode.LOAD_UP) is Reason.NONE
            await running.until(CHARGER, lambda one: one.power_w == 11_000.0)
            assert await running.tell(CHARGER, Mode.RELEASE) is Reason.NONE
            await running.until(CHARGER, lambda one: one.power_w == 3_000.0)
            assert [value for _, value in home.published] == ["off", "now", "pv"]
            await home.says("evcc/status", "offline")
            await running.until(CHARGER, lambda one: not one.online)


async def test_what_is_not_echoed_was_not_taken(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as port, at_home(port) as home, driven(settings(tmp_path, port)) as running:
        home.obeys = False
        async with asyncio.timeout(WAIT_S):
            while running.last(CHARGER) is None:
                await home.says("evcc/loadpoints/1/chargePower", 3_000)
                await asyncio.sleep(0.05)
        assert await running.tell(CHARGER, Mode.SHED) is Reason.UNREACHABLE
        assert await running.tell(CHARGER, Mode.SETPOINT) is Reason.UNSUPPORTED_MODE


async def test_payloads_of_json_are_read_and_written(tmp_path: Path) -> None:
    async with (
        running_broker(tmp_path) as port,
        at_home(port) as home,
        driven(settings(tmp_path, port, more=BATTERY)) as running,
    ):
        async with asyncio.timeout(WAIT_S):
            while running.last("battery-1") is None:
                await home.says("home/battery/state", '{"kw": 1.5, "soc": 80}')
                await asyncio.sleep(0.05)
        found = await running.until("battery-1", lambda one: one.power_w == -1_500.0)
        assert (found.soc, found.override) == (0.8, False)
        for nonsense in ("", "{", "[]", '{"kw": null}', '{"kw": "much"}', "[" * 50_000, "9" * 70_000):
            await home.says("home/battery/state", nonsense)
        await home.says("home/battery/state", '{"kw": -2}')
        await running.until("battery-1", lambda one: one.power_w == 2_000.0)
        await home.says("home/battery/manual", "on")
        await running.until("battery-1", lambda one: one.override)
        assert await running.tell("battery-1", Mode.SETPOINT, -1_234.0) is Reason.NONE
        assert await running.tell("battery-1", Mode.SETPOINT, 500.0) is Reason.NONE
        assert await running.tell("battery-1", Mode.RELEASE) is Reason.NONE
        async with asyncio.timeout(WAIT_S):
            while True:
                if len(home.published) == 3:
                    break
                await asyncio.sleep(0.02)
        told = [value for _, value in home.published]
        assert told[0].startswith('{"mode": "discharge", "watts": 1234, "until": "20')
        assert told[1:] == ['{"mode": "charge", "watts": 500}', "auto"]


async def test_a_broker_that_goes_takes_its_devices_with_it_and_brings_them_back(tmp_path: Path) -> None:
    port = free_port()

    async def heard(running: Running) -> None:
        async with at_home(port) as home, asyncio.timeout(WAIT_S):
            while True:
                await home.says("evcc/loadpoints/1/chargePower", 3_000)
                await home.says("evcc/status", "online")
                await asyncio.sleep(0.05)
                if (found := running.last(CHARGER)) is not None and found.online:
                    return

    async with driven(settings(tmp_path, port)) as running:
        assert await running.tell(CHARGER, Mode.SHED) is Reason.UNREACHABLE
        async with running_broker(tmp_path, port):
            await heard(running)
        await running.until(CHARGER, lambda one: not one.online)
        async with running_broker(tmp_path, port):
            await heard(running)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("orders.RELEASE", "orders.SETPOINT", "taken back"),
        ('payload = "off"', 'payload = "{each}"', r"\{each\}"),
        ('topic = "evcc/loadpoints/1/mode/set"', 'topic = "evcc/+/set"', "topic"),
        ("power_w =", "power_kw =", "power_kw"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    path = settings(tmp_path, 1883)
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, becomes))
    with pytest.raises(ConfigError, match=said):
        load(path)
