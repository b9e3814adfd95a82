"""The engine between the agent and its shards: NATS, request and reply, a subject for each cell.

    der.shard.<fleet>.<cell>     the agent asks, and the shard that has the cell answers
    der.carry.<fleet>.<parcel>   the agent has commands carried (``hands.py``)
    der.heard.<fleet>.<parcel>   a shard tells what gateways said
    der.alive.<fleet>.<parcel>   a shard says that it has the parcel

A shard answers, and speaks of its own parcels: with a user of its own that may do nothing else (``rights``), the
engine holds it to that. It is the same server that gateways reach over MQTT. Who has no shards needs none of it: the
package ``nats-py`` (extra ``shards``) is loaded only here.
"""

import asyncio
import importlib
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from openadr_core.errors import ConfigError, RemoteProtocolError, Unreachable
from openadr_ven.adapters.shards.carrier import Carrier
from openadr_ven.adapters.shards.hands import Reply
from openadr_ven.adapters.shards.host import ShardHost
from openadr_ven.fleet.wire import Said, decode, encode

ASK, CARRY, HEARD, ALIVE = "shard", "carry", "heard", "alive"
CONNECT_WAIT_S = 5.0
ALIVE_EVERY_S = 0.5
TELL_WAIT_S = 5.0
"""The agent stores what it heard once a second."""
LOOK_S = 0.2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    url: str
    """``nats://host:port``, or ``tls://``."""
    fleet: str
    """The third name in every subject."""
    tls: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = None

    @property
    def inbox(self) -> str:
        """Where answers to what we asked come: to nobody else, if everybody has a user of his own."""
        return "_INBOX" if self.username is None else f"_INBOX_{self.username}"

    def subject(self, kind: str, number: int | str) -> str:
        return f"der.{kind}.{self.fleet}.{number}"


async def connected(address: EngineAddress) -> Any:  # nats-py's client
    """A connection that comes back by itself, once there is somebody who lets us in."""
    try:
        nats = importlib.import_module("nats")
    except ImportError:
        raise ConfigError("shards: the engine needs the package nats-py: install the extra 'shards'") from None

    async def complain(error: Exception) -> None:
        log.warning("engine", error=str(error) or type(error).__name__)

    more: dict[str, Any] = {"tls": address.tls} if address.tls is not None else {}
    if address.username is not None:
        more |= {"user": address.username, "password": address.password}
    return await nats.connect(
        address.url, error_cb=complain, max_reconnect_attempts=-1, reconnect_time_wait=0.5,
        allow_reconnect=True, connect_timeout=CONNECT_WAIT_S, inbox_prefix=address.inbox, **more,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the engine must let somebody do, and nothing besides: subjects of NATS."""

    publish: tuple[str, ...]
    """Besides: an answer to what was asked."""
    subscribe: tuple[str, ...]

    def written(self) -> str:
        """As a user's permissions in the configuration of nats-server."""
        return json.dumps({"publish": self.publish, "subscribe": self.subscribe, "allow_responses": True}, indent=2)


def rights_of_agent(address: EngineAddress) -> Rights:
    return Rights(
        publish=tuple(address.subject(kind, "*") for kind in (ASK, CARRY)),
        subscribe=(*(address.subject(kind, "*") for kind in (HEARD, ALIVE)), f"{address.inbox}.>"),
    )


def rights_of_shard(address: EngineAddress, *, cells: Iterable[int], parcels: Iterable[int]) -> Rights:
    """A shard's: its answers, and its own parcels."""
    numbers = tuple(parcels)
    return Rights(
        publish=tuple(address.subject(kind, one) for kind in (HEARD, ALIVE) for one in numbers),
        subscribe=(
            *(address.subject(ASK, one) for one in cells),
            *(address.subject(CARRY, one) for one in numbers),
            f"{address.inbox}.>",
        ),
    )


async def serve(
    address: EngineAddress,
    host: ShardHost,
    cells: Sequence[int],
    carriers: Sequence[Carrier],
    stop: asyncio.Event,
    *,
    who: Mapping[str, object],
) -> None:
    """Answer for these cells, and carry, until ``stop``. What is done for one keeps no other waiting.

    ``who`` is said of us to whoever asks who is there.
    """
    client = await connected(address)

    async def answer(cell: int, message: Any) -> None:
        await message.respond(await asyncio.to_thread(host.handle, cell, message.data))

    async def carry(carrier: Carrier, message: Any) -> None:
        await message.respond(await carrier.carry(message.data))

    for cell in cells:
        await client.subscribe(address.subject(ASK, cell), cb=_about(cell, answer))
    for one in carriers:
        await client.subscribe(address.subject(CARRY, one.parcel.number), cb=_about(one, carry))
    await client.flush()
    log.info("shard ready", cells=list(cells), parcels=[one.parcel.number for one in carriers])
    stopping = asyncio.ensure_future(stop.wait())
    working: list[asyncio.Task[None]] = [asyncio.create_task(_live(client, address, host, carriers, who))]
    working += [asyncio.create_task(_hear(client, address, one)) for one in carriers]
    waiting: list[asyncio.Future[Any]] = [stopping, *working]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in working:
            if task.done():
                task.result()
    finally:
        for future in waiting:
            future.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await client.close()


def _about(one: Any, answer: Any) -> Any:
    async def told(message: Any) -> None:
        await answer(one, message)

    return told


async def _live(
    client: Any, address: EngineAddress, host: ShardHost, carriers: Sequence[Carrier], who: Mapping[str, object]
) -> None:
    while True:
        for one in carriers:
            if client.is_connected and one.hears:
                said = {**who, "rows": one.parcel.rows, "sequence": one.sequence, "price": host.price}
                await client.publish(address.subject(ALIVE, one.parcel.number), encode(Said(values=said)))
        await asyncio.sleep(ALIVE_EVERY_S)


async def _hear(client: Any, address: EngineAddress, carrier: Carrier) -> None:
    """For ever, while there is an engine: without one the agent stands in, and has the gateways' session."""

    async def tell(data: bytes) -> bytes | None:
        return await _asked(client, address.subject(HEARD, carrier.parcel.number), data, TELL_WAIT_S)

    while True:
        while not client.is_connected:  # noqa: ASYNC110  # nats-py has no such event
            await asyncio.sleep(LOOK_S)
        hearing = asyncio.create_task(carrier.hear(tell))
        try:
            while client.is_connected and not hearing.done():
                await asyncio.wait([hearing], timeout=LOOK_S)
            if hearing.done():
                hearing.result()
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)


