"""The agent's console over a real socket: who may see it, what it says, and what machines are told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from yarl import URL

from openadr_ven.console.metrics import AgentMetrics
from openadr_ven.console.server import PROGRAM, STALE, Console
from openadr_ven.console.view import Link
from openadr_ven.domain.shard_stand import ShardStand
from openadr_ven.settings import ConsoleSettings
from tests.ven.application.world import FailingStore, World, an_ask, post, store_at

PAGES = ("/", "/events/event-1")
DATA = ("/data/now.json", "/data/fleet.json", "/data/events/event-1.json")

LINK = Link(
    protocol="OpenADR 2.0b",
    vtn="https://vtn.example",
    pushed_at="https://ven.example/ven/",
    fingerprint="1F:2A",
    certificate_ends_at=datetime(2028, 1, 1, tzinfo=UTC),
)

SHARD = ShardStand(
    number=1, of=2, parcels=(0,), gateways=(range(1),), rows=30, since=datetime(2026, 7, 1, tzinfo=UTC), silent_s=0.26,
    is_alive=True, sequence=7, lag_s=0.0123,
)  # fmt: skip
NOBODY = ShardStand(
    number=None, of=None, parcels=(1,), gateways=(range(1, 2),), rows=30, since=None, silent_s=9.0, is_alive=False,
    sequence=0, lag_s=None,
)  # fmt: skip


@pytest.fixture
async def world(tmp_path: Path, now: datetime) -> AsyncIterator[World]:
    """In the middle of an event."""
    store = await store_at(tmp_path)
    world = World(store, now)
    await world.start()
    await world.second(12)
    post(world, an_ask(world))
    await world.second(15)
    yield world
    await store.close()


async def started(world: World) -> Console:
    registry = CollectorRegistry()
    registry.register(AgentMetrics(world.running, lambda: [SHARD, NOBODY]))
    console = Console(
        settings=ConsoleSettings(port=0),
        agent=world.running,
        store=world.store,
        registry=registry,
        link=LINK,
        now=lambda: world.now,
        stands=lambda: [SHARD, NOBODY],
    )
    await console.start()
    return console


@pytest.fixture
async def console(world: World) -> AsyncIterator[Console]:
    console = await started(world)
    yield console
    await console.close()


@pytest.fixture
async def visitor() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address, as browsers take them
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


def base_of(console: Console) -> str:
    return console.entrance.split("/?")[0]


@pytest.mark.parametrize("path", [*PAGES, *DATA])
async def test_without_the_token_nothing_is_shown(console: Console, visitor: aiohttp.ClientSession, path: str) -> None:
    async with visitor.get(base_of(console) + path) as answer:
        assert answer.status == 401
        assert "vendor-" not in await answer.text()
    async with visitor.get(f"{base_of(console)}{path}?token=guessed") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("path", PAGES)
async def test_the_printed_address_opens_every_page(
    console: Console, visitor: aiohttp.ClientSession, path: str
) -> None:
    async with visitor.get(console.entrance) as answer:
        assert answer.status == 200
        assert "token" not in str(answer.url)  # it stays in no history
    async with visitor.get(base_of(console) + path) as answer:
        assert answer.status == 200
        assert "240 devices" in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_page_survives_the_process(world: World, visitor: aiohttp.ClientSession) -> None:
    first = await started(world)
    await (await visitor.get(first.entrance)).read()
    await first.close()
    second = await started(world)
    assert second.entrance.split("token=")[1] != first.entrance.split("token=")[1]
    async with visitor.get(base_of(second) + "/data/now.json") as answer:
        assert answer.status == 200
    await second.close()


async def test_a_forged_or_changed_session_opens_nothing(console: Console, visitor: aiohttp.ClientSession) -> None:
    await (await visitor.get(console.entrance)).read()
    (cookie,) = visitor.cookie_jar
    name, value = cookie.key, cookie.value
    assert name == PROGRAM.replace("-", "_") + "_session"
    ends, _, signature = value.partition(".")
    forgeries = [f"{int(ends) + 1}.{signature}", f"{ends}.", ".", "", "x.y", f"{ends}.{signature[::-1]}"]
    for forged in forgeries:
        async with aiohttp.ClientSession(cookies={name: forged}) as other, other.get(base_of(console) + "/") as answer:
            assert answer.status == 401


async def test_another_host_name_is_refused(console: Console, visitor: aiohttp.ClientSession) -> None:
    async with visitor.get(console.entrance, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403


async def test_the_data_is_what_the_agent_knows(world: World, console: Console, visitor: aiohttp.ClientSession) -> None:
    await (await visitor.get(console.entrance)).read()
    base = base_of(console)
    now = await (await visitor.get(base + "/data/now.json")).json()
    assert now["event"] == "event-1"
    assert now["asked_kw"] == 200.0
    assert now["delivered_kw"] == pytest.approx(200.0, rel=0.05)
    assert now["online"] == now["devices"] == 240
    assert sum(row["devices"] for row in now["commands"]) == int((world.running.control.commands.mode != 0).sum())
    assert [event["asks"] for event in now["events"]] == ["relief 200 kW"]
    assert now["notices"][0]["kind"] == "event received"
    assert now["trace"][-1][1] == 200.0
    fleet = await (await visitor.get(base + "/data/fleet.json")).json()
    assert {row["name"] for row in fleet["vendors"]} == {f"vendor-{n}" for n in range(4)}
    assert sum(row["devices"] for row in fleet["classes"]) == 240
    loadings = [row["loading"] for row in fleet["transformers"]]
    assert loadings == sorted(loadings, reverse=True)
    event = await (await visitor.get(base + "/data/events/event-1.json")).json()
    assert event["account"]["asked_kw"] == 200.0
    assert event["opts"][0]["type"] == "optIn"
    async with visitor.get(base + "/data/events/nothing.json") as answer:
        assert answer.status == 404


async def test_health_names_what_fails(world: World, console: Console, visitor: aiohttp.ClientSession) -> None:
    async with visitor.get(base_of(console) + "/health") as answer:
        assert answer.status == 200
        assert (await answer.json())["failing"] == []
    world.clock.advance(STALE.total_seconds() + 1)
    assert isinstance(world.store, FailingStore)
    world.store.failing = True
    async with visitor.get(base_of(console) + "/health") as answer:
        assert answer.status == 503
        assert (await answer.json())["failing"] == ["control round", "store"]


async def test_metrics_are_numbers_that_prometheus_reads(console: Console, visitor: aiohttp.ClientSession) -> None:
    async with visitor.get(base_of(console) + "/metrics") as answer:
        text = await answer.text()
    assert "ven_devices 240.0" in text
    assert 'ven_relief_watts{what="asked"} 200000.0' in text
    assert 'ven_commands{state="' in text


@pytest.mark.parametrize("asset", ["/shared/console.css", "/shared/chart.js", "/shared/page.js", "/assets/fleet.js"])
async def test_assets_are_there(console: Console, visitor: aiohttp.ClientSession, asset: str) -> None:
    async with visitor.get(base_of(console) + asset) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["/assets/../server.py", "/shared/..%2fgate.py", "/assets/%2e%2e/server.py"])
async def test_nothing_else_is_served(console: Console, visitor: aiohttp.ClientSession, path: str) -> None:

    async with visitor.get(URL(base_of(console) + path, encoded=True)) as answer:
        assert answer.status in {400, 401, 403, 404}


@pytest.mark.openadr20b("S4", "S5", "T12")
async def test_it_shows_how_the_vtn_reaches_us_and_by_which_certificate(
    console: Console, visitor: aiohttp.ClientSession
) -> None:
    async with visitor.get(console.entrance) as page:
        assert page.status == 200
    async with visitor.get(URL(console.entrance).with_path("/data/now.json").with_query({})) as answer:
        link = (await answer.json())["link"]
    assert link == {
        "protocol": "OpenADR 2.0b",
        "vtn": "https://vtn.example",
        "pushed_at": "https://ven.example/ven/",
        "fingerprint": "1F:2A",
        "certificate_ends_at": "2028-01-01T00:00:00+00:00",
    }


async def test_shards_are_shown_with_what_is_theirs_of_the_round(
    world: World, console: Console, visitor: aiohttp.ClientSession
) -> None:
    async with visitor.get(console.entrance):
        pass
    async with visitor.get(URL(console.entrance).with_path("/data/now.json").with_query(None)) as answer:
        shown = await answer.json()
    one, nobody = shown["shards"]
    assert (one["shard"], one["alive"], one["round"], one["lag_ms"]) == ("1 of 2", True, 7, 12)
    assert (nobody["shard"], nobody["alive"], nobody["silent_s"], nobody["lag_ms"]) == (None, False, 9.0, None)
    last = world.running.last
    assert last is not None
    assert last.plan is not None
    assert one["price"] == pytest.approx(last.plan.price, abs=1e-6)
    assert 0.0 < one["committed_kw"] <= one["asked_kw"] < shown["commanded_kw"] + 0.1
    async with visitor.get(URL(console.entrance).with_path("/metrics").with_query(None)) as answer:
        assert 'ven_shard_alive{shard="1"} 1.0' in await answer.text()
