"""A gateway whole: from a command frame at the broker to a charging profile at a station, and back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner

from openadr_core.errors import ConfigError
from openadr_core.model.grid_support import GridSupport
from openadr_core.shell.tls import client_context
from openadr_ven.adapters.fleet_files import write_fleet
from openadr_ven.bootstrap import gateway as gateway_parts
from openadr_ven.cli.root import cli
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode
from openadr_ven.gateways.blueprint import Blueprint, Device
from openadr_ven.gateways.broker import free_port, running_broker
from openadr_ven.gateways.contract import (
    AbilityFrame,
    AckFrame,
    AckState,
    CommandFrame,
    Report,
    SupportAckFrame,
    SupportFrame,
    TelemetryFlag,
    TelemetryFrame,
    command_rows,
)
from openadr_ven.gateways.edge.core import Edge
from openadr_ven.gateways.edge.link import GatewayLink
from openadr_ven.gateways.edge.run import RunningEdge
from openadr_ven.gateways.mqtt import BrokerAddress, MqttGateways
from openadr_ven.gateways.ocpp.profiles import Version
from openadr_ven.gateways.settings import KINDS, load
from tests.core.shell.lab import Lab
from tests.ven.gateways.charge_points import connected
from tests.ven.gateways.test_support_codec import VOLT_VAR

GATEWAY = "acme-1"
PASSWORD = "sixteen random characters"  # noqa: S105
WAIT_S = 20.0


def now() -> datetime:
    return datetime.now(UTC)


def command(sequence: int, slot: int, mode: Mode, watts: float = 0.0, *, lasts_s: float = 30.0) -> CommandFrame:
    at = now()
    return CommandFrame(
        gateway=GATEWAY, event_id="e", event_version=0, sequence=sequence, issued_at=at, start=at,
        end=at + timedelta(seconds=lasts_s), ramp_s=0.0, rows=command_rows([slot], mode, watts),
    )  # fmt: skip


class Ven:
    """The agent's end of the broker."""

    def __init__(self, gateways: MqttGateways) -> None:
        self.gateways = gateways
        self.reports: list[Report] = []

    async def listen(self) -> None:
        async with aclosing(self.gateways.receive()) as reports:
            async for report in reports:
                self.reports.append(report)

    def acks(self, sequence: int) -> list[AckState]:
        return [one.state for one in self.reports if isinstance(one, AckFrame) and one.sequence == sequence]

    def support_acks(self, sequence: int) -> list[AckState]:
        return [one.state for one in self.reports if isinstance(one, SupportAckFrame) and one.sequence == sequence]

    def abilities(self) -> dict[int, tuple[int, int]]:
        """By slot, what it knows and holds, as it was said last."""
        said = [one for one in self.reports if isinstance(one, AbilityFrame)]
        return {int(row["slot"]): (int(row["knows"]), int(row["holds"])) for row in said[-1].rows} if said else {}

    def rows(self, slot: int) -> list[np.void]:
        """The telemetry of a slot."""
        frames = [one for one in self.reports if isinstance(one, TelemetryFrame)]
        return [row for frame in frames for row in frame.rows if row["slot"] == slot]

    def power_w(self, slot: int) -> float:
        rows = self.rows(slot)
        return float(rows[-1]["power_w"]) if rows else float("nan")

    def says(self, slot: int, flag: TelemetryFlag) -> bool:
        return bool(self.rows(slot)[-1]["flags"] & flag)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if holds():
                    return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def ven_at(port: int) -> AsyncIterator[Ven]:
    ven = Ven(MqttGateways(BrokerAddress(host="127.0.0.1", port=port, fleet="fleet", client_id="ven"), rng=Random(1)))
    listening = asyncio.create_task(ven.listen())
    try:
        await ven.until(lambda: ven.gateways.connected)
        yield ven
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


