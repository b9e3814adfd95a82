"""Devices at an MQTT broker that have topics of their own (evcc, Home Assistant, …), as a driver of the edge.

Settings say which topics tell power and the rest, and what is published for an order. Many publish a value only
when it has changed, and keep it at the broker: a kept value is known, and it counts from the moment at which the
device says anything, or its ``alive`` topic does.
"""

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from openadr_core.errors import Unreachable
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways import mqtt_packets as packets
from openadr_ven.gateways.cloud.mapping import When, at, filled, number, values_of
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import DriverTraits, Hear, Order, Outcome, Reading
from openadr_ven.gateways.mqtt import retry_pause_s
from openadr_ven.gateways.pipe import Pipe

PAYLOAD_MAX_BYTES = 64 * 1024
NAN = float("nan")
RETRY_S = 10.0
BEGUN_AT_ONCE = 128
BROKER_WAIT_S = 20.0
"""A broker to which thousands of homes come back at once answers nobody for a while."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where something is told."""

    topic: str
    pointer: str
    scale: float
    truths: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    topic: str
    value: str
    """With the placeholders of orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    topic: str
    payload: Any
    when: When
    echo: Echo | None

    def fits(self, order: Order) -> bool:
        feeds = order.mode is Mode.SETPOINT and order.setpoint_w < 0.0
        return self.when is When.ALWAYS or feeds == (self.when is When.FEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDevice:
    """One device's topics; None for what it does not tell."""

    sources: Mapping[str, Source]
    """By the name of the reading's field."""
    alive: str
    orders: Mapping[Mode, Sequence[Publication]]

    def topics(self) -> set[str]:
        echoes = {one.echo.topic for each in self.orders.values() for one in each if one.echo is not None}
        return {source.topic for source in self.sources.values()} | echoes | ({self.alive} if self.alive else set())

    def reading(self, device_id: str, told: Mapping[str, str], now: datetime) -> Reading | None:
        """None as long as its power is not known."""
        power_w = self._number("power_w", told)
        if power_w is None:
            return None
        soc, warmth = self._number("soc", told), self._number("temperature_c", told)
        return Reading(
            device_id=device_id,
            at=now,
            power_w=power_w,
            soc=NAN if soc is None else soc,
            temperature_c=NAN if warmth is None else warmth,
            plugged=self._says("plugged", told, default=True),
            online=self._says("online", told, default=True),
            override=self._says("override", told, default=False),
        )

    def _number(self, name: str, told: Mapping[str, str]) -> float | None:
        source = self.sources.get(name)
        value = None if source is None else number(_value(source, told))
        return None if value is None or source is None else value * source.scale

    def _says(self, name: str, told: Mapping[str, str], *, default: bool) -> bool:
        source = self.sources.get(name)
        return default if source is None else _value(source, told) in source.truths


