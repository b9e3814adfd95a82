"""A price for each feeder: what an edge makes of it is what the agent has told, to the bit, over a real broker too."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from openadr_core.errors import ConfigError, MalformedMessage
from openadr_ven.bootstrap.price_keys import signing_key, verifying_key
from openadr_ven.dispatch.bulletin import FOLLOWED, Bulletin, Following, bulletins, told
from openadr_ven.dispatch.cell import Cells
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.plan import Plan, plan_over
from openadr_ven.fleet.columns import Direction, Mode
from openadr_ven.gateways.broker import HOST, running_broker
from openadr_ven.gateways.bulletin import price_topic, read, write
from openadr_ven.gateways.contract import (
    CommandFrame,
    GatewayState,
    Report,
    StatusFrame,
    TelemetryFlag,
    TelemetryFrame,
    telemetry_rows,
)
from openadr_ven.gateways.edge.follower import Follower
from openadr_ven.gateways.edge.link import GatewayLink
from openadr_ven.gateways.edge.prices import PriceEar
from openadr_ven.gateways.mqtt import BrokerAddress, MqttGateways
from tests.mosquitto import MOSQUITTO, running_mosquitto
from tests.ven.application.conftest import store  # noqa: F401  # a fixture of the world's
from tests.ven.application.world import FailingStore, World, a_fleet, an_ask, post
from tests.ven.dispatch import several

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SHA = "f" * 64
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
FLEET = several.a_fleet(2_000, substation_w=1.2e6, quota_w=3e5)
STATE = several.evening(FLEET)
STATE = replace(STATE, soc=STATE.soc.astype(np.float32).astype(np.float64))
BASELINE_W = STATE.power_w.astype(np.float32).astype(np.float64)


def planned(policy: str, fraction: float, *, rows: int = 300) -> tuple[Plan, Following]:
    state = replace(STATE, power_w=BASELINE_W)
    cells = Cells(FLEET, rows)
    sights = several.sights_of(FLEET, state, cells.parts, policy)
    market = Market(cells.open(sights), len(sights), quota_w=FLEET.vendor_limit_w)
    plan = plan_over(market, FLEET, BASELINE_W, fraction * market.most_w, direction=Direction.RELIEF, uniform=0.3)
    holds, surcharge = market.following(cells.parts)
    return plan, Following(
        price=plan.price, direction=Direction.RELIEF, policy=policy, outlook=several.OUTLOOK, holds=holds,
        surcharge=surcharge,
    )  # fmt: skip


def announced(plan: Plan, following: Following) -> list[Bulletin]:
    at = dict.fromkeys(FLEET.gateway_names, NOW)
    return list(bulletins(
        FLEET, following, plan.mode == Mode.SETPOINT, BASELINE_W, at, fleet_sha256=SHA, event_id="e", event_version=2,
        sequence=7, issued_at=NOW, ends_at=NOW + timedelta(seconds=30),
    ))  # fmt: skip


@pytest.mark.parametrize("fraction", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("policy", sorted(FOLLOWED))
def test_each_device_alone_computes_what_the_agent_has_planned_for_it(policy: str, fraction: float) -> None:
    """λ-broadcast: transformers, feeders, substations, quotas and all, to the bit, whatever is looked at together."""
    plan, following = planned(policy, fraction)
    assert following.holds.size, "the network must matter, or this shows nothing"
    seen = 0
    for one in announced(plan, following):
        rows = one.first_row + np.flatnonzero(one.follows)
        for some in (rows, *np.array_split(rows, min(rows.size, 40))):
            relief_w = told(one.following, FLEET.take(some), STATE.take(some), BASELINE_W[some], some)
            assert relief_w.tobytes() == plan.relief_w[some].tobytes()
        seen += rows.size
    assert seen == (plan.mode == Mode.SETPOINT).sum()
    assert seen > 20


def test_surcharges_of_vendors_are_told() -> None:
    _, following = planned("proportional", 0.95)
    assert following.surcharge.any()


def test_what_is_signed_arrives_and_nothing_else_does() -> None:
    (one, *_) = announced(*planned("endurance", 0.6))
    data = write(one, KEY)
    again = read(data, KEY.public_key())
    assert again.following.holds.tobytes() == one.following.holds.tobytes()
    assert (again.following.price, again.following.outlook) == (one.following.price, one.following.outlook)
    assert (again.measured_at, again.ends_at, again.sequence) == (one.measured_at, one.ends_at, one.sequence)
    assert again.baseline_w.tobytes() == one.baseline_w.tobytes()
    other = Ed25519PrivateKey.generate().public_key()
    for wrong, key in ((data, other), (data[:-1], KEY.public_key()), (b"", KEY.public_key()), (
        data[:70] + b"\x00" + data[71:], KEY.public_key())):  # fmt: skip
        with pytest.raises(MalformedMessage):
            read(wrong, key)


@pytest.mark.parametrize("policy", ["rotation", "theft"])
def test_a_policy_that_needs_the_fleet_is_refused(policy: str) -> None:
    (one, *_) = announced(*planned("endurance", 0.6))
    with pytest.raises(MalformedMessage, match="nobody can follow"):
        read(write(replace(one, following=replace(one.following, policy=policy)), KEY), KEY.public_key())


class TestTheAgent:
    """The agent's own event: each gateway follows its price from what it has measured itself."""

    @pytest.fixture
    async def world(self, store: FailingStore, now: datetime) -> World:  # noqa: F811
        world = World(store, now, fleet=a_fleet(240))
        world.tells_prices = True
        return world

    async def test_frames_of_edges_are_the_agents_own(self, world: World) -> None:
        names = [world.fleet.gateway_names[code] for code in np.unique(world.fleet.gateway).tolist()]
        followers = {name: Follower(world.fleet, name, fleet_sha256="") for name in names}
        heard = world.town.tick

        def tick(now: datetime) -> list[Report]:
            reports = list(heard(now))
            for report in reports:
                if isinstance(report, TelemetryFrame):
                    followers[report.gateway].measured(report)
            return reports

        world.town.tick = tick  # type: ignore[method-assign]
        await world.start()
        await world.second(15)
        post(world, an_ask(world))
        compared = 0
        for _ in range(12):
            world.broker.bulletins.clear()
            before = len(world.broker.receipts)
            await world.second()
            sent = [receipt.frame for receipt in world.broker.receipts[before:]]
            compared += sum(map(self.compare, sent, [followers] * len(sent), [world] * len(sent)))
        assert compared > 50

    @staticmethod
    def compare(sent: CommandFrame, followers: dict[str, Follower], world: World) -> int:
        told_w = {slot: watts for slot, mode, _, watts in sent.rows.tolist() if mode == Mode.SETPOINT}
        made: dict[int, float] = {}
        for one in world.broker.bulletins:
            frame = followers[sent.gateway].frame(one, world.now)
            if frame is not None:
                assert (frame.command_id, frame.end) == (sent.command_id, sent.end)
                made |= {slot: watts for slot, _, _, watts in frame.rows.tolist()}
        assert made == told_w, "to the bit: four bytes a device"
        return len(made)


