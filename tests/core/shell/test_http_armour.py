"""HTTP armour over real sockets: slow, large, compressed and malformed requests (security T30-T32, T34, T35, T38)."""

import asyncio
import contextlib
import gzip
import json
import resource
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
import structlog
from aiohttp import web

from openadr_core import limits as bounds
from openadr_core.shell.http_armour import SWEEP_S, HttpLimits, Running, read_body, serve
from openadr_core.shell.tls import client_context, server_context
from tests.core.shell.lab import Lab

PATIENT = HttpLimits(body_max_bytes=bounds.XML_BODY_MAX_BYTES)
HASTY = replace(PATIENT, header_wait_s=0.3, body_wait_s=0.3, keepalive_s=0.5)
SLOWNESS = ["silent", "half a header", "dripped header", "half a body", "dripped body", "half a chunk"]


async def echo(request: web.Request) -> web.Response:
    body = await read_body(request, max_bytes=bounds.XML_BODY_MAX_BYTES)
    return web.json_response({"path": request.path, "bytes": len(body), "content_type": request.content_type})


async def plain(request: web.Request) -> web.Response:
    """A handler that forgot `read_body`."""
    return web.Response(body=await request.read())


async def unchunked(request: web.Request) -> web.Response:
    return web.Response(body=await read_body(request, max_bytes=1000, length_announced=True))


async def broken(request: web.Request) -> web.Response:
    raise RuntimeError("SELECT secret FROM parties; /etc/vtn/key.pem; AA:BB:CC")


@asynccontextmanager
async def running(limits: HttpLimits = PATIENT) -> AsyncIterator[Running]:
    app = web.Application()
    app.router.add_route("*", "/echo", echo)
    app.router.add_post("/plain", plain)
    app.router.add_post("/unchunked", unchunked)
    app.router.add_get("/broken", broken)
    server = await serve(app, host="127.0.0.1", port=0, limits=limits)
    try:
        yield server
    finally:
        await server.close()


async def tell(port: int, request: bytes, *, wait_s: float = 3.0) -> bytes:
    """Everything the server says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(wait_s):
            while part := await reader.read(65536):
                answer += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


async def linger(port: int, kind: str, *, wait_s: float) -> float:
    """Seconds until the server closes on one that is slow in this way; infinity if it does not within ``wait_s``."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /plain HTTP/1.1\r\nHost: vtn\r\n"
    start, drip = {
        "silent": (b"", b""),
        "half a header": (head + b"Content-", b""),
        "dripped header": (head, b"X: y\r\n"),
        "half a body": (head + b"Content-Length: 90000\r\n\r\nhalf", b""),
        "dripped body": (head + b"Content-Length: 90000\r\n\r\n", b"."),
        "half a chunk": (head + b"Transfer-Encoding: chunked\r\n\r\n9000\r\nhalf", b""),
    }[kind]
    closed = asyncio.ensure_future(reader.read())
    try:
        writer.write(start)
        while not closed.done() and time.monotonic() - began < wait_s:
            writer.write(drip)
            await asyncio.wait([closed], timeout=0.1)
        return time.monotonic() - began if closed.done() else float("inf")
    finally:
        closed.cancel()
        await asyncio.gather(closed, return_exceptions=True)
        writer.close()


@pytest.mark.parametrize("kind", SLOWNESS)
async def test_the_slow_are_cut_off(kind: str) -> None:
    with structlog.testing.capture_logs() as records:
        async with running(replace(HASTY, keepalive_s=30.0)) as server:
            took_s = await linger(server.port, kind, wait_s=5.0)
    assert HASTY.body_wait_s <= took_s <= HASTY.body_wait_s + SWEEP_S + 1.0
    assert [record["event"] for record in records] == ["slow peer cut off"], "and nothing is blamed on us"


async def test_who_spoke_while_we_were_busy_is_answered() -> None:
    """A crowd that comes back costs seconds of handshakes, in which nobody is read from: that is nobody's silence."""
    async with running(HASTY) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.sleep(0.1)  # it is accepted, and nothing has been heard of it
        writer.write(b"GET /echo HTTP/1.1\r\nHost: vtn\r\n\r\n")
        time.sleep(HASTY.header_wait_s + 2 * SWEEP_S)  # noqa: ASYNC251  # the loop is what is kept busy
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
        assert status(head) == 200
        writer.close()


async def test_a_peer_that_leaves_in_the_middle_is_no_error_of_ours() -> None:
    with structlog.testing.capture_logs() as records:
        async with running() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /plain HTTP/1.1\r\nHost: vtn\r\nContent-Length: 90000\r\n\r\nhalf")
            await asyncio.sleep(0.1)
            writer.transport.abort()
            await asyncio.sleep(0.1)
    assert records == []


