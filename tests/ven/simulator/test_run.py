"""The simulator as it runs: real broker, real seconds, somebody commanding it."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.adapters.fleet_files import write_fleet
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode
from openadr_ven.gateways.broker import free_port, running_broker
from openadr_ven.gateways.contract import (
    AbilityFrame,
    AckFrame,
    AckState,
    CommandFrame,
    GatewayState,
    Report,
    StatusFrame,
    SupportAckFrame,
    SupportFrame,
    TelemetryFrame,
    command_rows,
)
from openadr_ven.gateways.mqtt import BrokerAddress, MqttGateways
from openadr_ven.gateways.support_codec import read_support
from openadr_ven.simulator.device_log import applied_twice, read_device_log
from openadr_ven.simulator.meter import read_meter
from openadr_ven.simulator.run import FAULTS_FILE, SUPPORT_FILE, SimulatorSettings, run
from tests.ven.gateways.test_support_codec import VOLT_VAR

WAIT_S = 15.0
Kind = TypeVar("Kind", bound=Report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    port: int
    settings: SimulatorSettings
    fleet: Fleet

    def agent(self) -> MqttGateways:
        address = BrokerAddress(host="127.0.0.1", port=self.port, fleet="town", client_id="ven")
        return MqttGateways(address, rng=random.Random(1))


@pytest.fixture
def settings(fleet: Fleet, tmp_path: Path) -> SimulatorSettings:
    write_fleet(fleet, tmp_path / "fleet.csv")
    return SimulatorSettings(fleet_file=tmp_path / "fleet.csv", out=tmp_path / "out", fleet="town", port=free_port())


@pytest.fixture
async def running(settings: SimulatorSettings, fleet: Fleet, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_broker(tmp_path / "broker", settings.port, ack_wait_s=1) as port:
        stop = asyncio.Event()
        simulator = asyncio.create_task(run(settings, stopped=stop))
        yield Running(port=port, settings=settings, fleet=fleet)
        stop.set()
        await asyncio.wait_for(simulator, WAIT_S)


async def first(
    reports: AsyncGenerator[Report, None], kind: type[Kind], holds: Callable[[Kind], bool] = lambda _: True
) -> Kind:
    async with asyncio.timeout(WAIT_S):
        async for report in reports:
            if isinstance(report, kind) and holds(report):
                return report
    raise AssertionError("reports ended")


def command(sequence: int, gateway: str = "acme-1", *, lasts_s: float = 30.0, watts: float = -2_000.0) -> CommandFrame:
    now = datetime.now(UTC)
    return CommandFrame(
        gateway=gateway, event_id="e", event_version=0, sequence=sequence, issued_at=now, start=now,
        end=now + timedelta(seconds=lasts_s), ramp_s=0.0, rows=command_rows([0, 1, 2], Mode.SETPOINT, watts),
    )  # fmt: skip


def from_gateway(gateway: str) -> Callable[[TelemetryFrame], bool]:
    return lambda report: report.gateway == gateway


async def test_a_command_is_acknowledged_acted_on_metered_and_logged_once(running: Running) -> None:
    agent = running.agent()
    async with aclosing(agent.receive()) as reports:
        await first(reports, TelemetryFrame, from_gateway("acme-1"))
        sent = command(1, lasts_s=2.5)
        await agent.send([sent])
        await agent.send([sent])
        ack = await first(reports, AckFrame)
        assert (ack.command_id, ack.state, ack.slots.tolist()) == (sent.command_id, AckState.STARTED, [0, 1, 2])
        acted = await first(reports, TelemetryFrame, lambda report: report.command_sequence == 1)
        assert (acted.rows["power_w"][:3] == -2_000.0).all()
        ended = await first(reports, AckFrame, lambda report: report.state is AckState.COMPLETED)
        assert ended.command_id == sent.command_id
        idle = await first(reports, TelemetryFrame, from_gateway("acme-1"))
        assert (idle.rows["power_w"][:3] == 0.0).all()

    meter = read_meter(running.settings.out)
    batteries = np.flatnonzero(running.fleet.device_class == DeviceClass.BATTERY)
    metered = meter.device_w[:, batteries].sum(axis=1)
    assert metered.min() == -6_000.0
    assert metered[-1] == 0.0
    assert (np.diff(meter.time_s) == 1.0).all()

    entries = read_device_log(running.settings.out)
    assert [entry.applied for entry in entries] == [3, 0, 0]
    assert [entry.repeated for entry in entries] == [0, 3, 0]
    assert [entry.ended for entry in entries] == [0, 0, 3]
    assert not applied_twice(entries)


async def test_an_agent_that_was_away_finds_every_second_that_it_missed(running: Running) -> None:
    async with aclosing(running.agent().receive()) as reports:
        before = await first(reports, TelemetryFrame, from_gateway("bolt-1"))
    await asyncio.sleep(3.0)
    seen = {before.measured_at}
    async with aclosing(running.agent().receive()) as reports:
        reached = datetime.now(UTC)
        while max(seen) < reached:
            seen.add((await first(reports, TelemetryFrame, from_gateway("bolt-1"))).measured_at)
        # What the broker had handed to the agent that went away comes again after its ack_wait.
        wanted = {before.measured_at + timedelta(seconds=second) for second in range(1, 4)}
        while not wanted <= seen:
            seen.add((await first(reports, TelemetryFrame, from_gateway("bolt-1"))).measured_at)


async def test_a_fault_is_asked_for_by_a_line_in_a_file(running: Running) -> None:
    async with aclosing(running.agent().receive()) as reports:
        await first(reports, TelemetryFrame, from_gateway("acme-1"))
        with (running.settings.out / FAULTS_FILE).open("a") as file:
            file.write("nonsense\nsilent:Acme\n")
        acme, bolt = datetime.now(UTC), datetime.now(UTC)
        # Silent: Bolt has gone on for three seconds since Acme was last heard.
        while bolt < acme + timedelta(seconds=3):
            report = await first(reports, TelemetryFrame)
            if report.gateway == "acme-1":
                acme = report.measured_at
            elif report.gateway == "bolt-1":
                bolt = report.measured_at
        assert bolt < acme + timedelta(seconds=4)


async def test_gateways_say_that_they_are_there_and_that_they_leave(
    settings: SimulatorSettings, fleet: Fleet, tmp_path: Path
) -> None:
    async with running_broker(tmp_path / "broker", settings.port, ack_wait_s=1) as port:
        agent = Running(port=port, settings=settings, fleet=fleet).agent()
        stop = asyncio.Event()
        async with aclosing(agent.receive()) as reports:
            hearing = asyncio.create_task(first(reports, StatusFrame, lambda status: status.gateway == "bolt-2"))
            while not agent.connected:  # noqa: ASYNC110  (the product needs no event for it)
                await asyncio.sleep(0.01)
            simulator = asyncio.create_task(run(settings, stopped=stop))
            there = await hearing
            assert (there.state, there.slot_count) == (GatewayState.ONLINE, 9)
            stop.set()
            gone = await first(
                reports, StatusFrame, lambda s: s.gateway == "bolt-2" and s.state is GatewayState.OFFLINE
            )
            assert gone.at >= there.at
        await asyncio.wait_for(simulator, WAIT_S)


@pytest.mark.parametrize("fault", ["silent:Nobody@3", "boom"])
async def test_a_wrong_fault_is_named_at_the_start(settings: SimulatorSettings, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault.partition("@")[0].partition(":")[2] or fault):
        await run(replace(settings, faults=(fault,)), stopped=asyncio.Event())


async def test_a_curve_is_followed_by_whom_it_is_for_and_shown(running: Running) -> None:
    fleet = running.fleet
    knowing = int(fleet.slot[(fleet.device_class == DeviceClass.BATTERY) & (fleet.gateway == 0)][0])
    gateway = fleet.gateway_names[0]
    agent, shown = running.agent(), running.settings.out / SUPPORT_FILE
    async with aclosing(agent.receive()) as reports:
        await first(reports, AbilityFrame, lambda frame: frame.gateway == gateway)
        now = datetime.now(UTC)
        frame = SupportFrame(
            gateway=gateway, event_id="e", event_version=0, sequence=1, issued_at=now, start=now,
            end=now + timedelta(seconds=60), slots=np.array([knowing], dtype=np.uint16), function=VOLT_VAR.function,
            support=VOLT_VAR,
        )  # fmt: skip
        await agent.send([frame])
        started = await first(reports, SupportAckFrame, lambda ack: ack.state is AckState.STARTED)
        assert started.slots.tolist() == [knowing]
        holding = await first(reports, AbilityFrame, lambda one: bool((one.rows["holds"] > 0).any()))
        assert holding.rows["slot"][holding.rows["holds"] > 0].tolist() == [knowing]
    await until(shown.exists)
    ((settings,),) = json.loads(shown.read_text()).values()
    assert read_support(json.dumps(settings).encode()) == VOLT_VAR


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.05)
