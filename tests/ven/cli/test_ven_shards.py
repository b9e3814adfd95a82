"""``openadr-ven shard``: real processes over a real NATS server; one is killed in mid-event, and no command is lost."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from openadr_ven.adapters.fleet_store import FleetStore
from openadr_ven.adapters.shards.engine import Engine, EngineAddress
from openadr_ven.adapters.shards.floor import ShardFloor
from openadr_ven.application.books import Floor
from openadr_ven.dispatch.cell import Cells
from openadr_ven.domain.held import Round
from openadr_ven.fleet.columns import Fleet
from openadr_ven.gateways.broker import HOST, free_port, running_broker
from tests.ven.application.world import World, a_fleet, an_ask, post, store_at
from tests.ven.cli.conftest import Ven

ROWS = 100
FLEET = a_fleet(600)
SECONDS = 14


@pytest.fixture
def engine_port() -> int:
    return free_port()


@pytest.fixture
def sharded(ven: Ven, engine_port: int) -> Ven:
    """An agent's folder with the world's fleet, and settings that name the engine."""
    FleetStore(ven.folder / "fleet.store").save(FLEET)
    with ven.config.open("a") as file:
        file.write(f'\n[shards]\nengine = "nats://{HOST}:{engine_port}"\ncell_rows = {ROWS}\n')
    return ven


@asynccontextmanager
async def a_shard(config: Path, number: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of two, once it is ready."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "openadr_ven", "shard", "--config", str(config), "--number", str(number), "--of", "2",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        said = b""
        while b"shard ready" not in said:
            said = await asyncio.wait_for(child.stdout.readline(), 60)
            assert said, "it ended before it was ready"
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), 30)


async def an_evening(
    folder: Path, now: datetime, floor: Callable[[Fleet], Floor], each: Callable[[int], None] = lambda _: None
) -> tuple[list[Round], int]:
    """The rounds of an event's first seconds, and how many commands gateways have taken."""
    store = await store_at(await asyncio.to_thread(_made, folder))
    world = World(store, now, fleet=FLEET, floor=floor)
    await world.start()
    await world.second(12)
    post(world, an_ask(world))
    for second in range(SECONDS):
        each(second)
        await world.second()
    await store.close()
    return world.ledger.rounds, len(world.broker.receipts)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_a_shard_killed_in_mid_event_takes_no_command_with_it(
    sharded: Ven, engine_port: int, tmp_path: Path, now: datetime
) -> None:
    here = await an_evening(tmp_path / "here", now, lambda fleet: Cells(fleet, ROWS))
    sha256 = FleetStore(sharded.folder / "fleet.store").current().sha256
    async with (
        running_broker(tmp_path / "broker", engine_port=engine_port),
        a_shard(sharded.config, 1) as first,
        a_shard(sharded.config, 2) as second,
    ):
        engine = Engine(EngineAddress(url=f"nats://{HOST}:{engine_port}", fleet="fleet"), timeout_s=10.0)
        async with asyncio.timeout(20):
            while engine([(0, b"anybody?")]) == [None]:  # noqa: ASYNC110  # the engine connects in a thread of its own
                await asyncio.sleep(0.05)
        talked, answered, left = [0], [], [-1]

        def exchange(messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
            talked[0] += 1
            if left[0] == talked[0]:
                second.kill()  # between two questions of one round
            return engine(messages)

        floor = ShardFloor(FLEET, exchange, fleet_sha256=sha256, cell_rows=ROWS)

        def each(passed: int) -> None:
            answered.append(floor.answered)
            if passed == SECONDS // 2:
                left[0] = talked[0] + 6

        away = await an_evening(tmp_path / "away", now, lambda _: floor, each)
        engine.close()
        assert await asyncio.wait_for(second.wait(), 10) == -9
        assert first.returncode is None
    rounds, taken = away
    assert len(rounds) >= 2
    assert rounds == here[0], "every round as one process makes it, to the bit"
    assert taken == here[1]
    middle, last = answered[SECONDS // 2], answered[-1]
    assert 0 < last - middle < middle, "the other shard goes on"


async def test_nobody_there_is_no_hindrance(tmp_path: Path, now: datetime) -> None:
    """Without any engine the agent computes everything by itself, and waits for nobody."""
    engine = Engine(EngineAddress(url=f"nats://{HOST}:{free_port()}", fleet="fleet"), timeout_s=10.0)
    assert engine([(0, b"anybody?")]) == [None]
    floor = ShardFloor(FLEET, engine, fleet_sha256="f", cell_rows=ROWS)
    here, away = [
        await an_evening(tmp_path / name, now, chosen)
        for name, chosen in (("here", lambda fleet: Cells(fleet, ROWS)), ("away", lambda _: floor))
    ]
    engine.close()
    assert away == here
    assert floor.answered == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--number", "1", "--of", "2"), "shards: the settings have no such table"),
        (("--number", "3", "--of", "2"), "there are 2 shards"),
        (("--number", "0", "--of", "2"), "shards are counted from 1"),
    ],
)
def test_what_is_wrong_is_named(ven: Ven, options: tuple[str, ...], says: str) -> None:
    _, error = ven.run("shard", *options, status=2)
    assert says in error


def test_more_shards_than_cells_are_too_many(sharded: Ven) -> None:
    _, error = sharded.run("shard", "--number", "1", "--of", "500", status=2)
    assert "this shard none of them" in error


def test_rights_are_printed_as_the_server_reads_them(sharded: Ven) -> None:
    sharded.change("^cell_rows", 'username = "somebody"\ncell_rows')
    printed = [
        json.loads(sharded.run("shard", "--number", str(number), "--of", "2", "--rights")[0]) for number in range(3)
    ]
    assert printed[0] == {
        "publish": ["der.shard.fleet.*", "der.carry.fleet.*"],
        "subscribe": ["der.heard.fleet.*", "der.alive.fleet.*", "_INBOX_somebody.>"],
        "allow_responses": True,
    }
    one, other = (set(one["publish"]) for one in printed[1:])
    assert not one & other, "each of its own parcels"
    assert {name.split(".")[1] for name in one | other} == {"heard", "alive"}
