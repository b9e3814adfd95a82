"""Who may connect, before a handshake is paid for (security T36): so many from one address, and so many at all.

An address that has too many connections, or makes new ones too fast, is reset at once: that costs an
accept, where a TLS handshake costs a millisecond and keeps kilobytes. Everybody else is served.
"""

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import structlog

from openadr_core.shell.sampling import Sampler
from openadr_core.shell.throttle import Throttle

log = structlog.get_logger(__name__)

BACKLOG = 1024
IPV6_BITS = 64
"""What one subscriber has of IPv6: to count single addresses of it would count nothing."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closed without a word, and nothing is kept of it."""
AGAIN_S = 1.0
"""After an accept that failed, for want of descriptors as a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    at_once: int
    at_once_per_address: int
    per_minute_per_address: int
    """New ones, in bursts of as many."""


class Turnstile:
    """Counts; it opens no socket."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._new = Throttle(limits.per_minute_per_address)
        self._inside: Counter[str] = Counter()
        self._total = 0

    def enter(self, address: str, now_s: float) -> Callable[[], None] | None:
        """What to call, once or more often, when this connection has ended; None: it may not be."""
        key = _subscriber(address)
        limits = self._limits
        if self._total >= limits.at_once or self._inside[key] >= limits.at_once_per_address:
            return None
        if self._new.wait_s(key, now_s):
            return None
        self._new.count(key, now_s)
        self._inside[key] += 1
        self._total += 1
        inside = True

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                self._inside[key] -= 1
                self._total -= 1
                if not self._inside[key]:
                    del self._inside[key]

        return leave


def _subscriber(address: str) -> str:
    found = ip_address(address.partition("%")[0])
    return address if found.version == 4 else str(ip_network(f"{found}/{IPV6_BITS}", strict=False))


ProtocolFactory = Callable[[Callable[[], None]], asyncio.Protocol]
"""Given what the protocol must call when its connection is lost."""


class Reception:
    """A listening socket behind a turnstile; what asyncio's own server does, but for the question who may enter."""

    def __init__(
        self,
        listening: socket.socket,
        turnstile: Turnstile,
        protocol: ProtocolFactory,
        *,
        tls: ssl.SSLContext | None,
        handshake_wait_s: float | None,
        shutdown_wait_s: float | None,
        on_refusal: Callable[[str], None],
    ) -> None:
        self._listening = listening
        self._turnstile = turnstile
        self._protocol = protocol
        self._tls = tls
        self._handshake_wait_s = handshake_wait_s
        self._shutdown_wait_s = shutdown_wait_s
        self._on_refusal = on_refusal
        self._sampler = Sampler()
        self._entering: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._accepting = self._loop.create_task(self._accept())

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def close(self) -> None:
        self._accepting.cancel()
        for task in self._entering:
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(self._accepting, *self._entering, return_exceptions=True)
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, (address, *_) = await self._loop.sock_accept(self._listening)
            except OSError as error:
                log.warning("connection not accepted", said=error.strerror)
                await asyncio.sleep(AGAIN_S)
                continue
            leave = self._turnstile.enter(address, self._loop.time())
            if leave is None:
                self._turn_away(connection, address)
            else:
                task = self._loop.create_task(self._let_in(connection, leave))
                self._entering.add(task)
                task.add_done_callback(self._entering.discard)
            # A flood that is accepted without a pause would leave no time for those inside.
            await asyncio.sleep(0)

    async def _let_in(self, connection: socket.socket, leave: Callable[[], None]) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(leave),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_wait_s,
                ssl_shutdown_timeout=self._shutdown_wait_s,
            )
        except OSError:  # a handshake that failed or took too long: ssl.SSLError and TimeoutError are such errors
            leave()
        except BaseException:
            leave()
            raise

    def _turn_away(self, connection: socket.socket, address: str) -> None:
        self._on_refusal("too many connections")
        left_out = self._sampler.take("too many connections", self._loop.time())
        if left_out is not None:
            log.warning("too many connections", peer=address, left_out=left_out)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises OSError if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.create_server((host, port), family=family, backlog=BACKLOG)
    opened.setblocking(False)
    return opened
