"""The agent's side of the gateway contract: commands out, reports in, through any MQTT 3.1.1 broker.

The session is persistent, and a report is acknowledged to the broker only once it is settled, so
what gateways send while the agent is dead, or dies with, comes again when it is back.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import aiomqtt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from openadr_core.errors import MalformedMessage, RemoteProtocolError, Unreachable
from openadr_core.limits import BROKER_RETRY_MAX_S, RETRY_FIRST_S, RETRY_JITTER
from openadr_ven.dispatch.bulletin import Bulletin
from openadr_ven.gateways.bulletin import price_topic, write
from openadr_ven.gateways.codec import decode, encode_all
from openadr_ven.gateways.contract import (
    CHANNEL_OF,
    Channel,
    CommandFrame,
    Report,
    SupportFrame,
    parse_topic,
    topic_of,
)
from openadr_ven.gateways.pipe import Pipe

QOS = 1
NAMES_A_PACKET = 300
COMMANDS = "-commands"
"""Ends the client id of the connection on which commands go out."""
Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    fleet: str
    """The second name in every topic."""
    client_id: str
    """Fixed for ever: the broker keeps this client's queue under it."""
    tls: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = None
    keepalive_s: int = 15
    timeout_s: float = 5.0
    """How long the broker may take to accept a connection, a subscription or a frame."""


