"""A load generator for one keep-alive request over mutual TLS, and the server's own cost of answering it.

The figure is requests per CPU-second of the server: on a shared machine it moves far less than
requests per second, and it is what decides how many VENs one core can serve.
"""

import asyncio
import ssl
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil


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


def http_post(path: str, body: bytes, *, port: int) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def measure(target: Target, *, connections: int, seconds: float) -> float:
    """Requests answered per CPU-second of the server."""
    process = psutil.Process(target.pid)
    streams = [
        await asyncio.open_connection("127.0.0.1", target.port, ssl=target.tls, server_hostname="localhost")
        for _ in range(connections)
    ]
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    before = process.cpu_times()
    counts = await asyncio.gather(*(_ask(reader, writer, target, until, loop.time) for reader, writer in streams))
    after = process.cpu_times()
    for _, writer in streams:
        writer.close()
    spent = (after.user + after.system) - (before.user + before.system)
    return sum(counts) / spent


async def paired(
    targets: Sequence[Target], *, rounds: int = 5, connections: int = 16, seconds: float = 1.0
) -> dict[str, float]:
    """Median requests per CPU-second of each target, the rounds interleaved so that drift hits all alike."""
    samples: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        await measure(target, connections=connections, seconds=seconds / 2)
    for _ in range(rounds):
        for target in targets:
            samples[target.name].append(await measure(target, connections=connections, seconds=seconds))
    return {name: statistics.median(values) for name, values in samples.items()}


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
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_content_length(head))
        if b" 200 " not in head.split(b"\r\n", 1)[0] or target.expect not in body:
            raise AssertionError(f"{target.name} answered {head!r} {body[:200]!r}")
        answered += 1
    return answered


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"no Content-Length in {head!r}")
