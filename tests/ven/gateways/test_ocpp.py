"""OCPP against the charge-point side of the ``ocpp`` package, over TLS: let in, measured, told, let go."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.messages import Call, validate_payload

from openadr_core.errors import ConfigError
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Order, Outcome, Reading
from openadr_ven.gateways.ocpp.central import CentralSystem, StationAccess
from openadr_ven.gateways.ocpp.metering import measured, power_w
from openadr_ven.gateways.ocpp.profiles import RateUnit, Version, profile_of, release_of
from tests.core.shell.lab import Lab
from tests.ven.gateways.charge_points import PACKAGES, basic, connected

PASSWORD = "sixteen random characters"  # noqa: S105
DIGEST = hashlib.sha256(PASSWORD.encode()).hexdigest()
DEVICE = "charger-17"
WAIT_S = 10.0
VERSIONS = pytest.mark.parametrize("version", list(Version), ids=[one.value for one in Version])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


def fingerprint(chain: Chain) -> str:
    certificate = x509.load_pem_x509_certificates(chain.certificate.read_bytes())[0]
    return certificate.fingerprint(hashes.SHA256()).hex()


class Running:
    """A central system, and what it heard."""

    def __init__(self, central: CentralSystem, tls: ssl.SSLContext) -> None:
        self.central, self.tls = central, tls
        self.readings: list[Reading] = []

    def hear(self, readings: Sequence[Reading]) -> None:
        self.readings += readings

    async def tell(self, order: Order) -> Reason:
        (outcome,) = [one async for one in self.central.tell([order])]
        assert isinstance(outcome, Outcome)
        return outcome.reason

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if holds():
                    return
                await asyncio.sleep(0.02)

    async def known(self, *, watts: float) -> None:
        await self.until(lambda: self.readings and abs(self.readings[-1].power_w - watts) < 1.0)


@asynccontextmanager
async def serving(
    lab: Lab,
    *,
    client: Chain | None = None,
    password_sha256: str = "",
    certificate_sha256: str = "",
    greet_after_s: float = 2.0,
) -> AsyncIterator[Running]:
    def access(device: str) -> StationAccess:
        return StationAccess(evses={1: device}, password_sha256=password_sha256, certificate_sha256=certificate_sha256)

    central = CentralSystem(
        {"CP-1": access(DEVICE), "CP-2": access("other")},
        host="127.0.0.1",
        port=0,
        tls=server_context("ocpp", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")], "optional"),
        stack_level=1,
        now=lambda: datetime.now(UTC),
        greet_after_s=greet_after_s,
    )
    running = Running(central, client_context("oadr3", client, [lab.trust("ecc")]))
    task = asyncio.create_task(central.run(running.hear))
    try:
        await running.until(lambda: central.port)
        yield running
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def order(mode: Mode, watts: float = 0.0, *, lasts_s: float = 30.0, export_max_w: float = 0.0) -> Order:
    return Order(
        device_id=DEVICE, mode=mode, setpoint_w=watts, until=datetime.now(UTC) + timedelta(seconds=lasts_s),
        import_max_w=7_200.0, export_max_w=export_max_w,
    )  # fmt: skip


@pytest.mark.openadr3("U14")
@VERSIONS
async def test_a_station_is_let_in_measured_told_and_let_go(lab: Lab, version: Version) -> None:
    async with serving(lab, password_sha256=DIGEST) as running:
        async with connected(version, running.central.port, running.tls, password=PASSWORD) as station:
            assert (await station.boot()).status == "Accepted"
            await station.status("Available")
            await running.known(watts=0.0)
            assert not running.readings[-1].plugged
            await station.begin()
            await station.measure()
            await running.known(watts=7_200.0)
            assert running.readings[-1].plugged
            assert running.readings[-1].soc == pytest.approx(0.4)
            assert await running.tell(order(Mode.SHED)) is Reason.NONE
            assert station.profile["charging_profile_purpose"] == "TxProfile"
            assert str(station.profile["transaction_id"]) == str(station.transaction)
            await station.measure()
            await running.known(watts=0.0)
            assert await running.tell(order(Mode.LOAD_UP)) is Reason.NONE
            assert station.power_w == 7_200.0
            assert await running.tell(order(Mode.RELEASE)) is Reason.NONE
            assert station.profile is None
            assert await running.tell(order(Mode.RELEASE)) is Reason.NONE, "there was none any more"
        await running.until(lambda: not running.readings[-1].online)
        assert await running.tell(order(Mode.SHED)) is Reason.UNREACHABLE


@VERSIONS
async def test_what_a_station_is_told_ends_by_itself(lab: Lab, version: Version) -> None:
    async with (
        serving(lab, password_sha256=DIGEST) as running,
        connected(version, running.central.port, running.tls, password=PASSWORD) as station,
    ):
        await running.tell(order(Mode.SHED, lasts_s=0.3))
        assert station.power_w == 0.0
        assert station.profile["charging_profile_purpose"] == "TxDefaultProfile", "no transaction is under way"
        await running.until(lambda: station.power_w == 7_200.0)


@VERSIONS
@pytest.mark.parametrize(("answer", "reason"), [("Rejected", Reason.OUT_OF_RANGE)])
async def test_a_refusal_is_said(lab: Lab, version: Version, answer: str, reason: Reason) -> None:
    async with (
        serving(lab, password_sha256=DIGEST) as running,
        connected(version, running.central.port, running.tls, password=PASSWORD) as station,
    ):
        station.answer = answer
        assert await running.tell(order(Mode.SHED)) is reason


async def test_a_vehicle_feeds_in_2_1_and_in_no_older_version(lab: Lab) -> None:
    discharge = order(Mode.SETPOINT, -5_000.0, export_max_w=7_200.0)
    async with serving(lab, password_sha256=DIGEST) as running:
        async with connected(Version.V201, running.central.port, running.tls, password=PASSWORD) as station:
            assert await running.tell(discharge) is Reason.OUT_OF_RANGE
            assert station.told == 0
        async with connected(Version.V21, running.central.port, running.tls, password=PASSWORD) as station:
            await station.begin()
            assert await running.tell(discharge) is Reason.NONE
            period = station.profile["charging_schedule"][0]["charging_schedule_period"][0]
            assert period == {"start_period": 0, "operation_mode": "CentralSetpoint", "setpoint": -5000.0}
            await station.measure()
            await running.known(watts=-5_000.0)


@VERSIONS
async def test_a_station_is_asked_for_its_unit_and_to_measure(lab: Lab, version: Version) -> None:
    async with (
        serving(lab, password_sha256=DIGEST, greet_after_s=0.0) as running,
        connected(version, running.central.port, running.tls, password=PASSWORD) as station,
    ):
        station.knows_watts = False
        await running.until(lambda: len(station.configured) == 2)
        assert set(station.configured.values()) >= {"10"}
        assert await running.tell(order(Mode.SETPOINT, 3_450.0)) is Reason.NONE
        schedule = station.profile["charging_schedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        assert schedule["charging_rate_unit"] == "A"
        assert schedule["charging_schedule_period"][0] == {"start_period": 0, "limit": 5.0, "number_phases": 3}


@VERSIONS
async def test_what_is_no_message_harms_nobody(lab: Lab, version: Version) -> None:
    async with (
        serving(lab, password_sha256=DIGEST) as running,
        connected(version, running.central.port, running.tls, password=PASSWORD) as station,
    ):
        for text in (
            "",
            "{",
            "5",
            "[]",
            "[2]",
            '[2,"1","Heartbeat",5]',
            '[3,"1",{}]',
            '[9,"1",{}]',
            "null",
            "[" * 5_000,
        ):
            await station.wire.socket.send_str(text)
        await station.status("Available")
        assert running.readings[-1].online
        await station.wire.socket.send_str('[2,"last","NoSuchAction",{}]')
        answers = [one async for one in _answers_to(station, "last")]
        assert answers[0][0] == 4


async def _answers_to(station: object, number: str) -> AsyncIterator[list[object]]:
    # What answers a call that the package did not make stays in its queue.
    queue = station._response_queue  # type: ignore[attr-defined]
    async with asyncio.timeout(WAIT_S):
        while (answer := await queue.get()).unique_id != number:
            pass
    yield json.loads(answer.to_json())


async def test_one_connection_is_one_station(lab: Lab) -> None:
    async with serving(lab, password_sha256=DIGEST) as running:
        port = running.central.port
        async with connected(Version.V16, port, running.tls, password=PASSWORD) as old:
            await old.status("Available")
            async with connected(Version.V201, port, running.tls, password=PASSWORD) as new:
                await running.until(lambda: old.wire.socket.closed)
                assert await running.tell(order(Mode.SHED)) is Reason.NONE
                assert (old.told, new.told) == (0, 1)
                assert running.readings[-1].online, "the old connection's end says nothing of the new one"


@pytest.mark.parametrize(
    ("identity", "password"),
    [("CP-1", "wrong"), ("CP-1", ""), ("CP-1", None), ("CP-9", PASSWORD)],
    ids=["wrong", "empty", "none", "stranger"],
)
async def test_strangers_are_refused_alike(lab: Lab, identity: str, password: str | None) -> None:
    async with serving(lab, password_sha256=DIGEST) as running:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(Version.V16, running.central.port, running.tls, identity=identity, password=password):
                pass
        assert refused.value.status == 401
        assert not running.central.connected


async def test_another_stations_password_does_not_do(lab: Lab) -> None:
    async with serving(lab, password_sha256=DIGEST) as running, aiohttp.ClientSession() as client:
        url = f"wss://localhost:{running.central.port}/CP-1"
        auth = basic("CP-2", PASSWORD)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect(url, ssl=running.tls, headers=auth, protocols=["ocpp1.6"])


async def test_a_version_that_nobody_speaks_is_refused(lab: Lab) -> None:
    async with serving(lab, password_sha256=DIGEST) as running, aiohttp.ClientSession() as client:
        url, auth = f"wss://localhost:{running.central.port}/CP-1", basic("CP-1", PASSWORD)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(url, ssl=running.tls, headers=auth, protocols=["ocpp1.5"])
        assert refused.value.status == 400
        socket = await client.ws_connect(url, ssl=running.tls, headers=auth, protocols=["ocpp1.6", "ocpp2.1"])
        assert socket.protocol == "ocpp2.1"
        await socket.close()


async def test_security_profile_3_is_the_certificate(lab: Lab) -> None:
    mine, another = lab.chain("openadr-ecc-ven", "cp-1"), lab.chain("openadr-ecc-ven", "cp-2")
    async with serving(lab, client=mine, certificate_sha256=fingerprint(mine)) as running:
        async with connected(Version.V201, running.central.port, running.tls) as station:
            await station.status("Available")
        for chain in (another, None):
            tls = client_context("oadr3", chain, [lab.trust("ecc")])
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with connected(Version.V201, running.central.port, tls):
                    pass
            assert refused.value.status == 401


async def test_where_both_are_set_both_are_wanted(lab: Lab) -> None:
    mine = lab.chain("openadr-ecc-ven", "cp-1")
    digest = fingerprint(mine)
    async with serving(lab, client=mine, certificate_sha256=digest, password_sha256=DIGEST) as running:
        async with connected(Version.V21, running.central.port, running.tls, password=PASSWORD) as station:
            await station.status("Available")
        with_password_alone = client_context("oadr3", None, [lab.trust("ecc")])
        for tls, password in ((running.tls, None), (with_password_alone, PASSWORD)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with connected(Version.V21, running.central.port, tls, password=password):
                    pass
            assert refused.value.status == 401


async def test_there_is_no_profile_without_tls(lab: Lab) -> None:
    """Security profiles 0 and 1 are plain WebSocket."""
    async with serving(lab, password_sha256=DIGEST) as running, aiohttp.ClientSession() as client:
        plain = f"ws://localhost:{running.central.port}/CP-1"
        with pytest.raises(aiohttp.ClientError):
            await client.ws_connect(plain, headers=basic("CP-1", PASSWORD), protocols=["ocpp1.6"])
        assert not running.central.connected


def test_a_device_stands_at_one_place(lab: Lab) -> None:
    tls = server_context("ocpp", [lab.chain("openadr-ecc-vtn")], [], "none")
    stations = {name: StationAccess(evses={1: DEVICE}, password_sha256=DIGEST) for name in ("CP-1", "CP-2")}
    with pytest.raises(ConfigError, match="two places"):
        CentralSystem(stations, host="127.0.0.1", port=0, tls=tls, stack_level=1, now=lambda: datetime.now(UTC))


# -- the pure parts ------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("mode", [Mode.SHED, Mode.LOAD_UP, Mode.SETPOINT])
@pytest.mark.parametrize("transaction", [None, 7])
@pytest.mark.parametrize("amperes", [False, True])
async def test_profiles_are_what_the_schemas_want(
    version: Version, mode: Mode, transaction: int | None, amperes: bool
) -> None:
    told = transaction if transaction is None or version is Version.V16 else str(transaction)
    arguments = profile_of(
        order(mode, 4_000.0, export_max_w=7_200.0), version=version, evse=1, transaction=told,
        unit=RateUnit(in_amperes=amperes), stack_level=1, now=datetime.now(UTC),
    )  # fmt: skip
    assert isinstance(arguments, dict)
    package = PACKAGES[version]
    for action, found in (("SetChargingProfile", arguments), ("ClearChargingProfile", release_of(version, 1))):
        payload = _camel(getattr(package.call, action)(**found))
        await validate_payload(Call("1", action, payload), package.ChargePoint._ocpp_version)


def _camel(payload: object) -> dict[str, object]:
    found = snake_to_camel_case(remove_nones(serialize_as_dict(payload)))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("watts", [0.0, 1.0, 1_379.0, 1_380.0, 7_199.9])
def test_a_limit_in_amperes_is_never_above_what_was_asked(watts: float) -> None:
    unit = RateUnit(in_amperes=True, volts=230.0, phases=3)
    assert 0.0 <= watts - unit.limit(watts) * 230.0 * 3 < 0.1 * 230.0 * 3 + 1e-6


NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


def value(*samples: dict[str, object], at: datetime = NOW) -> list[dict[str, object]]:
    return [{"timestamp": at.isoformat(), "sampled_value": list(samples)}]


@pytest.mark.parametrize(
    ("samples", "watts"),
    [
        ([{"value": "7.2", "measurand": "Power.Active.Import", "unit": "kW"}], 7_200.0),
        ([{"value": 7, "measurand": "Power.Active.Import", "unit_of_measure": {"multiplier": 3}}], 7_000.0),
        ([{"value": 5, "measurand": "Power.Active.Import"}], 5.0),
        ([{"value": "1e3", "measurand": "Power.Active.Import", "phase": f"L{n}"} for n in (1, 2, 3)], 3_000.0),
        (
            [
                {"value": "900", "measurand": "Power.Active.Import", "phase": "L1-N"},
                {"value": "2600", "measurand": "Power.Active.Import"},
            ],
            2_600.0,
        ),
        ([{"value": "4000", "measurand": "Power.Active.Export", "unit": "W"}], -4_000.0),
        ([{"value": "soon", "measurand": "Power.Active.Import"}], None),
        ([{"value": "nan", "measurand": "Power.Active.Import"}], None),
        ([{"value": "1e400", "measurand": "Power.Active.Import"}], None),
        ([{"value": "AbCd", "measurand": "Power.Active.Import", "format": "SignedData"}], None),
        ([{"value": "7", "measurand": "Power.Active.Import", "unit": "hp"}], None),
        ([{"value": "7", "measurand": "Power.Active.Import", "unit_of_measure": {"multiplier": 999_999}}], None),
    ],
)  # fmt: skip
def test_power_is_read_in_every_way_that_it_is_told(samples: list[dict[str, object]], watts: float | None) -> None:
    found = measured(value(*samples), NOW)
    assert found is not None
    assert found.power_w == (None if watts is None else pytest.approx(watts))


def test_a_meter_that_only_counts_energy_tells_power_from_the_second_reading_on() -> None:
    first = measured(value({"value": "1000"}), NOW)
    second = measured(value({"value": "1.02", "unit": "kWh"}, at=NOW + timedelta(seconds=10)), NOW)
    assert first is not None
    assert second is not None
    assert power_w(first, None) is None
    assert power_w(second, first) == pytest.approx(7_200.0)
    assert power_w(replace(second, at=first.at), first) is None


def test_what_was_measured_while_offline_says_nothing_of_now() -> None:
    old = NOW - timedelta(minutes=10)
    assert measured(value({"value": "5", "measurand": "Power.Active.Import"}, at=old), NOW) is None
    assert measured([{"timestamp": "yesterday", "sampled_value": []}], NOW) is None
    assert measured([{"timestamp": "2026-07-15T18:30:00", "sampled_value": []}], NOW) is None
