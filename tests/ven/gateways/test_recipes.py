"""The recipes of docs/gateway-recipes.md: their settings, run between a VEN and a home that speaks as it does."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiomqtt
import numpy as np
import pytest

from openadr_ven.adapters.fleet_files import write_fleet
from openadr_ven.bootstrap import gateway as gateway_parts
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode, texts
from openadr_ven.gateways.broker import running_broker
from openadr_ven.gateways.contract import AckState, TelemetryFlag
from openadr_ven.gateways.settings import load
from tests.ven.gateways.test_gateway_process import GATEWAY, Ven, command, ven_at

RECIPES = Path(__file__).resolve().parents[3] / "docs" / "gateway-recipes.md"
BLOCK = re.compile(r"^```(\w+) ([\w-]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WAIT_S = 20.0
Says = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Home:
    """What a home's software tells, and what it does when it is told something."""

    device_id: str
    device_class: DeviceClass
    tells: Says
    """When it comes up: topic and payload, as the software documents them."""
    alive: tuple[str, str] | None
    """What it says again and again, while the broker keeps the rest; without it, all that it tells is told again."""
    obeys: Callable[[str], Says]
    """What it publishes when it is told a payload."""
    set_topic: str
    now: Says = field(default_factory=dict)
    """What it has told since it was told something."""

    @property
    def keeps(self) -> bool:
        return self.alive is not None

    def repeats(self) -> Says:
        if self.alive is not None:
            return dict([self.alive])
        return {topic: self.now.get(topic, payload) for topic, payload in self.tells.items()}


def evcc(payload: str) -> Says:
    power = {"off": "0", "now": "7200", "pv": "1400"}[payload]
    return {"evcc/loadpoints/1/mode": payload, "evcc/loadpoints/1/chargePower": power}


def home_assistant(payload: str) -> Says:
    power_w = {"off": 0.0, "on": 4_500.0, "auto": 2_000.0}[payload]
    return {"openadr/water-heater/state": heater(power_w), "openadr/water-heater/taken": payload}


def heater(power_w: float, *, boost: bool = False) -> str:
    """As ``to_json`` of Home Assistant's templates writes it."""
    return json.dumps({"power_w": power_w, "boost": boost})


def openems(payload: str) -> Says:
    power = {} if payload == "release" else {"edge/edge0/channel/ess0/ActivePower": str(int(payload))}
    return {"openadr/ess0/taken": payload} | power


HOMES: Mapping[str, Home] = {
    "evcc": Home(
        device_id="charger-1", device_class=DeviceClass.EV_CHARGER, obeys=evcc, alive=("evcc/updated", "1795880888"),
        tells={
            "evcc/loadpoints/1/chargePower": "1400", "evcc/loadpoints/1/vehicleSoc": "42",
            "evcc/loadpoints/1/connected": "true", "evcc/loadpoints/1/mode": "pv",
        },
        set_topic="evcc/loadpoints/1/mode/set",
    ),
    "home-assistant": Home(
        device_id="water-heater-1", device_class=DeviceClass.WATER_HEATER, obeys=home_assistant,
        alive=None, tells={"openadr/water-heater/state": heater(2_000.0)},
        set_topic="openadr/water-heater/set",
    ),
    "openems": Home(
        device_id="battery-1", device_class=DeviceClass.BATTERY, obeys=openems,
        alive=("edge/edge0/channel/lastUpdate", "2026-07-15T18:30:00Z"),
        tells={"edge/edge0/channel/ess0/ActivePower": "-500", "edge/edge0/channel/ess0/Soc": "80"},
        set_topic="openadr/ess0/set",
    ),
}  # fmt: skip


def blocks(name: str) -> dict[str, str]:
    """By language, what the recipe says."""
    return {language: text for language, of, text in BLOCK.findall(RECIPES.read_text()) if of == name}


@asynccontextmanager
async def living(home: Home, port: int) -> AsyncIterator[list[str]]:
    """The home at its broker; what it was told."""
    told: list[str] = []
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311) as client:
        await client.subscribe(home.set_topic, 1)
        for topic, payload in home.tells.items():
            await client.publish(topic, payload, 1, retain=home.keeps)

        async def live() -> None:
            while True:
                for topic, payload in home.repeats().items():
                    await client.publish(topic, payload, 0, retain=home.keeps)
                await asyncio.sleep(0.2)

        async def obey() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                told.append(message.payload.decode())
                for topic, payload in home.obeys(told[-1]).items():
                    home.now[topic] = payload
                    await client.publish(topic, payload, 1, retain=home.keeps)

        tasks = [asyncio.create_task(one) for one in (live(), obey())]
        try:
            yield told
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                    await task


