"""A load generator for one keep-alive request over mutual TLS, and the server's own cost of answering it.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under load, and the bytes to send it."""

    name: str
    pid: int
    port: int
    tls: ssl.SSLContext
    request: bytes
    """A whole HTTP request with Content-Length and keep-alive."""
    expect: bytes
    """What the body must hold, so that a fast refusal is not taken for an answer."""


def http_post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask_once(port: int, tls: ssl.SSLContext, request: bytes) -> bytes:
    """The body of the answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=HOST)
    writer.write(request)
    status, body = await _answer(reader)
    writer.close()
    assert b" 200 " in status, status
    return body


async def paired(targets: Sequence[Target], *, rounds: int, connections: int = 16, seconds: float = 1.0) -> Paired:
    """Requests per CPU-second of each target, after a round that only warms them up."""
    figures: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        await _requests_per_cpu_s(target, connections=connections, seconds=seconds / 2)
    for _ in range(rounds):
        for target in targets:
            figures[target.name].append(await _requests_per_cpu_s(target, connections=connections, seconds=seconds))
    return Paired(rounds={name: tuple(values) for name, values in figures.items()})


async def _requests_per_cpu_s(target: Target, *, connections: int, seconds: float) -> float:
    process = psutil.Process(target.pid)
    streams = [
        await asyncio.open_connection("127.0.0.1", target.port, ssl=target.tls, server_hostname=HOST)
        for _ in range(connections)
    ]
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    before = process.cpu_times()
    counts = await asyncio.gather(*(_ask(reader, writer, target, until, loop.time) for reader, writer in streams))
    after = process.cpu_times()
    for _, writer in streams:
        writer.close()
    return sum(counts) / float(after.user + after.system - before.user - before.system)


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: Target,
    until: float,
    clock: Callable[[], float],
) -> int:
    answered = 0
    while clock() < until:
        writer.write(target.request)
        status, body = await _answer(reader)
        if b" 200 " not in status or target.expect not in body:
            raise AssertionError(f"{target.name} answered {status!r} {body[:200]!r}")
        answered += 1
    return answered


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The status line and the body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head.split(b"\r\n", 1)[0], await reader.readexactly(_content_length(head))


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"no Content-Length in {head!r}")
