"""A line between two sides that can be cut, held up, and made to lose what goes one way."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Line:
    """Carries TCP to one port. What is lost takes its connection with it, as on a real line."""

    port: int = 0
    """Where it is entered."""
    down: bool = False
    """Whoever comes is turned away, and who is there is cut off."""
    answers_lost: float = 0.0
    """The share of answers that are lost: what was asked has arrived, and nobody is told."""
    slow_s: float = 0.0
    """How long each answer is held up."""
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _carrying: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def end(self) -> None:
        self.cut()
        for one in self._carrying:
            one.cancel()  # what has only now got through is not cut
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def enter(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying = asyncio.create_task(self._carry(target, reader, writer))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)

    async def _carry(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        there = asyncio.create_task(self._pump(reader, far_writer))
        try:
            await self._pump(far_reader, writer, answers=True)
        finally:
            there.cancel()
            for one in (writer, far_writer):
                self._writers.discard(one)
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65536):
                # A handshake's messages are small and come first; what is lost here is more often an answer.
                if answers and self.dice.random() < self.answers_lost:
                    return
                if answers and self.slow_s:
                    await asyncio.sleep(self.slow_s)
                writer.write(part)
                await writer.drain()


@asynccontextmanager
async def line_to(target: int) -> AsyncIterator[Line]:
    line = Line()
    server = await asyncio.start_server(
        lambda reader, writer: line.enter(target, reader, writer), "127.0.0.1", 0
    )  # fmt: skip
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        await line.end()
        await server.wait_closed()