@asynccontextmanager
async def running(name: str, fleet: Fleet, folder: Path) -> AsyncIterator[tuple[Ven, Home, list[str], int]]:
    """The recipe's gateway between a VEN and the home; the VEN, the home, what it is told, and the device's slot."""
    home = replace(HOMES[name], now={})
    row = int(np.flatnonzero((fleet.device_class == home.device_class) & (fleet.gateway == 0))[0])
    ids = fleet.device_id.copy().tolist()
    ids[row] = home.device_id
    write_fleet(replace(fleet, device_id=texts(ids)), folder / "fleet.csv")
    async with running_broker(folder) as port, living(home, port) as told, ven_at(port) as ven:
        settings = folder / "gateway.toml"
        lines = blocks(name)["toml"]
        topics = "" if "[topics]" in lines else "[topics]\n"
        text = topics + lines
        settings.write_text(
            f'gateway = "{GATEWAY}"\nfleet = "fleet.csv"\nbroker = {{ port = {port} }}\n'
            + text.replace("[topics]\n", f"[topics]\nport = {port}\npace_s = 0.1\n")
        )
        stop = asyncio.Event()
        process = asyncio.create_task(gateway_parts.run(load(settings), stopped=stop))
        try:
            yield ven, home, told, int(fleet.slot[row])
        finally:
            stop.set()
            await process


@pytest.mark.parametrize("name", ["evcc", "home-assistant"])
async def test_a_load_is_shed_loaded_up_and_let_go(fleet: Fleet, tmp_path: Path, name: str) -> None:
    async with running(name, fleet, tmp_path) as (ven, _home, told, slot):
        usual_w, full_w = (1_400.0, 7_200.0) if name == "evcc" else (2_000.0, 4_500.0)
        await ven.until(lambda: ven.power_w(slot) == usual_w)
        for sequence, mode, watts in ((1, Mode.SHED, 0.0), (2, Mode.LOAD_UP, full_w), (3, Mode.RELEASE, usual_w)):
            await ven.gateways.send([command(sequence, slot, mode)])
            ended = AckState.COMPLETED if mode is Mode.RELEASE else AckState.STARTED
            await ven.until(lambda at=sequence, state=ended: state in ven.acks(at))  # type: ignore[misc]
            await ven.until(lambda wanted=watts: ven.power_w(slot) == wanted)  # type: ignore[misc]
        assert told == (["off", "now", "pv"] if name == "evcc" else ["off", "on", "auto"])


async def test_a_battery_follows_a_setpoint_that_is_repeated_until_it_is_let_go(fleet: Fleet, tmp_path: Path) -> None:
    async with running("openems", fleet, tmp_path) as (ven, _home, told, slot):
        await ven.until(lambda: ven.power_w(slot) == 500.0)
        assert float(ven.rows(slot)[-1]["soc"]) == pytest.approx(0.8)
        await ven.gateways.send([command(1, slot, Mode.SETPOINT, -3_000.0)])
        await ven.until(lambda: AckState.STARTED in ven.acks(1))
        await ven.until(lambda: ven.power_w(slot) == -3_000.0)
        assert ven.says(slot, TelemetryFlag.HELD)
        await ven.gateways.send([command(2, slot, Mode.SETPOINT, 1_000.0)])
        await ven.until(lambda: ven.power_w(slot) == 1_000.0)
        await ven.gateways.send([command(3, slot, Mode.RELEASE)])
        await ven.until(lambda: AckState.COMPLETED in ven.acks(3))
        assert told == ["3000", "-1000", "release"]


async def test_a_household_that_takes_it_back_is_left_alone(fleet: Fleet, tmp_path: Path) -> None:
    async with running("home-assistant", fleet, tmp_path) as (ven, home, told, slot):
        await ven.until(lambda: ven.power_w(slot) == 2_000.0)
        home.now["openadr/water-heater/state"] = heater(2_000.0, boost=True)
        await ven.until(lambda: ven.says(slot, TelemetryFlag.OVERRIDE))
        await ven.gateways.send([command(1, slot, Mode.SHED)])
        await ven.until(lambda: AckState.OPTED_OUT in ven.acks(1))
        assert told == []


def test_each_recipe_is_tried_here() -> None:
    assert {of for language, of, _ in BLOCK.findall(RECIPES.read_text()) if language == "toml"} == set(HOMES)