async def test_as_shipped_the_slow_are_cut_off_within_six_seconds() -> None:
    """T30, with the limits of production and every way of being slow at once."""
    async with running() as server:
        took_s = await asyncio.gather(*(linger(server.port, kind, wait_s=8.0) for kind in SLOWNESS))
    assert max(took_s) <= 6.0, dict(zip(SLOWNESS, took_s, strict=True))


async def test_a_quick_peer_keeps_its_connection() -> None:
    async with running(replace(HASTY, keepalive_s=30.0)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(b"POST /echo HTTP/1.1\r\nHost: vtn\r\nContent-Length: 4\r\n\r\nbody")
            head = await reader.readuntil(b"\r\n\r\n")
            assert status(head) == 200
            await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
            await asyncio.sleep(HASTY.header_wait_s + SWEEP_S)
        writer.close()


async def test_an_idle_connection_ends_with_its_keepalive() -> None:
    async with running(HASTY) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /echo HTTP/1.1\r\nHost: vtn\r\n\r\n")
        async with asyncio.timeout(HASTY.keepalive_s + 2.0):
            await reader.read()
        writer.close()


async def test_a_compressed_body_is_refused_without_being_inflated() -> None:
    """T31: eight bombs of a gigabyte each cost next to nothing."""
    bomb = gzip.compress(gzip.compress(bytes(1 << 24)) * 64)  # sent eight times; the first layer alone is 1 MB
    request = (
        b"POST /plain HTTP/1.1\r\nHost: vtn\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    ) + bomb
    async with running() as server:
        before = resource.getrusage(resource.RUSAGE_SELF)
        answers = await asyncio.gather(*(tell(server.port, request) for _ in range(8)))
        after = resource.getrusage(resource.RUSAGE_SELF)
    assert {status(answer) for answer in answers} == {415}
    assert after.ru_utime - before.ru_utime < 0.1


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "gzip, identity", "zstd"])
async def test_every_coding_is_refused(coding: str) -> None:
    async with running() as server:
        head = f"POST /echo HTTP/1.1\r\nHost: vtn\r\nContent-Encoding: {coding}\r\nContent-Length: 0\r\n\r\n"
        assert status(await tell(server.port, head.encode())) == 415


