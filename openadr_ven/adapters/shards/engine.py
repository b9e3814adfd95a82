"""The engine between the agent and its shards: NATS, request and reply, a subject for each cell.

    der.shard.<fleet>.<cell>     the agent asks, and the shard that has the cell answers

It is the same server that gateways reach over MQTT. Who has no shards needs none of it: the package ``nats-py``
(extra ``shards``) is loaded only here.
"""

import asyncio
import importlib
import ssl
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from openadr_core.errors import ConfigError, Unreachable
from openadr_ven.adapters.shards.host import ShardHost

SUBJECT = "der.shard"
CONNECT_WAIT_S = 5.0

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

    def subject(self, cell: int) -> str:
        return f"{SUBJECT}.{self.fleet}.{cell}"


async def connected(address: EngineAddress, *, patient: bool) -> Any:  # nats-py's client
    """A connection that comes back by itself; ``patient``: also if there was nobody yet. Else Unreachable."""
    try:
        nats = importlib.import_module("nats")
    except ImportError:
        raise ConfigError("shards: the engine needs the package nats-py: install the extra 'shards'") from None

    async def complain(error: Exception) -> None:
        log.warning("engine", error=str(error) or type(error).__name__)

    more: dict[str, Any] = {"tls": address.tls} if address.tls is not None else {}
    if address.username is not None:
        more |= {"user": address.username, "password": address.password}
    connecting = nats.connect(
        address.url, error_cb=complain, max_reconnect_attempts=-1, reconnect_time_wait=0.5,
        allow_reconnect=True, connect_timeout=CONNECT_WAIT_S, **more,
    )  # fmt: skip
    try:
        return await (connecting if patient else asyncio.wait_for(connecting, CONNECT_WAIT_S))
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise Unreachable(f"no engine at {address.url}: {error or type(error).__name__}") from None


async def serve(address: EngineAddress, host: ShardHost, cells: Iterable[int], stop: asyncio.Event) -> None:
    """Answer for these cells until ``stop``. What is computed of one cell keeps no other waiting."""
    client = await connected(address, patient=True)

    async def answer(cell: int, message: Any) -> None:
        await message.respond(await asyncio.to_thread(host.handle, cell, message.data))

    for cell in cells:
        await client.subscribe(address.subject(cell), cb=_about(cell, answer))
    await client.flush()
    log.info("shard ready", cells=list(cells))
    try:
        await stop.wait()
    finally:
        await client.close()


def _about(cell: int, answer: Any) -> Any:
    async def told(message: Any) -> None:
        await answer(cell, message)

    return told


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
        self._client = await connected(self._address, patient=True)
        log.info("engine connected", url=self._address.url)

    async def _exchange(self, messages: Sequence[tuple[int, bytes]]) -> list[bytes | None]:
        return list(await asyncio.gather(*(self._request(cell, data) for cell, data in messages)))

    async def _request(self, cell: int, data: bytes) -> bytes | None:
        """None if nobody has the cell, at once, or whoever has it does not answer in time."""
        if not self._client.is_connected:
            return None
        try:
            answer = await self._client.request(self._address.subject(cell), data, timeout=self._timeout_s)
        except Exception as error:  # noqa: BLE001  # nats-py has many, and all mean that there is no answer
            log.debug("no answer", cell=cell, error=type(error).__name__)
            return None
        return bytes(answer.data)
