"""A TCP proxy between two parties that makes the network as bad as a test wants it, by seeded dice."""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field

DELAY_MAX_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Chances, per piece of data of either direction."""

    reset: float = 0.0
    """Both sides lose the connection, before or after the piece went on."""
    delay: float = 0.0
    trickle: float = 0.0
    """The piece goes on a few bytes at a time."""


@dataclass(kw_only=True)
class FaultyProxy:
    """Carries connections to ``port`` of the loopback."""

    port: int
    dice: random.Random
    faults: Faults
    passes: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, nothing goes either way, and nobody is told."""
    resets: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> int:
        """The port to connect to instead."""
        self.passes.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        both = (writer, there_writer)
        self._keep(self._pump(reader, there_writer, both))
        self._keep(self._pump(there_reader, writer, both))

    def _keep(self, pumping: Awaitable[None]) -> None:
        task = asyncio.ensure_future(pumping)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        faults = self.faults
        try:
            while piece := await source.read(65536):
                await self.passes.wait()
                fate = self.dice.random()
                if fate < faults.reset:
                    self.resets += 1
                    if self.dice.random() < 0.5:
                        sink.write(piece)
                        await sink.drain()
                    break
                if fate < faults.reset + faults.delay:
                    await asyncio.sleep(self.dice.random() * DELAY_MAX_S)
                elif fate < faults.reset + faults.delay + faults.trickle:
                    for start in range(0, len(piece), 97):
                        sink.write(piece[start : start + 97])
                        await asyncio.sleep(0)
                    continue
                sink.write(piece)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            for writer in both:
                writer.transport.abort()
