"""Thousands of homes in one process, each with an MQTT session over TLS of its own: they do what they are told.

    python -m tests.bench.edge_homes --port 8883 --trust root.pem --first 0 --count 16700 --out times.npy

A home subscribes to ``home/<number>/set`` at QoS 1, tells its state of charge and its power, and follows a setpoint
at once: its new power, at QoS 1, is its acknowledgement. On SIGTERM, ``--out`` gets a row for each home: when it was
first told something, and when its broker had its answer, in seconds since 1970 (NaN for never).
"""

import asyncio
import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import cast

import click
import numpy as np
import uvloop

from openadr_core.shell.garbage import keep_what_is_there
from openadr_ven.gateways import mqtt_packets as packets
from openadr_ven.gateways.mqtt_packets import Kind, Splitter

HANDSHAKES_AT_ONCE = 16
HANDSHAKE_S = 600.0
KEEPALIVE_S = 1_800
READ_EVERY_S = 300.0
"""How often a home tells its power when nothing happens."""
PROGRESS_EVERY = 1_000
SOC = b"0.9"
ANSWER_ID = 7


class Homes:
    """All of them, and when each was told and heard."""

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count
        self.ready = 0
        self.lost = 0
        self.times_s = np.full((count, 2), np.nan)

    async def connect(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        waiting = iter(range(self.count))

        async def some() -> None:
            for number in waiting:
                await loop.create_connection(
                    lambda number=number: Home(self, number), host, port, ssl=tls, server_hostname="localhost",  # type: ignore[misc]
                    ssl_handshake_timeout=HANDSHAKE_S,
                )  # fmt: skip

        await asyncio.gather(*(some() for _ in range(HANDSHAKES_AT_ONCE)))

    def is_ready(self) -> None:
        self.ready += 1
        if self.ready % PROGRESS_EVERY == 0 or self.ready == self.count:
            say(ready=self.ready)

    def is_lost(self, why: Exception | None) -> None:
        self.lost += 1
        say(lost=self.lost, why=repr(why))


class Home(asyncio.Protocol):
    __slots__ = ("_homes", "_number", "_power", "_splitter", "_topic", "_transport")

    def __init__(self, homes: Homes, number: int) -> None:
        self._homes = homes
        self._number = number
        self._topic = f"home/{homes.first + number}"
        self._power = b"0"
        self._splitter = Splitter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(packets.connect(self._topic.replace("/", "-"), keepalive_s=KEEPALIVE_S))

    def connection_lost(self, exc: Exception | None) -> None:
        self._homes.is_lost(exc)

    def data_received(self, data: bytes) -> None:
        for heard in self._splitter.feed(data):
            if heard.kind == Kind.PUBLISH:
                self._obey(packets.publication(heard))
            elif heard.kind == Kind.CONNACK:
                assert heard.body == b"\x00\x00", heard.body
                self._transport.write(packets.subscribe(1, [f"{self._topic}/set"], qos=1))
            elif heard.kind == Kind.SUBACK:
                self._homes.is_ready()
                self.tell()
            elif heard.kind == Kind.PUBACK and np.isnan(self._homes.times_s[self._number, 1]):
                self._homes.times_s[self._number, 1] = time.time()

    def tell(self) -> None:
        """What a meter shows, now and every few minutes."""
        self._transport.write(
            packets.publish(f"{self._topic}/soc", SOC) + packets.publish(f"{self._topic}/power", self._power)
        )
        asyncio.get_running_loop().call_later(READ_EVERY_S, self.tell)

    def _obey(self, said: packets.Publication) -> None:
        if np.isnan(self._homes.times_s[self._number, 0]):
            self._homes.times_s[self._number, 0] = time.time()
        self._power = said.payload
        answer = packets.publish(f"{self._topic}/power", self._power, packet_id=ANSWER_ID)
        self._transport.write(packets.puback(said.packet_id) + answer)


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def live(homes: Homes, port: int, trust: Path, out: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connecting = asyncio.create_task(homes.connect("127.0.0.1", port, ssl.create_default_context(cafile=str(trust))))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([connecting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if connecting.done():
        connecting.result()
        keep_what_is_there()
    await stopping
    np.save(out, homes.times_s)


@click.command(help=__doc__)
@click.option("--port", type=int, required=True, help="The broker's, on this machine.")
@click.option("--trust", type=click.Path(path_type=Path), required=True, help="The authority of its certificate.")
@click.option("--first", type=int, default=0, show_default=True, help="Number of the first home.")
@click.option("--count", type=int, required=True, help="How many homes.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the times go (.npy).")
def main(port: int, trust: Path, first: int, count: int, out: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live(Homes(first, count), port, trust, out))
        os._exit(0)  # thousands of farewells would take longer than they are worth


if __name__ == "__main__":
    main()
