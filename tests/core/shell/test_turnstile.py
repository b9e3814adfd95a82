"""Connections by address (security T36): what one takes too many of, others still get. Real sockets, real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.shell.http_armour import HttpLimits, Running, serve
from openadr_core.shell.tls import client_context, server_context
from openadr_core.shell.turnstile import ConnectionLimits, Turnstile
from tests.core.shell.lab import Lab

LIMITS = ConnectionLimits(at_once=100, at_once_per_address=3, per_minute_per_address=60)
OTHER = "127.0.0.2"

addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"])


@given(steps=st.lists(st.tuples(addresses, st.booleans()), max_size=60))
def test_no_address_and_not_all_together_hold_more_than_they_may(steps: list[tuple[str, bool]]) -> None:
    limits = ConnectionLimits(at_once=5, at_once_per_address=2, per_minute_per_address=10_000)
    turnstile = Turnstile(limits)
    inside: list[tuple[str, Callable[[], None]]] = []
    for address, comes in steps:
        if comes:
            key = address if "." in address else address.rpartition("::")[0]
            held = sum(1 for other, _ in inside if other == key)
            leave = turnstile.enter(address, 0.0)
            assert (leave is not None) == (held < 2 and len(inside) < 5)
            if leave is not None:
                inside.append((key, leave))
        elif inside:
            _, leave = inside.pop()
            leave()
            leave()  # which counts once
    for _, leave in inside:
        leave()
    assert not turnstile._inside
    assert not turnstile._total


def test_new_connections_come_in_bursts_and_then_one_by_one() -> None:
    turnstile = Turnstile(ConnectionLimits(at_once=1000, at_once_per_address=1000, per_minute_per_address=60))
    first = [turnstile.enter("192.0.2.1", 0.0) is not None for _ in range(100)]
    assert first == [True] * 60 + [False] * 40
    assert turnstile.enter("192.0.2.2", 0.0) is not None
    assert turnstile.enter("192.0.2.1", 1.0) is not None
    assert turnstile.enter("192.0.2.1", 1.0) is None


@pytest.fixture
def tls(lab: Lab) -> ssl.SSLContext:
    return server_context("oadr3", [lab.chain("openadr-ecc-vtn")], [], "none")


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


@asynccontextmanager
async def serving(
    tls: ssl.SSLContext, connections: ConnectionLimits, limits: HttpLimits | None = None
) -> AsyncIterator[tuple[Running, list[str]]]:
    app = web.Application()
    app.router.add_get("/", hello)
    refused: list[str] = []
    server = await serve(
        app, host="127.0.0.1", port=0, tls=tls, connections=connections, limits=limits, on_refusal=refused.append
    )
    try:
        yield server, refused
    finally:
        await server.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody at an address of this machine's."""

    port: int
    tls: ssl.SSLContext
    address: str = "127.0.0.1"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname="localhost", local_addr=(self.address, 0)
        )

    async def is_served(self) -> bool:
        try:
            reader, writer = await self.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
        except OSError:
            return False
        return answer.endswith(b"hello")

    async def until_served(self) -> None:
        """A place is given back when its connection has ended, which takes a moment."""
        async with asyncio.timeout(10):
            for _ in range(1000):
                if await self.is_served():
                    return
                await asyncio.sleep(0.01)


@pytest.fixture
def client_tls(lab: Lab) -> ssl.SSLContext:
    return client_context("oadr3", None, [lab.trust("ecc")])


async def test_one_address_that_holds_what_it_may_keeps_nobody_else_out(
    tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serving(tls, LIMITS) as (server, refused):
        here = Caller(port=server.port, tls=client_tls)
        held = [await here.connect() for _ in range(LIMITS.at_once_per_address)]
        assert not await here.is_served()
        assert refused == ["too many connections"]
        assert await replace(here, address=OTHER).is_served()
        held.pop()[1].close()
        await here.until_served()


async def test_a_flood_of_handshakes_is_cut_off_and_others_are_served(
    tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """T36: from one address so many handshakes a minute are paid for, and no more."""
    async with serving(tls, replace(LIMITS, at_once_per_address=100, per_minute_per_address=20)) as (server, _):
        here = Caller(port=server.port, tls=client_tls)
        served = [await here.is_served() for _ in range(60)]
        assert served[:20] == [True] * 20
        assert served.count(True) < 40  # a noisy machine may take a while, in which some more are due
        assert await replace(here, address=OTHER).is_served()


async def test_who_never_shakes_hands_gives_its_place_back(tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    limits = replace(HttpLimits(), tls_handshake_wait_s=0.2)
    async with serving(tls, replace(LIMITS, at_once=2), limits) as (server, _):
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        other = Caller(port=server.port, tls=client_tls, address=OTHER)
        await other.until_served()
        for _, writer in silent:
            writer.close()


async def test_rubbish_instead_of_a_handshake_gives_its_place_back(
    tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serving(tls, replace(LIMITS, per_minute_per_address=10_000)) as (server, _):
        for _ in range(LIMITS.at_once_per_address * 2):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(10):
                while await reader.read(1024):
                    pass
            writer.close()
        await Caller(port=server.port, tls=client_tls).until_served()
