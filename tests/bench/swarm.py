"""Thousands of VENs in one process, each with a certificate and a connection of its own: they poll, and answer."""

import asyncio
import random
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.shell.tls import client_context
from tests.bench.lab import Lab, Ven
from tests.bench.load import HOST, http_post

SERVICES = "/OpenADR2/Simple/2.0b/"
HANDSHAKES_AT_ONCE = 16
HANDSHAKE_S = 600.0
"""The last of thousands waits long while everybody who is in already polls."""
RETRY_AFTER = re.compile(rb"\r\nRetry-After: (\d+)")
"""What the VTN asks of whom it has no time for; OpenADR 2.0b 9.1.7 adds ten per cent either way."""
EVENT = re.compile(
    rb"<ei:eventID>([^<]*)</ei:eventID><ei:modificationNumber>(\d+)<.*?"
    rb"<oadr:oadrResponseRequired>(always|never)<",
    re.DOTALL,
)
REQUEST_ID = re.compile(rb"<pyld:requestID>([^<]*)</pyld:requestID><ei:vtnID>")


@dataclass(slots=True)
class Swarm:
    """All of them, and when each heard what, in the loop's time."""

    interval_s: float
    vens: list["PollingVen"] = field(default_factory=list)
    heard_at: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    """By event and version: when each VEN first had it."""
    answered_at: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    """When the VTN had taken each VEN's answer."""
    polls: int = 0
    busy: int = 0
    """How often one was told to come again."""
    faults: list[str] = field(default_factory=list)

    async def connect(self, lab: Lab, vens: Sequence[Ven], port: int) -> None:
        """Every VEN, a few handshakes at a time; each polls from then on."""
        waiting = iter(vens)
        contexts = [client_context("modern-2.0b", vens[0].chain, [lab.trust()]) for _ in range(HANDSHAKES_AT_ONCE)]

        async def some(context: ssl.SSLContext) -> None:
            loop = asyncio.get_running_loop()
            for ven in waiting:
                # The connection takes the chain that the context has when it begins.
                context.load_cert_chain(ven.chain.certificate, ven.chain.key)
                made = partial(PollingVen, self, ven.ven_id)
                _, protocol = await loop.create_connection(
                    made, "127.0.0.1", port, ssl=context, server_hostname=HOST, ssl_handshake_timeout=HANDSHAKE_S
                )
                self.vens.append(protocol)
                protocol.poll()

        await asyncio.gather(*(some(context) for context in contexts))

    async def until(self, what: str, done: Callable[[], bool], *, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + wait_s
        while not done():
            assert not self.faults, self.faults[:3]
            assert loop.time() < give_up, f"waited {wait_s:.0f} s for {what}"
            await asyncio.sleep(0.01)

    def close(self) -> None:
        for ven in self.vens:
            ven.close()


class PollingVen(asyncio.Protocol):
    """One VEN: polls at its interval, and says yes to every event at once."""

    __slots__ = ("_answering", "_buffer", "_closed", "_last", "_poll", "_swarm", "_transport", "_ven_id", "_versions")

    def __init__(self, swarm: Swarm, ven_id: str) -> None:
        self._swarm = swarm
        self._ven_id = ven_id
        self._poll = http_post(f"{SERVICES}OadrPoll", encode(m.Poll(ven_id=ven_id)))
        self._buffer = b""
        self._last = b""
        self._transport: asyncio.Transport | None = None
        self._versions: dict[str, int] = {}
        self._answering: list[tuple[str, int]] = []
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed:
            self._swarm.faults.append(f"{self._ven_id} was cut off: {exc!r}")

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def poll(self) -> None:
        self._send(self._poll)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < (length := _content_length(head)):
            return
        self._buffer = b""
        status = head.split(b"\r\n", 1)[0]
        if b" 503 " in status:
            self._swarm.busy += 1
            told = RETRY_AFTER.search(head)
            assert told is not None, head
            asyncio.get_running_loop().call_later(float(told[1]) * random.uniform(0.9, 1.1), self._send, self._last)
            return
        if b" 200 " not in status:
            self._swarm.faults.append(f"{self._ven_id}: {head[:60]!r}")
            return
        self._take(body[:length])

    def _take(self, body: bytes) -> None:
        now = asyncio.get_running_loop().time()
        if self._answering:
            for key in self._answering:
                self._swarm.answered_at.setdefault(key, []).append(now)
            self._answering = []
            self.poll()
        elif b"<oadr:oadrDistributeEvent" in body:
            self._answer(body, now)
        elif b"<oadr:oadrResponse" in body:
            self._swarm.polls += 1
            asyncio.get_running_loop().call_later(self._swarm.interval_s, self.poll)
        else:
            self._swarm.faults.append(f"{self._ven_id}: {body[:200]!r}")

    def _answer(self, body: bytes, now: float) -> None:
        request_id = REQUEST_ID.search(body)
        assert request_id is not None
        responses = []
        for event, version, required in EVENT.findall(body):
            key = (event.decode(), int(version))
            if self._versions.get(key[0]) != key[1]:
                self._versions[key[0]] = key[1]
                self._swarm.heard_at.setdefault(key, []).append(now)
            if required == b"always":
                self._answering.append(key)
                responses.append(
                    m.EventResponse(
                        response_code="200",
                        request_id=request_id[1].decode(),
                        event_id=key[0],
                        modification_number=key[1],
                        opt_type="optIn",
                    )
                )
        answer = m.CreatedEvent(
            response=m.EiResponse(response_code="200", request_id=""),
            ven_id=self._ven_id,
            event_responses=tuple(responses),
        )
        self._send(http_post(f"{SERVICES}EiEvent", encode(answer)))

    def _send(self, request: bytes) -> None:
        self._last = request
        if self._transport is not None and not self._closed:
            self._transport.write(request)


def _content_length(head: bytes) -> int:
    found = re.search(rb"(?i)content-length: *(\d+)", head)
    assert found is not None, head
    return int(found[1])