@asynccontextmanager
async def running(edge: RunningEdge, port: int) -> AsyncIterator[None]:
    address = BrokerAddress(host="127.0.0.1", port=port, fleet="fleet", client_id="")
    link = GatewayLink(
        address, GATEWAY, on_command=edge.command, status=edge.status, rng=Random(2), on_support=edge.support
    )
    task = asyncio.create_task(edge.run(link))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_blueprint_follows_the_contract_over_a_broker_and_over_a_restart(
    fleet: Fleet, tmp_path: Path
) -> None:
    def edge(devices: dict[str, Device]) -> RunningEdge:
        driver = Blueprint(devices, now)
        return RunningEdge(Edge(fleet, GATEWAY, driver.traits), driver, record=tmp_path / "record.npz", now=now)

    behind = fleet.device_id[fleet.gateway == 0].tolist()
    devices = {str(one): Device(usual_w=900.0) for one in behind}
    async with running_broker(tmp_path) as port, ven_at(port) as ven:
        async with running(edge(devices), port):
            await ven.until(lambda: ven.power_w(0) == 900.0)
            await ven.gateways.send([command(1, 0, Mode.SETPOINT, -3_000.0)])
            await ven.until(lambda: ven.acks(1) == [AckState.RECEIVED, AckState.STARTED])
            await ven.until(lambda: ven.power_w(0) == -3_000.0)
            assert ven.says(0, TelemetryFlag.HELD)
            await ven.gateways.send([command(2, 1, Mode.SETPOINT, -9_000.0)])
            await ven.until(lambda: ven.acks(2) == [AckState.REJECTED])
        async with running(edge(devices), port):
            await ven.gateways.send([command(3, 0, Mode.RELEASE)])
            await ven.until(lambda: AckState.COMPLETED in ven.acks(3))
            await ven.until(lambda: ven.power_w(0) == 900.0)


async def test_grid_support_is_told_to_devices_that_know_it_over_a_broker_and_over_a_restart(
    fleet: Fleet, tmp_path: Path
) -> None:
    def edge(devices: dict[str, Device]) -> RunningEdge:
        driver = Blueprint(devices, now)
        return RunningEdge(Edge(fleet, GATEWAY, driver.traits), driver, record=tmp_path / "record.npz", now=now)

    behind = [str(one) for one in fleet.device_id[fleet.gateway == 0][np.argsort(fleet.slot[fleet.gateway == 0])]]
    devices = {one: Device(usual_w=900.0) for one in behind}
    knowing = devices[behind[0]]
    knowing.functions = frozenset({VOLT_VAR.function})
    bit = 1 << VOLT_VAR.function
    async with running_broker(tmp_path) as port, ven_at(port) as ven:
        async with running(edge(devices), port):
            await ven.until(lambda: ven.abilities() == {0: (bit, 0)})
            await ven.gateways.send([grid_support(1, (0, 1), VOLT_VAR)])
            await ven.until(lambda: AckState.STARTED in ven.support_acks(1))
            assert knowing.support == {VOLT_VAR.function: VOLT_VAR}
            assert AckState.REJECTED in ven.support_acks(1), "of the device that knows no such thing"
            await ven.until(lambda: ven.abilities() == {0: (bit, bit)})
        knowing.support.clear()
        async with running(edge(devices), port):
            await ven.until(lambda: knowing.support == {VOLT_VAR.function: VOLT_VAR})
            await ven.gateways.send([grid_support(2, (0,), None)])
            await ven.until(lambda: AckState.COMPLETED in ven.support_acks(2))
            assert knowing.support == {}
            await ven.until(lambda: ven.abilities() == {0: (bit, 0)})


def grid_support(sequence: int, slots: Sequence[int], support: GridSupport | None) -> SupportFrame:
    at = now()
    return SupportFrame(
        gateway=GATEWAY, event_id="e", event_version=0, sequence=sequence, issued_at=at, start=at,
        end=at + timedelta(minutes=10), slots=np.array(slots, dtype=np.uint16), function=VOLT_VAR.function,
        support=support,
    )  # fmt: skip