class TopicDevices:
    """A driver of the edge for devices at a broker: a home's few, or the thousands of an edge node."""

    def __init__(
        self,
        devices: Mapping[str, TopicDevice],
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        user: tuple[str, str] | None,
        pace_s: float,
        repeat_s: float,
        echo_wait_s: float,
        reading_lasts_s: float,
        now: Callable[[], datetime],
        dice: random.Random,
    ) -> None:
        """By the fleet's names."""
        self.traits = DriverTraits(
            lets_go=False, pace_s=pace_s, repeat_s=repeat_s, retry_s=RETRY_S, reading_lasts_s=reading_lasts_s
        )
        self._devices = dict(devices)
        self._by_topic: dict[str, list[str]] = {}
        for name, device in devices.items():
            for topic in device.topics():
                self._by_topic.setdefault(topic, []).append(name)
        self._address = (host, port)
        self._client_id = f"openadr-{dice.getrandbits(64):016x}"
        self._tls = tls
        self._user = user
        self._echo_wait_s = echo_wait_s
        self._now = now
        self._dice = dice
        self._pipe: Pipe | None = None
        self._told: dict[str, str] = {}
        self._awaited: dict[str, list[tuple[str, asyncio.Future[None]]]] = {}
        """By topic, what is waited for there."""

    async def run(self, hear: Hear) -> None:
        failures = 0
        while True:
            try:
                pipe = await self._connected(hear)
                failures = 0
                log.info("devices' broker connected", topics=len(self._by_topic))
                try:
                    reason = await asyncio.shield(pipe.lost)
                finally:
                    pipe.close()
            except Unreachable as error:
                reason = str(error)
            failures += 1
            log.warning("devices' broker lost", failures=failures, error=reason)
            # What is told while we are away is not heard: until it is told again, nobody knows.
            gone = [device.reading(name, self._told, self._now()) for name, device in self._devices.items()]
            hear(
                [Reading(device_id=one.device_id, at=one.at, power_w=one.power_w, online=False) for one in gone if one]
            )
            self._told.clear()
            await asyncio.sleep(retry_pause_s(failures, self._dice))

    async def _connected(self, hear: Hear) -> Pipe:
        """QoS 0 for what is heard: what is lost is told again, and brokers bound what may wait by subscription."""
        host, port = self._address
        username, password = self._user or (None, None)
        pipe = await Pipe.opened(
            host, port, client_id=self._client_id, tls=self._tls, username=username, password=password,
            timeout_s=BROKER_WAIT_S, on_message=lambda said: self._take(said, hear),
        )  # fmt: skip
        self._pipe = pipe
        try:
            await pipe.subscribe(list(self._by_topic), qos=0)
        except BaseException:
            pipe.close()
            raise
        return pipe

    def _take(self, said: packets.Publication, hear: Hear) -> None:
        if len(said.payload) > PAYLOAD_MAX_BYTES:
            return
        text = self._told[said.topic] = said.payload.decode(errors="replace")
        for value, echoed in self._awaited.get(said.topic, ()):
            if value == text and not echoed.done():
                echoed.set_result(None)
        if said.retain:
            return  # kept by the broker, who knows since when
        names = self._by_topic.get(said.topic, ())
        found = (self._devices[name].reading(name, self._told, self._now()) for name in names)
        hear([reading for reading in found if reading is not None])

    async def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        told: asyncio.Queue[asyncio.Task[Outcome]] = asyncio.Queue()
        telling = asyncio.create_task(self._begin(orders, told))
        try:
            for _ in orders:
                yield (await told.get()).result()
        finally:
            telling.cancel()

    async def _begin(self, orders: Sequence[Order], told: asyncio.Queue[asyncio.Task[Outcome]]) -> None:
        """A few at a time, so that answers are heard and telemetry goes out while thousands are told."""
        for first in range(0, len(orders), BEGUN_AT_ONCE):
            for order in orders[first : first + BEGUN_AT_ONCE]:
                asyncio.create_task(self._tell(order)).add_done_callback(told.put_nowait)
            await asyncio.sleep(0)

    async def _tell(self, order: Order) -> Outcome:
        """What is published follows each other, and the first that is not taken ends it."""
        device = self._devices.get(order.device_id)
        fitting = [] if device is None else [one for one in device.orders.get(order.mode, ()) if one.fits(order)]
        if not fitting:
            return Outcome(order=order, reason=Reason.UNSUPPORTED_MODE)
        values = values_of(order, order.device_id, self._now())
        for one in fitting:
            if not await self._publish(one, values):
                return Outcome(order=order, reason=Reason.UNREACHABLE)
        return Outcome(order=order)

    async def _publish(self, one: Publication, values: Mapping[str, Any]) -> bool:
        if self._pipe is None:
            return False
        try:
            # The clock runs for the device: while thousands wait for their turn, nobody has told it anything.
            with self._echo(one, values) as echoed:
                await self._pipe.publish([(one.topic, _text(one.payload, values).encode())])
                if not echoed.done():
                    async with asyncio.timeout(self._echo_wait_s):
                        await echoed
        except (Unreachable, TimeoutError) as failed:
            log.warning("device did not take it", topic=one.topic, error=repr(failed))
            return False
        return True

    @contextmanager
    def _echo(self, one: Publication, values: Mapping[str, Any]) -> Iterator[asyncio.Future[None]]:
        """Done when the device tells what it must, or has told it last; at once if it tells nothing."""
        echoed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        echo = one.echo
        wanted = "" if echo is None else _text(echo.value, values)
        if echo is None or self._told.get(echo.topic) == wanted:
            echoed.set_result(None)
            yield echoed
            return
        waiting = self._awaited.setdefault(echo.topic, [])
        waiting.append((wanted, echoed))
        try:
            yield echoed
        finally:
            waiting.remove((wanted, echoed))
            if not waiting:
                del self._awaited[echo.topic]


def _text(template: Any, values: Mapping[str, Any]) -> str:
    """A text as it is, anything else as JSON."""
    found = filled(template, values)
    return found if isinstance(found, str) else json.dumps(found)


def _value(source: Source, told: Mapping[str, str]) -> Any:
    """None for what was not told, or is not there."""
    text = told.get(source.topic)
    if text is None or not source.pointer:
        return text
    try:
        return at(json.loads(text), source.pointer)
    except (ValueError, RecursionError):
        return None
