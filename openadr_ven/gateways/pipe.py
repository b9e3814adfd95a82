"""A connection to an MQTT broker that carries thousands of messages at once, at QoS 1.

A clean session: what the broker has not acknowledged is its owner's to send again, and gateways know a frame by
its id. Persistent sessions are ``mqtt.Connection``'s.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Self, cast

from openadr_core.errors import MalformedMessage, Unreachable
from openadr_ven.gateways import mqtt_packets as packets
from openadr_ven.gateways.mqtt_packets import Heard, Kind, Publication, Splitter

IN_FLIGHT_MAX = 4_096
"""Messages whose acknowledgement is awaited; there are 65,535 ids."""
TOPICS_A_PACKET = 1_000
GATHERED_BYTES = 64 * 1024
"""What is written in one turn of the loop goes out together, up to this: a system call costs more than a message."""
KEEPALIVE_S = 15

OnMessage = Callable[[Publication], None]
Answer = asyncio.Future[bytes]


def ignore(_: Publication) -> None:
    """For who only publishes."""


class Pipe(asyncio.Protocol):
    """One connection, from ``opened`` to its loss. What is asked of it afterwards is Unreachable."""

    def __init__(self, *, timeout_s: float, on_message: OnMessage) -> None:
        loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._on_message = on_message
        self._splitter = Splitter()
        self._transport: asyncio.Transport | None = None
        self._accepted: Answer = loop.create_future()
        self._waiting: dict[int, Answer] = {}
        """By packet id, in the order in which they were sent."""
        self._next_id = 0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._may_send = asyncio.Event()
        self._clogged = False
        self._tending: asyncio.TimerHandle | None = None
        self._oldest: Answer | None = None
        """What had waited longest when we last looked."""
        self._is_heard = True
        self.lost: asyncio.Future[str] = loop.create_future()
        """Why the connection is over, once it is."""

    @classmethod
    async def opened(
        cls,
        host: str,
        port: int,
        *,
        client_id: str,
        tls: ssl.SSLContext | None = None,
        username: str | None = None,
        password: str | None = None,
        timeout_s: float = 5.0,
        on_message: OnMessage = ignore,
    ) -> Self:
        """Connected and accepted; Unreachable if not, or not in time."""
        pipe = cls(timeout_s=timeout_s, on_message=on_message)
        hello = packets.connect(client_id, keepalive_s=KEEPALIVE_S, username=username, password=password)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().create_connection(lambda: pipe, host, port, ssl=tls)
                pipe._write(hello)
                answer = await pipe._accepted
        except (OSError, TimeoutError) as error:
            pipe._end(repr(error))
            raise Unreachable(f"no broker at {host}:{port}: {error!r}") from error
        if len(answer) != 2 or answer[1]:
            pipe.close()
            raise Unreachable(f"the broker at {host}:{port} let us not in (return code {answer[1:].hex()})")
        pipe._tend()
        return pipe

    @property
    def is_open(self) -> bool:
        return not self.lost.done()

    def close(self) -> None:
        """Farewell, if there is somebody to say it to."""
        self._write(packets.DISCONNECT)
        self._flush()
        self._end("closed")

    async def publish(self, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> int:
        """Topics and payloads at QoS 1; how many there were, once the broker has acknowledged every one.

        Unreachable tells how many it has. Several may publish at a time.
        """
        sent: list[Answer] = []
        try:
            for topic, payload in messages:
                number, answer = await self._numbered()
                sent.append(answer)
                self._write(packets.publish(topic, payload, packet_id=number, retain=retain))
            for one in sent:
                await one
        except Unreachable as error:
            taken = sum(one.done() and one.exception() is None for one in sent)
            raise Unreachable(f"the broker took {taken}: {error}") from None
        return len(sent)

    async def subscribe(self, topics: Sequence[str], *, qos: int) -> None:
        """Unreachable if the broker does not grant all of them."""
        for first in range(0, len(topics), TOPICS_A_PACKET):
            number, answer = await self._numbered()
            self._write(packets.subscribe(number, topics[first : first + TOPICS_A_PACKET], qos=qos))
            if any(code & packets.REFUSED for code in (await answer)[2:]):
                raise Unreachable("the broker lets us read no such topics")

    async def _numbered(self) -> tuple[int, Answer]:
        """A packet id that is free, as soon as there is room."""
        while self.is_open and (self._clogged or len(self._waiting) >= IN_FLIGHT_MAX):
            self._may_send.clear()
            await self._may_send.wait()
        if self.lost.done():
            raise Unreachable(self.lost.result())
        while True:
            self._next_id = self._next_id % packets.PACKET_ID_MAX + 1
            if self._next_id not in self._waiting:
                break
        answer: Answer = asyncio.get_running_loop().create_future()
        self._waiting[self._next_id] = answer
        return self._next_id, answer

    def _write(self, data: bytes) -> None:
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > GATHERED_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._out and self._transport is not None and self.is_open:
            self._transport.write(b"".join(self._out))
        self._out.clear()
        self._out_bytes = 0

    def _tend(self) -> None:
        """Once in a while: the connection is over if nothing is heard, or what waits longest waits still."""
        oldest = next(iter(self._waiting.values()), None)
        if not self._is_heard or (oldest is not None and oldest is self._oldest):
            self._end("the broker did not answer in time")
            return
        self._oldest, self._is_heard = oldest, False
        self._write(packets.PINGREQ)
        pause_s = min(self._timeout_s, KEEPALIVE_S / 2)
        self._tending = asyncio.get_running_loop().call_later(pause_s, self._tend)

    def _end(self, why: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(why)
        if self._tending is not None:
            self._tending.cancel()
        for answer in (self._accepted, *self._waiting.values()):
            if not answer.done():
                answer.set_exception(ConnectionError(why) if answer is self._accepted else Unreachable(why))
                answer.exception()  # asyncio complains of one that nobody has looked at
        self._may_send.set()
        if self._transport is not None:
            self._transport.close()

    # -- what asyncio calls ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the broker went away: {exc!r}" if exc else "the broker closed the connection")

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        self._may_send.set()

    def data_received(self, data: bytes) -> None:
        self._is_heard = True
        try:
            for heard in self._splitter.feed(data):
                self._take(heard)
        except MalformedMessage as error:
            self._end(f"the broker does not speak MQTT 3.1.1: {error}")

    def _take(self, heard: Heard) -> None:
        if heard.kind == Kind.PUBLISH:
            said = packets.publication(heard)
            self._on_message(said)
            if said.packet_id:
                self._write(packets.puback(said.packet_id))
        elif heard.kind in (Kind.PUBACK, Kind.SUBACK):
            answer = self._waiting.pop(heard.packet_id, None)
            if answer is not None and not answer.done():
                answer.set_result(heard.body)
            self._may_send.set()
        elif heard.kind == Kind.CONNACK and not self._accepted.done():
            self._accepted.set_result(heard.body)