async def _asked(client: Any, subject: str, data: bytes, timeout_s: float) -> bytes | None:
    """The answer; None if nobody is there, at once, or whoever is there does not answer in time."""
    if not client.is_connected:
        return None
    try:
        answer = await client.request(subject, data, timeout=timeout_s)
    except Exception as error:  # noqa: BLE001  # nats-py has many, and all mean that there is no answer
        log.debug("no answer", subject=subject, error=type(error).__name__)
        return None
    return bytes(answer.data)


async def roll_call(address: EngineAddress, wait_s: float) -> list[Mapping[str, Any]]:
    """What shards say of themselves, by number; Unreachable if there is no engine, or it lets us not in."""
    found: dict[tuple[int, int], dict[str, Any]] = {}

    async def hear(message: Any) -> None:
        with suppress(RemoteProtocolError, KeyError, TypeError):
            values = decode(message.data).values
            mine = found.setdefault((values["number"], values["of"]), {**values, "parcels": {}})
            mine["parcels"][_number(message)] = values["rows"]

    try:
        client = await asyncio.wait_for(connected(address), CONNECT_WAIT_S)
    except TimeoutError:
        raise Unreachable(f"no engine at {address.url} that lets us in") from None
    try:
        await client.subscribe(address.subject(ALIVE, "*"), cb=hear)
        await asyncio.sleep(wait_s)
    finally:
        await client.close()
    return [{**found[one], "rows": sum(found[one]["parcels"].values())} for one in sorted(found)]


class AgentLine:
    """A ``hands.Line``."""

    def __init__(self, address: EngineAddress, *, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._client: Any = None
        self._replies: set[asyncio.Task[None]] = set()

    async def request(self, parcel: int, data: bytes) -> bytes | None:
        if self._client is None:
            return None
        return await _asked(self._client, self._address.subject(CARRY, parcel), data, self._timeout_s)

    async def listen(self, alive: Callable[[int, bytes], None], heard: Callable[[int, bytes, Reply], None]) -> None:
        self._client = await connected(self._address)

        async def on_alive(message: Any) -> None:
            alive(_number(message), message.data)

        async def on_heard(message: Any) -> None:
            heard(_number(message), message.data, partial(self._reply, message))

        await self._client.subscribe(self._address.subject(ALIVE, "*"), cb=on_alive)
        await self._client.subscribe(self._address.subject(HEARD, "*"), cb=on_heard)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _reply(self, message: Any, answer: bytes) -> None:
        task = asyncio.create_task(self._respond(message, answer))
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    async def _respond(self, message: Any, answer: bytes) -> None:
        try:
            await message.respond(answer)
        except Exception as error:  # noqa: BLE001  # the shard tells again, and that is harmless
            log.debug("not confirmed", error=type(error).__name__)


def _number(message: Any) -> int:
    last = str(message.subject).rpartition(".")[2]
    return int(last) if last.isdecimal() else -1


class Engine:
    """A ``floor.Exchange`` for whoever waits for answers: the connection lives in a thread of its own."""

    def __init__(self, address: EngineAddress, *, timeout_s: float) -> None:
        """Nobody need be there yet."""
        self._address = address
        self._timeout_s = timeout_s
        self._client: Any = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self._connecting = asyncio.run_coroutine_threadsafe(self._connect(), self._loop)

    def __call__(self, messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
        if self._client is None or not messages:
            return [None] * len(messages)
        return asyncio.run_coroutine_threadsafe(self._exchange(messages), self._loop).result()

    def close(self) -> None:
        async def leave() -> None:
            if self._client is not None:
                await self._client.close()

        self._connecting.cancel()
        asyncio.run_coroutine_threadsafe(leave(), self._loop).result(CONNECT_WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONNECT_WAIT_S)
        self._loop.close()

    async def _connect(self) -> None:
        self._client = await connected(self._address)
        log.info("engine connected", url=self._address.url)

    async def _exchange(self, messages: Sequence[tuple[int, bytes]]) -> list[bytes | None]:
        return list(await asyncio.gather(*(self._request(cell, data) for cell, data in messages)))

    async def _request(self, cell: int, data: bytes) -> bytes | None:
        return await _asked(self._client, self._address.subject(ASK, cell), data, self._timeout_s)
