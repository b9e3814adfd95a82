"""IEEE 2030.5 southward: our embedded server before real clients of it, over TLS 1.2 with CCM-8."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_core.model.grid_support import Curve, CurvePoint, GridFunction, GridSupport, Reference, VarShare, mask_of
from openadr_core.model.opt import OptType
from openadr_ven.adapters.fleet_files import write_fleet
from openadr_ven.bootstrap import gateway as gateway_parts
from openadr_ven.fleet.columns import DeviceClass, Mode
from openadr_ven.gateways.broker import free_port, running_broker
from openadr_ven.gateways.contract import AckState, Reason, TelemetryFlag
from openadr_ven.gateways.edge.driver import Adjustment, Order, Outcome, Reading
from openadr_ven.gateways.sep2.driver import Sep2Devices
from openadr_ven.gateways.sep2.embedded import EmbeddedServer
from openadr_ven.gateways.settings import Sep2GatewaySettings, load
from tests.core.shell.lab import Lab
from tests.ven.fleet.small import small_fleet
from tests.ven.gateways.sep2_device import connected
from tests.ven.gateways.test_gateway_process import GATEWAY, command, ven_at
from tests.ven.gateways.test_support_codec import VOLT_VAR
from tests.vtn.oadr3.secure_vtn import sha256_of

FLEET = small_fleet()
LOOPBACK = ("127.0.0.0/8", "::1/128")
WAIT_S = 20.0
USUAL_W = 700.0
FLATTER = GridSupport(
    function=GridFunction.VOLT_VAR,
    curve=Curve(points=(CurvePoint(x=94.5, y=12.25), CurvePoint(x=105.0, y=-12.25)), reference=Reference.AVAILABLE_VAR),
)
WATT_VAR = GridSupport(
    function=GridFunction.WATT_VAR, curve=Curve(points=(CurvePoint(x=20.0, y=0.0),), reference=Reference.MAX_VAR)
)
VARS = GridSupport(function=GridFunction.FIXED_VAR, var_share=VarShare(percent=-30.5, reference=Reference.MAX_VAR))
SUN_W = -4_000.0


def name_of(kind: DeviceClass) -> str:
    return str(FLEET.device_id[(FLEET.device_class == kind) & (FLEET.gateway == 0)][0])


BATTERY, INVERTER = name_of(DeviceClass.BATTERY), name_of(DeviceClass.SOLAR_INVERTER)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=now())


def chosen(lab: Lab, folder: Path, *names: str, **table: Any) -> Sep2GatewaySettings:
    own = lab.chain("sep2-server", "gateway")
    devices = {name: {"certificate_sha256": sha256_of(lab.chain("sep2-device", name))} for name in names}
    return Sep2GatewaySettings.model_validate(
        {
            "host": "127.0.0.1", "port": free_port(), "certificate": own.certificate, "key": own.key,
            "trust": [lab.trust("sep2")], "pen": 28547, "store": folder / "devices.db", "poll_rate_s": 1,
            "post_rate_s": 1, "answer_wait_s": 8.0, "networks": LOOPBACK, "devices": devices, **table,
        }
    )  # fmt: skip


class Running:
    """A driver, and what it heard."""

    def __init__(self, settings: Sep2GatewaySettings, driver: Sep2Devices) -> None:
        self.url = f"https://localhost:{settings.port}"
        self.driver = driver
        self.readings: list[Reading] = []

    def hear(self, readings: Sequence[Reading]) -> None:
        self.readings += readings

    async def tell(self, mode: Mode, watts: float = 0.0, *, device: str = BATTERY, lasts_s: float = 60.0) -> Outcome:
        row = int(np.flatnonzero(FLEET.device_id == device)[0])
        order = Order(
            device_id=device, mode=mode, setpoint_w=watts, until=now() + timedelta(seconds=lasts_s),
            import_max_w=float(FLEET.import_max_w[row]), export_max_w=float(FLEET.export_max_w[row]),
        )  # fmt: skip
        (outcome,) = [one async for one in self.driver.tell([order])]
        return outcome

    async def adjust(
        self, support: GridSupport | None, function: GridFunction, *, device: str = BATTERY, lasts_s: float = 60.0
    ) -> Reason:
        one = Adjustment(device_id=device, function=function, support=support, until=now() + timedelta(seconds=lasts_s))
        (adjusted,) = [one async for one in self.driver.adjust([one])]
        return adjusted.reason

    async def until(self, holds: Callable[[Reading], object], device: str = BATTERY) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                mine = [one for one in self.readings if one.device_id == device]
                if mine and holds(mine[-1]):
                    return
                await asyncio.sleep(0.02)

    async def draws(self, watts: float, device: str = BATTERY) -> None:
        await self.until(lambda reading: abs(reading.power_w - watts) < 1.0, device)


@asynccontextmanager
async def running(settings: Sep2GatewaySettings) -> AsyncIterator[Running]:
    driver = gateway_parts.sep2_driver(settings, now)
    assert isinstance(driver, Sep2Devices)
    serving = Running(settings, driver)
    task = asyncio.create_task(driver.run(serving.hear))
    try:
        yield serving
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_battery_holds_what_it_is_told_lets_go_and_lets_go_by_itself(lab: Lab, tmp_path: Path) -> None:
    async with (
        running(chosen(lab, tmp_path, BATTERY)) as gateway,
        connected(lab, gateway.url, FLEET, BATTERY, USUAL_W) as battery,
    ):
        await gateway.draws(USUAL_W)
        assert gateway.readings[-1].online
        assert (await gateway.tell(Mode.SETPOINT, -3_000.0)).reason is Reason.NONE
        assert battery.power_w(now()) == -3_000.0
        await gateway.draws(-3_000.0)
        await gateway.until(lambda reading: reading.soc == pytest.approx(0.5))
        assert (await gateway.tell(Mode.RELEASE)).reason is Reason.NONE
        assert battery.power_w(now()) == USUAL_W
        assert (await gateway.tell(Mode.SETPOINT, 2_000.0, lasts_s=4.0)).reason is Reason.NONE
        await gateway.draws(2_000.0)
        await gateway.draws(USUAL_W)
        assert (await gateway.tell(Mode.RELEASE)).reason is Reason.NONE


async def test_an_inverter_gives_no_more_than_it_is_told_and_hears_of_it_by_notification(
    lab: Lab, tmp_path: Path
) -> None:
    port = free_port()
    settings = chosen(lab, tmp_path, INVERTER, poll_rate_s=900, notification_ports=(port,))
    async with (
        running(settings) as gateway,
        connected(lab, gateway.url, FLEET, INVERTER, SUN_W, notified_at=port) as inverter,
    ):
        await gateway.draws(SUN_W, INVERTER)
        await subscribed(gateway, "/derp/1/derc")
        assert (await gateway.tell(Mode.SETPOINT, -1_500.0, device=INVERTER)).reason is Reason.NONE
        assert inverter.power_w(now()) == -1_500.0
        assert (await gateway.tell(Mode.RELEASE, device=INVERTER)).reason is Reason.NONE
        assert inverter.power_w(now()) == SUN_W


async def test_an_owner_who_opts_out_is_let_alone_until_the_lease_would_have_ended(lab: Lab, tmp_path: Path) -> None:
    async with (
        running(chosen(lab, tmp_path, BATTERY)) as gateway,
        connected(lab, gateway.url, FLEET, BATTERY, USUAL_W) as battery,
    ):
        await gateway.draws(USUAL_W)
        battery.answer_with = OptType.OUT
        assert (await gateway.tell(Mode.SETPOINT, -3_000.0, lasts_s=4.0)).opted_out
        await gateway.until(lambda reading: reading.override)
        await gateway.until(lambda reading: not reading.override)
        battery.answer_with, battery.code = OptType.IN, "460"
        refused = await gateway.tell(Mode.SETPOINT, -3_000.0)
        assert (refused.reason, refused.opted_out) == (Reason.UNSUPPORTED_MODE, False)


async def test_curves_and_vars_reach_an_inverter_beside_its_power_and_one_by_one(lab: Lab, tmp_path: Path) -> None:
    known = mask_of({VOLT_VAR.function, VARS.function})
    async with (
        running(chosen(lab, tmp_path, BATTERY)) as gateway,
        connected(lab, gateway.url, FLEET, BATTERY, USUAL_W, functions=known) as battery,
    ):
        await gateway.until(lambda reading: reading.functions & known == known)
        assert (await gateway.tell(Mode.SETPOINT, -3_000.0)).reason is Reason.NONE
        assert await gateway.adjust(VOLT_VAR, VOLT_VAR.function) is Reason.NONE
        assert await gateway.adjust(VARS, VARS.function) is Reason.NONE
        assert battery.supports(now()) == {VOLT_VAR.function: VOLT_VAR, VARS.function: VARS}
        assert battery.power_w(now()) == -3_000.0, "what it gives goes on beside"
        assert (await gateway.tell(Mode.SETPOINT, 1_000.0)).reason is Reason.NONE
        assert await gateway.adjust(FLATTER, VOLT_VAR.function) is Reason.NONE
        assert battery.supports(now()) == {VOLT_VAR.function: FLATTER, VARS.function: VARS}
        assert await gateway.adjust(None, VOLT_VAR.function) is Reason.NONE
        assert battery.supports(now()) == {VARS.function: VARS}
        assert (await gateway.tell(Mode.RELEASE)).reason is Reason.NONE
        assert (battery.power_w(now()), battery.supports(now())) == (USUAL_W, {VARS.function: VARS})
        battery.answer_with, battery.code = OptType.OUT, "454"
        assert await gateway.adjust(VOLT_VAR, VOLT_VAR.function) is Reason.OUT_OF_RANGE
        assert await gateway.adjust(WATT_VAR, WATT_VAR.function) is Reason.UNSUPPORTED_MODE


async def test_what_a_silent_device_was_told_is_taken_back_and_it_counts_as_lost(lab: Lab, tmp_path: Path) -> None:
    async with running(chosen(lab, tmp_path, BATTERY, answer_wait_s=1.0)) as gateway:
        assert (await gateway.tell(Mode.SETPOINT, -3_000.0)).reason is Reason.UNREACHABLE
        async with connected(lab, gateway.url, FLEET, BATTERY, USUAL_W):
            await gateway.draws(USUAL_W)
        assert (await gateway.tell(Mode.SETPOINT, -3_000.0)).reason is Reason.UNREACHABLE
        await gateway.until(lambda reading: not reading.online)
        async with connected(lab, gateway.url, FLEET, BATTERY, USUAL_W) as battery:
            await gateway.until(lambda reading: reading.online)
            assert battery.power_w(now()) == USUAL_W


async def test_over_a_restart_devices_are_known_and_what_they_hold_is_taken_back(lab: Lab, tmp_path: Path) -> None:
    settings = chosen(lab, tmp_path, BATTERY, default={"opModExpLimW": 1_000})
    async with running(settings) as gateway, connected(lab, gateway.url, FLEET, BATTERY, -4_000.0) as battery:
        await gateway.draws(-1_000.0)
        assert (await gateway.tell(Mode.SETPOINT, 2_500.0)).reason is Reason.NONE
        assert battery.power_w(now()) == 2_500.0
    async with running(settings) as gateway, connected(lab, gateway.url, FLEET, BATTERY, -4_000.0) as battery:
        await gateway.draws(2_500.0)
        assert (await gateway.tell(Mode.RELEASE)).reason is Reason.NONE
        assert battery.power_w(now()) == -1_000.0


async def test_only_those_whom_settings_name_are_let_in(lab: Lab, tmp_path: Path) -> None:
    settings = chosen(lab, tmp_path, BATTERY, INVERTER)
    async with running(settings) as gateway:
        assert await statuses(lab, gateway, BATTERY, "/dcap", "/edev") == [200, 200]
        assert await statuses(lab, gateway, "somebody", "/edev") == [403]
    fewer = settings.model_copy(update={"devices": {INVERTER: settings.devices[INVERTER]}})
    async with running(fewer) as gateway:
        assert await statuses(lab, gateway, BATTERY, "/edev") == [403]
        assert await statuses(lab, gateway, INVERTER, "/edev") == [200]
    async with running(settings) as gateway:
        assert await statuses(lab, gateway, BATTERY, "/edev") == [200]


async def statuses(lab: Lab, gateway: Running, name: str, *paths: str) -> list[int]:
    """What the holder of this certificate is answered, over the one suite."""
    context = ssl.create_default_context(cafile=str(lab.trust("sep2")))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
    chain = lab.chain("sep2-device", name)
    context.load_cert_chain(chain.certificate, chain.key)
    await listens(gateway)
    async with httpx.AsyncClient(base_url=gateway.url, verify=context) as http:
        return [(await http.get(path)).status_code for path in paths]


async def subscribed(gateway: Running, resource: str) -> None:
    server = gateway.driver._server
    assert isinstance(server, EmbeddedServer)
    async with asyncio.timeout(WAIT_S):
        while True:
            async with server._open_store.view() as view:
                if any(one.resource == resource for one in await view.sep2_subscriptions.held(1)):
                    return
            await asyncio.sleep(0.05)


async def listens(gateway: Running) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
                writer.close()
                return
            await asyncio.sleep(0.05)


async def test_a_command_of_the_agents_reaches_an_inverter_through_a_gateway_from_settings(
    lab: Lab, tmp_path: Path
) -> None:
    settings = load(_settings_file(lab, tmp_path, broker := free_port()))
    assert settings.sep2 is not None
    slot = int(FLEET.slot[np.flatnonzero(FLEET.device_id == BATTERY)[0]])
    url = f"https://localhost:{settings.sep2.port}"
    async with running_broker(tmp_path, broker) as port, ven_at(port) as ven:
        stop = asyncio.Event()
        process = asyncio.create_task(gateway_parts.run(settings, stopped=stop))
        async with connected(lab, url, FLEET, BATTERY, USUAL_W) as battery:
            await ven.until(lambda: ven.power_w(slot) == USUAL_W)
            await ven.gateways.send([command(1, slot, Mode.SETPOINT, -3_000.0)])
            await ven.until(lambda: ven.acks(1) == [AckState.RECEIVED, AckState.STARTED])
            await ven.until(lambda: ven.power_w(slot) == -3_000.0)
            assert ven.says(slot, TelemetryFlag.HELD)
            battery.answer_with = OptType.OUT
            await ven.gateways.send([command(2, slot, Mode.SETPOINT, 1_000.0)])
            await ven.until(lambda: AckState.OPTED_OUT in ven.acks(2))
            assert AckState.STARTED not in ven.acks(2)
        stop.set()
        await process


def _settings_file(lab: Lab, folder: Path, broker: int) -> Path:
    write_fleet(FLEET, folder / "fleet.csv")
    own = lab.chain("sep2-server", "gateway")
    path = folder / "gateway.toml"
    path.write_text(
        f"""
        gateway = "{GATEWAY}"
        fleet = "fleet.csv"
        [broker]
        port = {broker}
        [sep2]
        host = "127.0.0.1"
        port = {free_port()}
        certificate = "{own.certificate}"
        key = "{own.key}"
        trust = ["{lab.trust("sep2")}"]
        pen = 28547
        poll_rate_s = 1
        post_rate_s = 1
        [sep2.devices."{BATTERY}"]
        certificate_sha256 = "{sha256_of(lab.chain("sep2-device", BATTERY))}"
        """
    )
    return path


async def test_a_default_that_means_nothing_is_named(lab: Lab, tmp_path: Path) -> None:
    server = EmbeddedServer(chosen(lab, tmp_path, BATTERY, default={"opModNoSuch": 1}), now)
    with pytest.raises(ConfigError, match=r"sep2\.default: opModNoSuch: is not known here"):
        async with server.serving(lambda _lfdi, _told: None):
            pass
