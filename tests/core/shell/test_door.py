"""The door over real sockets: so many requests at a time, and no more; what it tells is little."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web

from openadr_core.errors import Unavailable
from openadr_core.exchange import Request, Response
from openadr_core.limits import RETRIES_LEAST_PER_S, RETRY_AFTER_S, RETRY_SPREAD_MAX_S
from openadr_core.shell.door import Door, _Appointments
from openadr_core.shell.http_armour import Running, serve

BODY_MAX = 1000


class Core:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.heard: list[Request] = []
        self.came = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.fault: Exception | None = None
        self.answer = Response(status=200, body=b"<done/>", headers={"content-type": "application/xml"})

    async def answering(self, asked: Request) -> Response:
        self.heard.append(asked)
        self.came.release()
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return self.answer


@asynccontextmanager
async def serving(core: Core, door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async def handle(request: web.Request) -> web.Response:
        return await door.exchange(request, core.answering)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    running: Running = await serve(app, host="127.0.0.1", port=0)
    try:
        async with httpx.AsyncClient(base_url=running.url) as client:
            yield client
    finally:
        await running.close()


@pytest.mark.openadr20b("T8")
async def test_beyond_its_bound_it_says_busy_at_once_and_keeps_the_connection() -> None:
    busy: list[int] = []
    core = Core()
    door = Door(body_max_bytes=BODY_MAX, in_flight_max=3, on_busy=lambda: busy.append(door.in_flight))
    async with serving(core, door) as client:
        slow = [asyncio.create_task(client.post("/", content=b"slow")) for _ in range(3)]
        for _ in slow:
            await core.came.acquire()
        refused = [await client.post("/", content=b"more") for _ in range(20)]
        assert {(one.status_code, one.headers["Retry-After"]) for one in refused} == {(503, str(RETRY_AFTER_S))}
        assert {one.headers.get("Connection", "") for one in refused} == {""}
        assert busy == [3] * 20, "the work in flight never grows beyond the bound"
        assert len(core.heard) == 3, "and the core saw nothing of the others"
        core.open.set()
        assert [one.status_code for one in await asyncio.gather(*slow)] == [200] * 3
        assert door.in_flight == 0
        assert (await client.post("/", content=b"again")).content == b"<done/>"


@pytest.mark.openadr20b("T8")
async def test_a_store_that_is_away_is_503_and_frees_its_place() -> None:
    core, door = Core(), Door(body_max_bytes=BODY_MAX, in_flight_max=1)
    core.open.set()
    core.fault = Unavailable("gone")
    async with serving(core, door) as client:
        for _ in range(3):
            assert (await client.post("/", content=b"x")).status_code == 503
    assert door.in_flight == 0


async def test_the_core_is_given_what_came_and_gives_what_goes() -> None:
    core, door = Core(), Door(body_max_bytes=BODY_MAX)
    core.open.set()
    async with serving(core, door) as client:
        answer = await client.post("/a/./b%2Ec?d", content=b"body", headers={"X-Said": "Yes"})
        assert (answer.status_code, answer.content) == (200, b"<done/>")
        (asked,) = core.heard
        assert (asked.method, asked.body, asked.headers["x-said"]) == ("POST", b"body", "Yes")
        assert asked.path.startswith("/")
        assert asked.path.endswith("?d")
        for status in (403, 404, 406, 501):
            core.answer = Response(status=status, body=b"nobody reads this")
            refused = await client.post("/", content=b"x")
            assert refused.status_code == status
            assert refused.text.splitlines() == [f"{status} {httpx.codes.get_reason_phrase(status)}"]
            assert refused.headers["Connection"] == "close"


@pytest.mark.openadr20b("R53", "T5", "T6")
async def test_a_body_must_say_how_long_it_is() -> None:
    core, door = Core(), Door(body_max_bytes=BODY_MAX)
    core.open.set()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"body"

    async with serving(core, door) as client:
        assert (await client.post("/", content=pieces())).status_code == 411
        assert (await client.post("/", content=bytes(BODY_MAX + 1))).status_code == 413
        assert core.heard == []
        await client.get("/")
        assert [(asked.method, asked.body) for asked in core.heard] == [("GET", b"")]


async def test_what_may_wait_is_let_in_beyond_the_bound() -> None:
    core, door = Core(), Door(body_max_bytes=BODY_MAX, in_flight_max=1)
    app = web.Application()

    async def handle(request: web.Request) -> web.Response:
        return await door.exchange(request, core.answering, waits=request.path == "/poll")

    app.router.add_post("/{path:.*}", handle)
    running: Running = await serve(app, host="127.0.0.1", port=0)
    try:
        async with httpx.AsyncClient(base_url=running.url) as client:
            waiting = [asyncio.create_task(client.post("/poll", content=b"poll")) for _ in range(5)]
            # Those that wait take nobody's place, and need none.
            waiting.append(asyncio.create_task(client.post("/event", content=b"x")))
            for _ in waiting:
                await core.came.acquire()
            assert (await client.post("/event", content=b"x")).status_code == 503
            waiting.append(asyncio.create_task(client.post("/poll", content=b"poll")))
            await core.came.acquire()
            core.open.set()
            assert [one.status_code for one in await asyncio.gather(*waiting)] == [200] * 7
    finally:
        await running.close()


def test_a_crowd_is_told_to_come_again_over_as_long_as_it_takes_to_serve_it() -> None:
    appointments = _Appointments()
    for number in range(601):
        appointments.served(100.0 + number / 300)
    told = [102 + appointments.wait_s(102.0) for _ in range(3_000)]
    told += [103 + appointments.wait_s(103.0) for _ in range(3_000)]
    assert min(told) == 102 + RETRY_AFTER_S
    assert max(told) == pytest.approx(102 + RETRY_AFTER_S + 6_000 / 300, abs=1)
    assert max(Counter(told).values()) <= 2 * 300
    assert appointments.wait_s(200.0) == RETRY_AFTER_S, "the crowd has gone"


def test_nobody_waits_longer_than_is_bearable_however_slow_it_is() -> None:
    appointments = _Appointments()
    told = [appointments.wait_s(0.0) for _ in range(100 * RETRIES_LEAST_PER_S)]
    assert max(told) == RETRY_SPREAD_MAX_S
