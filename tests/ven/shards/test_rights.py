"""The engine as operators run it: TLS, a user for everybody, and rights that a shard cannot step over."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openadr_ven.adapters.shards.engine import (
    ALIVE,
    ASK,
    CARRY,
    HEARD,
    AgentLine,
    Engine,
    EngineAddress,
    connected,
    rights_of_agent,
    rights_of_shard,
)
from openadr_ven.adapters.shards.hands import Reply
from openadr_ven.gateways.broker import HOST, free_port, nats_server
from tests.core.shell.lab import Lab

CONFIGURATION = """\
listen: "{host}:{port}"
tls {{ cert_file: "{certificate}", key_file: "{key}" }}
authorization {{ users: [ {users} ] }}
"""
CELLS = {"shard-1": (0, 1), "shard-2": (2,)}
PARCELS = {"shard-1": (0,), "shard-2": (1,)}
WAIT_S = 5.0
NOTHING_S = 0.3


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture
async def address(tmp_path: Path, lab: Lab) -> AsyncIterator[EngineAddress]:
    """Where a server with these users listens, for nobody yet."""
    here = EngineAddress(
        url=f"tls://localhost:{free_port()}", fleet="fleet",
        tls=ssl.create_default_context(cafile=str(lab.trust("ecc"))),
    )  # fmt: skip
    async with server(tmp_path, here, lab):
        yield here


@asynccontextmanager
async def server(folder: Path, address: EngineAddress, lab: Lab) -> AsyncIterator[None]:
    chain = lab.chain("openadr-ecc-vtn")
    named = {name: replace(address, username=name) for name in ("agent", *CELLS)}
    given = {"agent": rights_of_agent(named["agent"])} | {
        name: rights_of_shard(named[name], cells=CELLS[name], parcels=PARCELS[name]) for name in CELLS
    }
    users = ",\n".join(
        f'{{ user: "{name}", password: "secret of {name}", permissions: {one.written()} }}'
        for name, one in given.items()
    )
    configuration = folder / "nats.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=HOST, port=address.url.rpartition(":")[2], certificate=chain.certificate, key=chain.key, users=users
        )
    )
    child = await asyncio.create_subprocess_exec(
        str(nats_server()), "--config", str(configuration), stderr=asyncio.subprocess.PIPE
    )
    assert child.stderr is not None
    try:
        async with asyncio.timeout(20):
            while b"Server is ready" not in await child.stderr.readline():
                assert child.returncode is None
        yield
    finally:
        child.terminate()
        await child.communicate()


def as_user(address: EngineAddress, name: str) -> EngineAddress:
    return replace(address, username=name, password=f"secret of {name}")


@asynccontextmanager
async def client_of(address: EngineAddress, name: str) -> AsyncIterator[Any]:
    client = await asyncio.wait_for(connected(as_user(address, name)), WAIT_S)
    try:
        yield client
    finally:
        await client.close()


async def answering(client: Any, subject: str) -> None:
    async def answer(message: Any) -> None:
        await message.respond(b"mine")

    await client.subscribe(subject, cb=answer)
    await client.flush()


async def test_a_shard_answers_for_its_own_cells_and_parcels_alone(address: EngineAddress) -> None:
    line, engine = AgentLine(as_user(address, "agent"), timeout_s=NOTHING_S), None
    heard: asyncio.Queue[tuple[str, int, bytes]] = asyncio.Queue()

    def hears(parcel: int, data: bytes, reply: Reply) -> None:
        heard.put_nowait(("heard", parcel, data))
        reply(b"stored")

    await line.listen(lambda parcel, data: heard.put_nowait(("alive", parcel, data)), hears)
    try:
        engine = Engine(as_user(address, "agent"), timeout_s=NOTHING_S)
        async with client_of(address, "shard-1") as first, client_of(address, "shard-2"), asyncio.timeout(4 * WAIT_S):
            for kind, numbers in ((ASK, range(3)), (CARRY, range(2))):
                for number in numbers:
                    await answering(first, address.subject(kind, number))
            asked = [(one, b"?") for one in range(3)]
            while (found := await asyncio.to_thread(engine, asked)) == [None] * 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the engine connects in a thread of its own
            assert found == [b"mine", b"mine", None]
            assert [await line.request(parcel, b"?") for parcel in range(2)] == [b"mine", None]

            for kind in (HEARD, ALIVE):
                await first.publish(address.subject(kind, 1), b"of another")
                await first.publish(address.subject(kind, 0), b"of mine")
            told = await first.request(address.subject(HEARD, 0), b"once more", timeout=WAIT_S)
            assert told.data == b"stored"
        said = [heard.get_nowait() for _ in range(heard.qsize())]
        assert ("heard", 0, b"of mine") in said
        assert ("alive", 0, b"of mine") in said
        assert {parcel for _, parcel, _ in said} == {0}, "the engine lets nobody speak of another's parcel"
    finally:
        await line.close()
        if engine is not None:
            await asyncio.to_thread(engine.close)


async def test_a_shard_neither_asks_nor_listens_to_what_is_said_to_others(address: EngineAddress) -> None:
    async with client_of(address, "shard-1") as first, client_of(address, "shard-2") as second:
        overheard: list[bytes] = []

        async def hear(message: Any) -> None:
            overheard.append(message.data)

        for subject in ("_INBOX_agent.>", "_INBOX_shard-2.>", "der.>", ">", "_INBOX.>"):
            await first.subscribe(subject, cb=hear)
        await first.flush()
        await answering(second, address.subject(ASK, 2))
        with pytest.raises(Exception, match="timeout"):
            await first.request(address.subject(ASK, 2), b"what do yours offer?", timeout=NOTHING_S)
        await first.publish("_INBOX_agent.answer", b"forged")
        async with client_of(address, "agent") as agent:
            answer = await agent.request(address.subject(ASK, 2), b"?", timeout=WAIT_S)
            assert answer.data == b"mine"
        assert overheard == []


@pytest.mark.parametrize("wrong", ["password", "nobody", "authority"])
async def test_who_is_not_whom_he_says_is_not_spoken_with(wrong: str, address: EngineAddress, lab: Lab) -> None:
    bad = {
        "password": replace(as_user(address, "shard-1"), password="guessed"),  # noqa: S106
        "nobody": replace(address, username=None, password=None),
        "authority": replace(
            as_user(address, "shard-1"), tls=ssl.create_default_context(cafile=str(lab.trust("rsa")))
        ),
    }[wrong]  # fmt: skip
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await connected(bad)