class TestFollower:
    gateway = FLEET.gateway_names[0]
    follower = Follower(FLEET, gateway, fleet_sha256=SHA)

    @pytest.fixture
    def bulletin(self) -> Bulletin:
        found = announced(*planned("endurance", 0.6))
        mine = (one for one in found if self.gateway in one.measured_at)
        return next(mine)

    def measure(self, follower: Follower, at: datetime = NOW) -> None:
        follower.measured(sample(self.gateway, at))

    def test_other_samples_other_fleets_and_what_is_over_say_nothing(self, bulletin: Bulletin) -> None:
        follower = Follower(FLEET, self.gateway, fleet_sha256=SHA)
        assert follower.frame(bulletin, NOW) is None, "nothing measured yet"
        self.measure(follower, NOW - timedelta(seconds=1))
        assert follower.frame(bulletin, NOW) is None, "another sample"
        self.measure(follower)
        assert follower.frame(bulletin, NOW) is not None
        assert follower.frame(bulletin, bulletin.ends_at) is None
        assert follower.frame(replace(bulletin, fleet_sha256="0" * 64), NOW) is None
        nobody = replace(bulletin, follows=bulletin.follows & False, baseline_w=bulletin.baseline_w[:0])
        assert follower.frame(nobody, NOW) is None


