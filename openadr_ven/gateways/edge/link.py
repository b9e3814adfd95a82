"""One gateway's connection to the broker: commands in, reports out, kept in order over lost connections."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import aiomqtt
import structlog

from openadr_core.errors import RemoteProtocolError
from openadr_ven.gateways.codec import decode, encode
from openadr_ven.gateways.contract import (
    CHANNEL_OF,
    Channel,
    CommandFrame,
    Frame,
    GatewayState,
    Report,
    StatusFrame,
    SupportFrame,
    topic_of,
)
from openadr_ven.gateways.edge.prices import PriceEar
from openadr_ven.gateways.mqtt import QOS, BrokerAddress, Connection, retry_pause_s

OUTBOX_MAX = 3_600
"""Reports that wait for a broker: an hour of telemetry; then the oldest are forgotten."""

RETAINED = frozenset({Channel.STATUS, Channel.ABILITY})
STATUS_EVERY_S = 30.0
"""A retained message can slip past a subscription that is made in the same moment (seen with nats-server)."""

log = structlog.get_logger(__name__)


class GatewayLink:
    """What a gateway of the simulator does with MQTT."""

    def __init__(
        self,
        address: BrokerAddress,
        gateway: str,
        *,
        on_command: Callable[[CommandFrame], Sequence[Report]],
        status: Callable[[GatewayState], StatusFrame],
        rng: random.Random,
        prices: PriceEar | None = None,
        on_support: Callable[[SupportFrame], Sequence[Report]] | None = None,
    ) -> None:
        """With ``prices``, these devices also follow what their feeders are told; without ``on_support``, no curves."""
        self._prices = prices
        self._address = replace(address, client_id=f"{address.fleet}-{gateway}")
        self._gateway = gateway
        self._on_command = on_command
        self._on_support = on_support
        self._status = status
        self._rng = rng
        self._outbox: deque[Report] = deque(maxlen=OUTBOX_MAX)
        self._posted = asyncio.Event()

    def post(self, report: Report) -> None:
        """Send when possible, in order; never waits."""
        self._outbox.append(report)
        if self._prices is not None:
            self._prices.told(report)
        self._posted.set()

    async def run(self) -> None:
        """Connected whenever the broker is there, until cancelled."""
        failures = 0
        while True:
            will = aiomqtt.Will(
                self._topic(Channel.STATUS), encode(self._status(GatewayState.OFFLINE)), QOS, retain=True
            )
            try:
                async with Connection(self._address, will=will, settles=True) as connection:
                    failures = 0
                    await self._serve(connection)
            except* aiomqtt.MqttError as lost:
                failures += 1
                log.warning("broker lost", gateway=self._gateway, failures=failures, error=str(lost.exceptions[0]))
            if (task := asyncio.current_task()) and task.cancelling():
                # A task group that ends by an error and a cancellation at once tells only the error (Python 3.11).
                raise asyncio.CancelledError
            await asyncio.sleep(retry_pause_s(failures, self._rng))

    async def _serve(self, connection: Connection) -> None:
        topics = [] if self._prices is None else sorted(self._prices.topics)
        # Prices at QoS 0: one that is lost is in the frame all the same, and brokers bound what may wait at QoS 1.
        heard = (Channel.COMMAND,) if self._on_support is None else (Channel.COMMAND, Channel.SUPPORT)
        orders = [(self._topic(channel), QOS) for channel in heard]
        await connection.subscribe([*orders, *((topic, 0) for topic in topics)])
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._say_online(connection))
                tasks.create_task(self._take_commands(connection))
                tasks.create_task(self._send_reports(connection))
                # Waited for inside: an error that ends the group in its own exit leaves the task's count of
                # cancellations wrong (Python 3.11), and a lost broker would look like the order to stop.
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            # A clean end sends no last will: say it ourselves.
            with suppress(aiomqtt.MqttError):
                await self._publish(connection, self._status(GatewayState.OFFLINE))
            raise

    async def _say_online(self, connection: Connection) -> None:
        while True:
            await self._publish(connection, self._status(GatewayState.ONLINE))
            await asyncio.sleep(STATUS_EVERY_S)

    async def _take_commands(self, connection: Connection) -> None:
        async for message in connection.messages:
            try:
                frame = self._read(message.topic.value, message.payload)
            except RemoteProtocolError as error:
                log.warning("frame dropped", gateway=self._gateway, error=str(error))
                frame = None
            for report in self._answered(frame):
                self.post(report)
            # Only now: a gateway that dies in between is sent the command again, and knows it by its id.
            if message.qos:
                connection.settle(message.mid)

    def _answered(self, frame: Frame | None) -> Sequence[Report]:
        """What comes of a frame; of one that is another gateway's, or no order, nothing does."""
        if isinstance(frame, CommandFrame) and frame.gateway == self._gateway:
            return self._on_command(frame)
        if isinstance(frame, SupportFrame) and frame.gateway == self._gateway and self._on_support is not None:
            return self._on_support(frame)
        return ()

    def _read(self, topic: str, payload: object) -> Frame | None:
        if not isinstance(payload, bytes):
            return None
        if self._prices is not None and topic in self._prices.topics:
            return self._prices.heard(payload)
        return decode(payload)

    async def _send_reports(self, connection: Connection) -> None:
        while True:
            await self._posted.wait()
            while self._outbox:
                report = self._outbox[0]
                await self._publish(connection, report)
                # It may have been pushed out of a full box meanwhile.
                if self._outbox and self._outbox[0] is report:
                    self._outbox.popleft()
            self._posted.clear()

    async def _publish(self, connection: Connection, report: Report) -> None:
        channel = CHANNEL_OF[type(report)]
        await connection.publish(self._topic(channel), encode(report), QOS, retain=channel in RETAINED)

    def _topic(self, channel: Channel) -> str:
        return topic_of(self._address.fleet, self._gateway, channel)