@pytest.mark.parametrize("version", [Version.V16, Version.V21])
async def test_a_command_reaches_a_station_through_a_gateway_from_settings(
    fleet: Fleet, tmp_path: Path, version: Version
) -> None:
    lab = Lab(folder=tmp_path, now=now())
    settings = load(_settings(fleet, lab, tmp_path, broker := free_port()))
    assert settings.ocpp is not None
    slot = _charger(fleet)
    async with running_broker(tmp_path, broker) as port, ven_at(port) as ven:
        stop = asyncio.Event()
        process = asyncio.create_task(gateway_parts.run(settings, stopped=stop))
        tls = client_context("oadr3", None, [lab.trust("ecc")])
        await asyncio.sleep(0.2)
        async with connected(version, settings.ocpp.port, tls, password=PASSWORD) as station:
            await station.begin()
            await station.measure()
            await ven.until(lambda: ven.power_w(slot) == 7_200.0)
            await ven.gateways.send([command(1, slot, Mode.SHED)])
            await ven.until(lambda: ven.acks(1) == [AckState.RECEIVED, AckState.STARTED])
            await station.measure()
            await ven.until(lambda: ven.power_w(slot) == 0.0)
            await ven.gateways.send([command(2, slot, Mode.RELEASE)])
            await ven.until(lambda: AckState.COMPLETED in ven.acks(2))
            assert station.profile is None
        await ven.until(lambda: not ven.says(slot, TelemetryFlag.ONLINE))
        stop.set()
        await process


def _charger(fleet: Fleet) -> int:
    """The slot of the first charger behind the gateway."""
    return int(fleet.slot[(fleet.device_class == DeviceClass.EV_CHARGER) & (fleet.gateway == 0)][0])


def _settings(fleet: Fleet, lab: Lab, folder: Path, broker: int) -> Path:
    write_fleet(fleet, folder / "fleet.csv")
    device = str(fleet.device_id[(fleet.slot == _charger(fleet)) & (fleet.gateway == 0)][0])
    chain = lab.chain("openadr-ecc-vtn")
    path = folder / "gateway.toml"
    path.write_text(
        f"""
        gateway = "{GATEWAY}"
        fleet = "fleet.csv"
        [broker]
        port = {broker}
        [ocpp]
        host = "127.0.0.1"
        port = {free_port()}
        certificate = "{chain.certificate.name}"
        key = "{chain.key.name}"
        [ocpp.stations."CP-1"]
        password_sha256 = "{hashlib.sha256(PASSWORD.encode()).hexdigest()}"
        evses = {{ 1 = "{device}" }}
        """
    )
    return path


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (f'gateway = "{GATEWAY}"', 'gateway = "acme-9"', "no 'acme-9'"),
        ('fleet = "fleet.csv"', 'fleet = "nowhere.csv"', "nowhere.csv"),
        ("password_sha256", "colour", "colour"),
        ("certificate =", "# certificate =", "ocpp.certificate"),
        ("evses", "# evses", "no 'CP-1' behind"),
        ("[ocpp]", "[ocpp]\nstack_level = -1", "ocpp.stack_level"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(fleet: Fleet, tmp_path: Path, was: str, becomes: str, said: str) -> None:
    path = _settings(fleet, Lab(folder=tmp_path, now=now()), tmp_path, 1883)
    path.write_text(path.read_text().replace(was, becomes, 1))
    with pytest.raises(ConfigError, match=said):
        gateway_parts.build(load(path), now)


def test_a_record_that_is_none_is_named(fleet: Fleet, tmp_path: Path) -> None:
    path = _settings(fleet, Lab(folder=tmp_path, now=now()), tmp_path, 1883)
    (tmp_path / "gateway.npz").write_bytes(b"not a record")
    with pytest.raises(ConfigError, match="record"):
        gateway_parts.build(load(path), now)


def test_settings_are_tried_from_the_command_line(fleet: Fleet, tmp_path: Path) -> None:
    path = _settings(fleet, Lab(folder=tmp_path, now=now()), tmp_path, 1883)
    done = CliRunner().invoke(cli, ["gateway", "check", "--config", str(path)])
    assert (done.exit_code, "in order" in done.output) == (0, True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_settings(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(CliRunner().invoke(cli, ["gateway", "example", kind]).output)
    for name in ("gateway.pem", "gateway.key", "vendor.secret", "serca.pem"):
        (tmp_path / name).touch()
    assert getattr(load(path), kind) is not None