def sample(gateway: str, at: datetime) -> TelemetryFrame:
    rows = np.flatnonzero(FLEET.gateway == FLEET.gateway_names.index(gateway))
    rows = rows[np.argsort(FLEET.slot[rows])]
    flags = np.where(STATE.plugged[rows], int(TelemetryFlag.PLUGGED), 0) | int(TelemetryFlag.ONLINE)
    return TelemetryFrame(
        gateway=gateway, telemetry_sequence=1, measured_at=at, command_sequence=0,
        rows=telemetry_rows(FLEET.slot[rows], STATE.power_w[rows], STATE.soc[rows], STATE.temperature_c[rows], flags),
    )  # fmt: skip


@pytest.fixture(
    params=[
        "nats-server",
        pytest.param(
            "mosquitto", marks=pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here")
        ),
    ]
)
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[int]:
    async with running_broker(tmp_path) if request.param == "nats-server" else running_mosquitto(tmp_path) as port:
        yield port


async def test_over_a_real_broker_the_price_alone_commands(port: int) -> None:
    """No frame is sent: what the gateway does comes from its feeders' bulletins, which the broker keeps."""
    plan, following = planned("endurance", 0.6)
    gateway, now = FLEET.gateway_names[0], datetime.now(UTC)
    rows = np.flatnonzero((FLEET.gateway == 0) & (plan.mode == Mode.SETPOINT))
    want = dict(zip(FLEET.slot[rows].tolist(), plan.setpoint_w[rows].tolist(), strict=True))
    told_all = list(bulletins(
        FLEET, following, plan.mode == Mode.SETPOINT, BASELINE_W, dict.fromkeys(FLEET.gateway_names, now),
        fleet_sha256=SHA, event_id="e", event_version=2, sequence=7, issued_at=now,
        ends_at=now + timedelta(seconds=60),
    ))  # fmt: skip
    ear = PriceEar(
        Follower(FLEET, gateway, fleet_sha256=SHA), KEY.public_key(), fleet_name="fleet", now=lambda: now
    )  # fmt: skip
    made: dict[int, float] = {}
    whole = asyncio.Event()

    def on_command(frame: CommandFrame) -> list[Report]:
        made.update({slot: watts for slot, _, _, watts in frame.rows.tolist()})
        if len(made) >= len(want):
            whole.set()
        return []

    address = BrokerAddress(host=HOST, port=port, fleet="fleet", client_id="ven")
    gateways = MqttGateways(address, rng=random.Random(1), price_key=KEY)
    link = GatewayLink(
        address, gateway, on_command=on_command, status=lambda _: status_of(gateway, now), rng=random.Random(2),
        prices=ear,
    )  # fmt: skip
    link.post(sample(gateway, now))
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(30):
        while not whole.is_set():
            # Each round tells it again; nats-server lets what it keeps slip past a subscription made at that moment.
            await gateways.announce(told_all)
            with suppress(TimeoutError):
                await asyncio.wait_for(whole.wait(), 0.5)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert made == want, "to the bit"


def status_of(gateway: str, now: datetime) -> StatusFrame:
    return StatusFrame(gateway=gateway, at=now, state=GatewayState.ONLINE, slot_count=1, command_sequence=0)


class TestKeys:
    @pytest.fixture
    def pair(self, tmp_path: Path) -> tuple[Path, Path]:
        private, public = tmp_path / "price.key", tmp_path / "price.pub"
        private.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return private, public

    def test_they_belong_together(self, pair: tuple[Path, Path]) -> None:
        key = signing_key(pair[0])
        assert key is not None
        verifying_key(pair[1]).verify(key.sign(b"x"), b"x")
        assert signing_key(None) is None

    def test_what_is_no_key_is_named(self, pair: tuple[Path, Path]) -> None:
        with pytest.raises(ConfigError, match=r"gateways\.price_key"):
            signing_key(pair[1])
        with pytest.raises(ConfigError, match=r"broker\.price_key"):
            verifying_key(pair[0])


def test_a_feeders_name_need_be_no_topic_level() -> None:
    assert price_topic("fleet", "Feeder #1/a+b") == price_topic("fleet", "Feeder #1/a+b")
    assert "+" not in price_topic("fleet", "Feeder #1/a+b")