async def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    """T32: 100 MB announced."""
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.monotonic()
        writer.write(b"POST /plain HTTP/1.1\r\nHost: vtn\r\nContent-Length: 100000000\r\n\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        assert time.monotonic() - began < 0.2
        assert status(answer) == 413
        assert b"onnection: close" in answer
        async with asyncio.timeout(bounds.HTTP_LINGER_S + 1.0):
            await reader.read()
        writer.close()


async def test_a_body_that_grows_too_large_is_refused() -> None:
    chunk = b"%x\r\n" % 70_000 + bytes(70_000) + b"\r\n"
    async with running() as server:
        answer = await tell(
            server.port, b"POST /echo HTTP/1.1\r\nHost: vtn\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 5
        )
    assert status(answer) == 413


async def test_a_route_may_allow_less_and_refuse_chunks() -> None:
    async with running() as server:
        head = b"POST /unchunked HTTP/1.1\r\nHost: vtn\r\nConnection: close\r\n"
        assert status(await tell(server.port, head + b"Content-Length: 1001\r\n\r\n" + bytes(1001))) == 413
        assert status(await tell(server.port, head + b"Content-Length: 1000\r\n\r\n" + bytes(1000))) == 200
        # OpenADR 2.0b 9.1.9.4: no chunked transfer encoding.
        assert status(await tell(server.port, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) == 411


async def test_a_body_in_many_pieces_arrives_whole() -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: vtn\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(10):
            writer.write(bytes(10_000))
            await writer.drain()
            await asyncio.sleep(0.01)
        assert json.loads((await reader.read()).split(b"\r\n\r\n")[1])["bytes"] == 100_000
        writer.close()


HOST = b"Host: vtn\r\n"
SMUGGLING = {
    "length and chunked": HOST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "chunked and length": HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
    "two lengths": HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!",
    "the same length twice": HOST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
    "a list of lengths": HOST + b"Content-Length: 4, 4\r\n\r\nbody",
    "signed length": HOST + b"Content-Length: +4\r\n\r\nbody",
    "negative length": HOST + b"Content-Length: -4\r\n\r\nbody",
    "hexadecimal length": HOST + b"Content-Length: 0x4\r\n\r\nbody",
    "spaced length": HOST + b"Content-Length: 4 4\r\n\r\nbody",
    "underscored length": HOST + b"Content-Length: 1_0\r\n\r\nbodybodybo",
    "empty length": HOST + b"Content-Length:\r\n\r\nbody",
    "huge length": HOST + b"Content-Length: 99999999999999999999999999\r\n\r\nbody",
    "unknown transfer coding": HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity transfer coding": HOST + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked is not last": HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "vertical tab before chunked": HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before colon": HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "space in a name": HOST + b"Content Length: 4\r\n\r\nbody",
    "folded line": HOST + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n",
    "folded first line": b" " + HOST + b"\r\n",
    "bare line feed": HOST + b"X: a\nContent-Length: 4\r\n\r\nbody",
    "bare carriage return": HOST + b"X: a\rContent-Length: 4\r\n\r\nbody",
    "nul in a value": HOST + b"X: a\x00b\r\n\r\n",
    "nul in a name": HOST + b"X\x00: b\r\n\r\n",
    "no colon": HOST + b"nonsense\r\n\r\n",
    "no name": HOST + b": value\r\n\r\n",
    "no host": b"X: y\r\n\r\n",
    "two hosts": HOST + b"Host: other\r\n\r\n",
    "chunk size is no number": HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunk size signed": HOST + b"Transfer-Encoding: chunked\r\n\r\n+4\r\nbody\r\n0\r\n\r\n",
    "chunk size prefixed": HOST + b"Transfer-Encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n",
    "chunk longer than it says": HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nbody\r\n0\r\n\r\n",
    "many headers": HOST + b"".join(b"X%d: y\r\n" % number for number in range(200)) + b"\r\n",
    "long header": HOST + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
}
SMUGGLING_FIRST_LINES = {
    "long target": b"POST /echo?" + b"y" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"POST /echo\r\n" + HOST + b"\r\n",
    "unknown version": b"POST /echo HTTP/3.7\r\n" + HOST + b"\r\n",
    "control character in the target": b"POST /ec\x01ho HTTP/1.1\r\n" + HOST + b"\r\n",
    "no method": b"/echo HTTP/1.1\r\n" + HOST + b"\r\n",
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http\r\n\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", [*SMUGGLING, *SMUGGLING_FIRST_LINES])
async def test_what_two_servers_might_read_differently_is_refused(name: str) -> None:
    """T34. The answer is the only one: nothing behind the refused request is answered."""
    request = SMUGGLING_FIRST_LINES.get(name) or b"POST /echo HTTP/1.1\r\n" + SMUGGLING[name]
    after = b"GET /smuggled HTTP/1.1\r\nHost: vtn\r\n\r\n"
    with structlog.testing.capture_logs() as records:
        async with running() as server:
            answer = await tell(server.port, request + after)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.") == 1
    assert len(records) == 1
    assert records[0]["event"] == "malformed request"
    assert records[0]["reference"].encode() in answer


@pytest.mark.openadr20b("T2")
@pytest.mark.parametrize("method", ["FOO", "post", "Get"])
async def test_a_method_that_nobody_knows_is_501(method: str) -> None:
    async with running() as server:
        answer = await tell(server.port, f"{method} /echo HTTP/1.1\r\nHost: vtn\r\n\r\n".encode())
    assert status(answer) == 501


async def test_a_chunk_that_goes_wrong_later_ends_the_connection() -> None:
    """The handler is told nothing of it by aiohttp: to the sweep it is a body that does not end."""
    async with running(HASTY) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: vtn\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"nonsense\r\n")
        async with asyncio.timeout(2.0):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    "target",
    [
        "/../../etc/passwd", "/%2e%2e%2f%2e%2e%2fetc/passwd", "/..%2f", "/echo/..", "//echo", "/./echo", "/echo%00",
        "http://evil.example/echo", "https://evil.example:99/echo", "*", "evil.example:443", "/echo/", "/ECHO",
    ],
)  # fmt: skip
async def test_no_other_way_leads_to_a_route(target: str) -> None:
    """T35: what is not the path of a route, letter by letter, is not there; a foreign host is never repeated."""
    async with running() as server:
        answer = await tell(
            server.port, f"GET {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
        )
    assert status(answer) in {400, 404}
    assert b"evil" not in answer
    assert b"passwd" not in answer


async def test_an_error_of_ours_tells_a_reference_and_nothing_else() -> None:
    """T38."""
    with structlog.testing.capture_logs() as records:
        async with running() as server:
            answer = await tell(server.port, b"GET /broken HTTP/1.1\r\nHost: vtn\r\n\r\n")
    (record,) = records
    body = answer.split(b"\r\n\r\n")[1].decode()
    assert status(answer) == 500
    assert body == f"500 Internal Server Error\nreference {record['reference']}\n"
    assert record["log_level"] == "error"
    assert isinstance(record["exc_info"], RuntimeError)


async def test_a_flood_of_nonsense_writes_a_few_lines() -> None:
    with structlog.testing.capture_logs() as records:
        async with running() as server:
            await asyncio.gather(*(tell(server.port, b"nonsense\r\n\r\n") for _ in range(100)))
    assert len(records) <= 5


async def test_every_refusal_is_counted() -> None:
    reasons: list[str] = []
    head = b"POST /echo HTTP/1.1\r\nHost: vtn\r\n"
    app = web.Application()
    limits = replace(HASTY, keepalive_s=30.0)
    server = await serve(app, host="127.0.0.1", port=0, limits=limits, on_refusal=reasons.append)
    try:
        await tell(server.port, b"nonsense\r\n\r\n")
        await tell(server.port, b"GET http://evil.example/ HTTP/1.1\r\nHost: vtn\r\n\r\n")
        await tell(server.port, head + b"Content-Encoding: br\r\nContent-Length: 0\r\n\r\n")
        await tell(server.port, head + b"Content-Length: 999999999\r\n\r\n")
        await tell(server.port, b"")
    finally:
        await server.close()
    assert reasons == ["malformed request", "foreign target", "compressed body", "large body", "no request"]


async def test_a_large_upload_is_told_so_while_it_is_still_sending() -> None:
    """T32 with the bytes really on their way, chunked and with a length; the server keeps none of them."""

    async def upload() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield bytes(1 << 18)

    async with running() as server, httpx.AsyncClient(base_url=server.url) as client:
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        chunked = await client.post("/echo", content=upload())
        announced = await client.post("/echo", content=upload(), headers={"Content-Length": str(32 << 18)})
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert [chunked.status_code, announced.status_code] == [413, 413]
    assert grown_kb < 8 * 1024, "client and server together"


async def test_a_request_in_progress_is_answered_before_the_server_is_gone() -> None:
    started = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        started.set()
        await asyncio.sleep(0.3)
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/slow", slow)
    server = await serve(app, host="127.0.0.1", port=0)
    answer = asyncio.create_task(tell(server.port, b"GET /slow HTTP/1.1\r\nHost: vtn\r\n\r\n"))
    await started.wait()
    await server.close()
    assert (await answer).endswith(b"done")


async def test_a_taken_port_is_said_so() -> None:
    async with running() as server:
        with pytest.raises(OSError, match="in use"):
            await serve(web.Application(), host="127.0.0.1", port=server.port)


async def test_a_handshake_that_ends_after_the_server_does_leads_nowhere(lab: Lab) -> None:
    """Whoever serves the address next must get what is said there."""
    served: list[str] = []

    async def listen(request: web.Request) -> web.Response:
        served.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listen)
    tls = server_context("modern-2.0b", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")])
    server = await serve(app, host="127.0.0.1", port=0, tls=tls)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = client_context("modern-2.0b", lab.chain("openadr-ecc-ven"), [lab.trust("ecc")])
    secured = context.wrap_bio(coming, going, server_hostname="localhost")

    async def step() -> bool:
        """Whether our part of the handshake is over."""
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(going.read())
            coming.write(await reader.read(65536))
            return False
        return True

    assert not await step()  # the server has answered our first word, and waits for our second
    await server.close()
    while not await step():
        pass
    secured.write(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
    writer.write(going.read())
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65536), 5):
            pass
    writer.transport.abort()
    assert served == []


