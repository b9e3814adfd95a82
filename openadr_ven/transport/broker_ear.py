"""Listens to the broker of a VTN of OpenADR 3.1. What comes is a hint to read from the VTN itself, never more (T18)."""

import asyncio
import contextlib
import random
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import structlog

from openadr_core.limits import BROKER_RETRY_MAX_S, RETRY_FIRST_S, RETRY_JITTER
from openadr_ven.protocols.oadr3 import BrokerPlace, is_hint

LOOK_EVERY_S = 1.0
"""Until the VTN has said where its broker is."""
QOS = 1
KEEPALIVE_S = 30
TIMEOUT_S = 10.0

Place = Callable[[], tuple[BrokerPlace, str] | None]
log = structlog.get_logger(__name__)


class BrokerEar:
    """Keeps a connection to the broker for as long as there is one."""

    def __init__(
        self, *, place: Place, hint: Callable[[], None], context: Callable[[], ssl.SSLContext], dice: random.Random
    ) -> None:
        """``place`` tells the broker and our token; ``context`` makes what trusts its certificate."""
        self._place = place
        self._hint = hint
        self._context = context
        self._dice = dice
        self._running: asyncio.Task[None] | None = None
        self.is_connected = False

    async def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="ven-broker")

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        failures = 0
        while True:
            found = self._place()
            if found is None:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            try:
                await self._listen(*found)
                failures = 0
            except (aiomqtt.MqttError, OSError, ssl.SSLError) as error:
                failures = 0 if self.is_connected else failures + 1
                log.info("broker lost", host=found[0].host, reason=str(error))
            finally:
                self.is_connected = False
            pause_s = min(RETRY_FIRST_S * 2.0 ** min(failures, 16), BROKER_RETRY_MAX_S)
            await asyncio.sleep(pause_s * self._dice.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER))

    async def _listen(self, place: BrokerPlace, token: str) -> None:
        async with aiomqtt.Client(
            place.host,
            place.port,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_context=tls_of(place, self._context()),
            username=place.username or None,
            password=token if place.username else None,
            keepalive=KEEPALIVE_S,
            timeout=TIMEOUT_S,
        ) as client:
            for topic in place.topics:
                await client.subscribe(topic, qos=QOS)
            self.is_connected = True
            log.info("broker connected", host=place.host, port=place.port, topics=len(place.topics))
            # R10.4: what happened before we listened is read first.
            self._hint()
            async for message in client.messages:
                if isinstance(message.payload, bytes) and is_hint(message.payload):
                    self._hint()


def tls_of(place: BrokerPlace, context: ssl.SSLContext) -> ssl.SSLContext:
    """What the VTN gave us for its broker, in a context; OSError or SSLError if it is no good."""
    if place.ca:
        context.load_verify_locations(cadata=place.ca)
    if place.certificate and place.key:
        # OpenSSL reads chains from files alone: these are ours to read, and gone at once.
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            certificate.write_text(place.certificate)
            key.touch(mode=0o600)
            key.write_text(place.key)
            context.load_cert_chain(certificate, key, password="")  # one that is encrypted is an error, no question
    return context
