"""A load generator for keep-alive requests over mutual TLS, and the server's own cost of answering them.

The figure is requests per CPU-second of the server: on a shared machine it moves far less than
requests per second, and it is what decides how many VENs one core can serve.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from tests.bench.pairing import Paired

HOST = "localhost"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One keep-alive connection."""

    tls: ssl.SSLContext
    request: Callable[[], bytes]
    """A whole HTTP request with Content-Length and keep-alive; asked anew each time, as signatures want."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under load, and who asks it what."""

    name: str
    pid: int
    port: int
    clients: Sequence[Client]
    expect: bytes
    """What the body must hold, so that a fast refusal is not taken for an answer."""
    status: int = 200


def http_post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def http_get(path: str, **headers: str) -> bytes:
    said = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{said}\r\n".encode()


async def ask_once(port: int, tls: ssl.SSLContext, request: bytes) -> bytes:
    """The body of the answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=HOST)
    writer.write(request)
    status, body = await _answer(reader)
    writer.close()
    assert b" 200 " in status, status
    return body


async def paired(targets: Sequence[Target], *, rounds: int, seconds: float = 1.0) -> Paired:
    """Requests per CPU-second of each target, after a round that only warms them up; handshakes are not in it."""
    figures: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        await _requests_per_cpu_s(target, seconds / 2)
    for _ in range(rounds):
        for target in targets:
            figures[target.name].append(await _requests_per_cpu_s(target, seconds))
    return Paired(rounds={name: tuple(values) for name, values in figures.items()})


async def _requests_per_cpu_s(target: Target, seconds: float) -> float:
    process = psutil.Process(target.pid)
    loop = asyncio.get_running_loop()
    streams = [
        await asyncio.open_connection("127.0.0.1", target.port, ssl=client.tls, server_hostname=HOST)
        for client in target.clients
    ]
    before = process.cpu_times()
    until = loop.time() + seconds
    asking = zip(streams, target.clients, strict=True)
    counts = await asyncio.gather(*(_ask(stream, client, target, until, loop.time) for stream, client in asking))
    after = process.cpu_times()
    for _, writer in streams:
        writer.close()
    return sum(counts) / float(after.user + after.system - before.user - before.system)


async def _ask(stream: Streams, client: Client, target: Target, until: float, clock: Callable[[], float]) -> int:
    reader, writer = stream
    answered = 0
    while clock() < until:
        writer.write(client.request())
        status, body = await _answer(reader)
        if b" %d " % target.status not in status or target.expect not in body:
            raise AssertionError(f"{target.name} answered {status!r} {body[:200]!r}")
        answered += 1
    return answered


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The status line and the body."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0]
    return status, b"" if b" 304 " in status else await reader.readexactly(_content_length(head))


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"no Content-Length in {head!r}")