async def test_after_close_nobody_listens() -> None:
    async with running() as server:
        assert status(await tell(server.port, b"GET /echo HTTP/1.1\r\nHost: vtn\r\nConnection: close\r\n\r\n")) == 200
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


def test_urls_are_ready_to_use() -> None:
    async def urls() -> list[str]:
        servers = [await serve(web.Application(), host=host, port=0) for host in ("127.0.0.1", "::1")]
        for server in servers:
            await server.close()
        return [server.url.replace(str(server.port), "PORT") for server in servers]

    assert asyncio.run(urls()) == ["http://127.0.0.1:PORT", "http://[::1]:PORT"]


@pytest.mark.openadr20b("R516", "S4")
async def test_who_may_not_speak_any_more_cuts_the_connection_without_a_word() -> None:
    may_speak, reasons = [True], list[str]()
    app = web.Application()
    app.router.add_route("*", "/echo", echo)
    server = await serve(
        app, host="127.0.0.1", port=0, may_speak=lambda: may_speak[0], on_refusal=reasons.append
    )  # fmt: skip
    try:
        ask = b"POST /echo HTTP/1.1\r\nHost: vtn\r\nContent-Length: 0\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ask)
        assert status(await reader.readuntil(b"}")) == 200
        may_speak[0] = False
        writer.write(ask)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        assert await tell(server.port, ask) == b""
    finally:
        await server.close()
    assert reasons == ["own certificate has ended"] * 2