class Connection(aiomqtt.Client):
    """One connection of a persistent session, on which the reader says when a message is settled."""

    def __init__(self, address: BrokerAddress, *, will: aiomqtt.Will | None = None, settles: bool = False) -> None:
        super().__init__(
            address.host,
            address.port,
            identifier=address.client_id,
            clean_session=False,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_context=address.tls,
            username=address.username,
            password=address.password,
            keepalive=address.keepalive_s,
            timeout=address.timeout_s,
            will=will,
        )
        self._client.manual_ack_set(settles)
        # Whoever waits for a message or an answer is told of the loss; a connection that is idle then has no waiter,
        # and asyncio would complain about an exception that nobody saw.
        self._disconnected.add_done_callback(lambda lost: lost.cancelled() or lost.exception())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave. That a farewell did not get through must not hide why we leave: a cancellation above all."""
        with suppress(aiomqtt.MqttError):
            await super().__aexit__(kind, error, trace)

    async def _wait_for(self, fut: Awaitable[Answer], timeout: float | None) -> Answer:  # noqa: ASYNC109
        # asyncio.wait_for, which aiomqtt uses, loses a cancellation that comes together with the answer (Python
        # 3.11), and then a task that is told to stop goes on for ever.
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("the broker did not answer in time") from None

    def _on_disconnect(self, *arguments: Any, **named: Any) -> None:
        # aiomqtt asks the future for its exception, which raises if the wait for a connection was cancelled.
        if not self._connected.cancelled():
            super()._on_disconnect(*arguments, **named)

    def settle(self, message_id: int) -> None:
        """Tell the broker that it need not send this message again."""
        self._client.ack(message_id, QOS)


class MqttGateways:
    """The gateways of a fleet, behind a broker."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        rng: random.Random,
        settle_by_caller: bool = False,
        price_key: Ed25519PrivateKey | None = None,
        names: Sequence[str] = ("+",),
    ) -> None:
        """With ``settle_by_caller``, reports stay with the broker until ``settle`` is called; ``price_key`` signs.

        ``names`` are the gateways that are heard, ``+`` for all of the fleet.
        """
        self._names = names
        self._price_key = price_key
        self._address = address
        self._rng = rng
        self._settle_by_caller = settle_by_caller
        self._connection: Connection | None = None
        self._pipe: Pipe | None = None
        self._opening = asyncio.Lock()
        self._received = 0
        self._unsettled: list[tuple[int, int]] = []
        """Which report of this life it was, and the broker's id of its message."""

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def send(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        """Hand frames to the broker; Unreachable unless it has taken every one of them.

        Sending the same frames again is harmless: gateways know them by their ids.
        """
        if self._connection is None:
            raise Unreachable(f"not connected to the broker at {self._address.host}:{self._address.port}")
        await self.hand_over(frames)

    async def hand_over(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        """The same, also while nobody listens to reports."""
        fleet = self._address.fleet
        topics = (topic_of(fleet, frame.gateway, CHANNEL_OF[type(frame)]) for frame in frames)
        messages = zip(topics, encode_all(frames), strict=True)
        try:
            await (await self._opened()).publish(messages)
        except Unreachable as error:
            raise Unreachable(f"of {len(frames)} frames not all were handed over: {error}") from error

    async def announce(self, bulletins: Iterable[Bulletin]) -> None:
        """Tell feeders a price, which the broker keeps for whoever comes later; Unreachable unless it has taken all."""
        key, fleet = self._price_key, self._address.fleet
        if key is not None:
            told = ((price_topic(fleet, one.feeder), write(one, key)) for one in bulletins)
            await (await self._opened()).publish(told, retain=True)

    async def _opened(self) -> Pipe:
        """A connection of its own for commands: who they are for, and what of them is told, hangs on no session."""
        async with self._opening:
            if self._pipe is None or not self._pipe.is_open:
                address = self._address
                self._pipe = await Pipe.opened(
                    address.host, address.port, client_id=f"{address.client_id}{COMMANDS}", tls=address.tls,
                    username=address.username, password=address.password, timeout_s=address.timeout_s,
                )  # fmt: skip
            return self._pipe

    async def receive(self) -> AsyncGenerator[Report, None]:
        """Reports as they come, for ever; the connection lives, and comes back, while somebody iterates.

        A report is settled when the next one is asked for, unless the caller settles.
        """
        failures = 0
        while True:
            try:
                async with Connection(self._address, settles=True) as connection:
                    await self._subscribe(connection)
                    self._connection, self._unsettled, failures = connection, [], 0
                    log.info("broker connected", host=self._address.host, port=self._address.port)
                    async for message in connection.messages:
                        report = self._read(message)
                        if report is None:
                            connection.settle(message.mid)
                            continue
                        self._received += 1
                        self._unsettled.append((self._received, message.mid))
                        yield report
                        if not self._settle_by_caller:
                            self.settle(self._received)
            except aiomqtt.MqttError as error:
                failures += 1
                log.warning("broker lost", host=self._address.host, failures=failures, error=str(error))
            finally:
                self._connection = None
                if self._pipe is not None:
                    self._pipe.close()
            await asyncio.sleep(retry_pause_s(failures, self._rng))

    def mark(self) -> int:
        """How many reports were received so far."""
        return self._received

    def settle(self, mark: int) -> None:
        """What was received up to that mark is safe: the broker may forget it.

        What stays is sent again after a while (see ``broker.ACK_WAIT_S``), and after a restart.
        """
        safe = [message_id for number, message_id in self._unsettled if number <= mark]
        self._unsettled = [entry for entry in self._unsettled if entry[0] > mark]
        if self._connection is not None:
            for message_id in safe:
                self._connection.settle(message_id)

    async def _subscribe(self, connection: Connection) -> None:
        wanted = (Channel.ACK, Channel.TELEMETRY, Channel.STATUS, Channel.SUPPORT_ACK, Channel.ABILITY)
        for start in range(0, len(self._names), NAMES_A_PACKET):
            names = self._names[start : start + NAMES_A_PACKET]
            topics = [(topic_of(self._address.fleet, name, channel), QOS) for name in names for channel in wanted]
            await connection.subscribe(topics)

    def _read(self, message: aiomqtt.Message) -> Report | None:
        """The report in a message; None, and one log line, if it is not one that we should get there."""
        try:
            _, gateway, channel = parse_topic(message.topic.value)
            frame = decode(bytes(message.payload)) if isinstance(message.payload, (bytes, bytearray)) else None
            if (
                frame is None
                or isinstance(frame, CommandFrame | SupportFrame)
                or CHANNEL_OF[type(frame)] is not channel
            ):
                raise MalformedMessage(f"not what belongs on {channel.name.lower()}")
            # A gateway speaks for itself: the broker's access list guards the topic, we guard the name inside.
            if frame.gateway != gateway:
                raise MalformedMessage(f"gateway {frame.gateway} on the topic of {gateway}")
        except RemoteProtocolError as error:
            log.warning("frame dropped", topic=message.topic.value[:200], error=str(error))
            return None
        return frame


def retry_pause_s(failures: int, rng: random.Random) -> float:
    """How long to wait before trying the broker again, after this many failures in a row."""
    pause_s = min(RETRY_FIRST_S * 2.0 ** min(failures - 1, 10), BROKER_RETRY_MAX_S)
    return pause_s * rng.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER)
