"""An aiohttp server that strangers may talk to: limits, deadlines, refusals that tell nothing.

`serve` starts one. What it adds to aiohttp (which has no deadline for headers or bodies, inflates
what it has refused, and logs a traceback per bad request) costs a request two comparisons:

* a connection that sends no request, or a body that does not arrive, is cut off by a sweep;
* a compressed body, an absolute-form target and a body that is too large are refused unread;
* errors have fixed texts with a reference that the log repeats.
"""

import asyncio
import logging
import re
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import BadHttpMethod

from openadr_core import limits as bounds
from openadr_core.shell.sampling import Sampler
from openadr_core.shell.turnstile import ConnectionLimits, Reception, Turnstile, listening_socket

SWEEP_S = 0.25
"""Deadlines are looked at this often: late by at most that."""

SHUTDOWN_WAIT_S = 5.0
"""What a request in progress gets when the server closes."""

UNKNOWN_METHOD = re.compile(r"b'[A-Za-z]+ /")
"""In what aiohttp says of a first line whose method it does not know: it looks like one."""

log = structlog.get_logger(__name__)

Refuse = Callable[[int, str], web.Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    body_max_bytes: int = bounds.XML_REPORT_BODY_MAX_BYTES
    """The most of any route; a route asks for less in `read_body`."""
    header_wait_s: float = bounds.HTTP_HEADER_WAIT_S
    body_wait_s: float = bounds.HTTP_BODY_WAIT_S
    keepalive_s: float = bounds.HTTP_KEEPALIVE_S
    tls_handshake_wait_s: float = bounds.TLS_HANDSHAKE_WAIT_S
    tls_shutdown_wait_s: float = bounds.TLS_SHUTDOWN_WAIT_S


@dataclass(slots=True, kw_only=True)
class Running:
    """A server that listens; `close` ends it."""

    host: str
    port: int
    secure: bool
    _runner: web.AppRunner
    _listener: asyncio.Server | Reception
    _sweep: "_Sweep"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    async def close(self) -> None:
        """Stop listening, let requests in progress end, close every connection."""
        self._listener.close()
        self._sweep.stop()
        await self._runner.cleanup()
        await self._listener.wait_closed()


async def serve(
    app: web.Application,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    limits: HttpLimits | None = None,
    connections: ConnectionLimits | None = None,
    on_refusal: Callable[[str], None] = lambda _: None,
    may_speak: Callable[[], bool] = lambda: True,
    refuse: Refuse | None = None,
    reuse_port: bool = False,
) -> Running:
    """Serve ``app`` at once; port 0 takes a free one. Raises OSError if the address cannot be had.

    ``may_speak`` is asked at each request: where it says no, the connection is cut off without a
    word, as it must be once our own certificate has ended (OpenADR 2.0b R516).

    ``connections`` bounds who may connect, before a handshake; without it nobody is counted.

    ``on_refusal`` is told, in a word or two, of every request refused and every connection cut off
    before a route saw it: for a counter.

    ``refuse`` makes the answer to what no route sees, of a status and of a reference that the log repeats, where
    a protocol has words of its own for it; the connection is closed after it.
    """
    refuse = refuse or _plain
    limits = limits or HttpLimits()
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_WAIT_S)
    await runner.setup()
    server = cast("web.Server", runner.server)
    server.request_handler = _guarded(server.request_handler, limits, on_refusal, may_speak, refuse)
    sweep = _Sweep(loop=loop, limits=limits, on_refusal=on_refusal, refuse=refuse)

    def connection(left: Callable[[], None] = lambda: None) -> _Connection:
        return _Connection(
            server,
            sweep,
            left,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=limits.keepalive_s,
            # A peer that is still sending sees a reset instead of our refusal, unless it is read from for a moment.
            lingering_time=bounds.HTTP_LINGER_S,
            max_line_size=bounds.HTTP_LINE_MAX_BYTES,
            max_field_size=bounds.HTTP_FIELD_MAX_BYTES,
            max_headers=bounds.HTTP_HEADERS_MAX,
        )

    try:
        listener = await _listen(
            connection, host, port, tls=tls, limits=limits, connections=connections, on_refusal=on_refusal,
            reuse_port=reuse_port,
        )  # fmt: skip
    except OSError:
        await runner.cleanup()
        raise
    sweep.start()
    return Running(
        host=host,
        port=listener.port if isinstance(listener, Reception) else listener.sockets[0].getsockname()[1],
        secure=tls is not None,
        _runner=runner,
        _listener=listener,
        _sweep=sweep,
    )


async def _listen(
    connection: Callable[..., "_Connection"],
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None,
    limits: HttpLimits,
    connections: ConnectionLimits | None,
    on_refusal: Callable[[str], None],
    reuse_port: bool,
) -> asyncio.Server | Reception:
    handshake_wait_s = limits.tls_handshake_wait_s if tls else None
    shutdown_wait_s = limits.tls_shutdown_wait_s if tls else None
    if connections is not None:
        return Reception(
            listening_socket(host, port),
            Turnstile(connections),
            connection,
            tls=tls,
            handshake_wait_s=handshake_wait_s,
            shutdown_wait_s=shutdown_wait_s,
            on_refusal=on_refusal,
        )
    return await asyncio.get_running_loop().create_server(
        connection,
        host,
        port,
        ssl=tls,
        ssl_handshake_timeout=handshake_wait_s,
        ssl_shutdown_timeout=shutdown_wait_s,
        reuse_port=reuse_port,
    )


async def read_body(request: web.Request, *, max_bytes: int, length_announced: bool = False) -> bytes:
    """The whole body, or an HTTP refusal raised: 413 if it is too large, 411 if its length had to be announced.

    OpenADR 2.0b wants Content-Length (R53) and allows no chunked transfer encoding (9.1.9.4). A body
    that is late ends the connection.
    """
    length = request.content_length
    if length is not None and length > max_bytes:
        raise _closing(web.HTTPRequestEntityTooLarge(max_bytes))
    if length is None and length_announced:
        raise _closing(web.HTTPLengthRequired())
    content = request.content
    if content.is_eof():
        body = content.read_nowait()
    else:
        received = bytearray()
        while chunk := await content.readany():
            received += chunk
            if len(received) > max_bytes:
                break
        body = bytes(received)
    if len(body) > max_bytes:
        raise _closing(web.HTTPRequestEntityTooLarge(max_bytes))
    return body


def refusal(status: int, *, reference: str = "") -> web.Response:
    """A fixed text for a status, after which the connection is closed."""
    told = f"{status} {HTTPStatus(status).phrase}\n"
    response = web.Response(status=status, text=f"{told}reference {reference}\n" if reference else told)
    response.force_close()
    return response


def _plain(status: int, reference: str) -> web.Response:
    return refusal(status, reference=reference)


def _closing(refused: web.HTTPException) -> web.HTTPException:
    refused.text = f"{refused.status} {refused.reason}\n"
    refused.force_close()
    return refused


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _guarded(
    handler: Handler,
    limits: HttpLimits,
    on_refusal: Callable[[str], None],
    may_speak: Callable[[], bool],
    answer_of: Refuse,
) -> Handler:
    """The application's handler behind what is refused before any route is looked for."""

    async def refuse(status: int, reason: str) -> web.StreamResponse:
        on_refusal(reason)
        answer = answer_of(status, "")
        answer.force_close()
        return answer

    def guarded(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        connection = cast("_Connection", request.protocol)
        connection.heard = True
        if not may_speak() and request.transport is not None:
            request.transport.abort()
            return refuse(503, "own certificate has ended")
        # An absolute-form target would name a host of the peer's choice.
        if not request.raw_path.startswith("/"):
            return refuse(404, "foreign target")
        # Inflating is the peer's way to spend our memory: 1 MB of it can be 1 GB.
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return refuse(415, "compressed body")
        length = request.content_length
        if length is not None and length > limits.body_max_bytes:
            return refuse(413, "large body")
        if not request.content.is_eof():
            connection.sweep.watch_body(connection, request.content)
        return handler(request)

    return guarded


class _Connection(web.RequestHandler):
    """aiohttp's connection, with fixed words for errors and a place in the sweep."""

    __slots__ = ("heard", "left", "sweep")

    def __init__(self, server: web.Server, sweep: "_Sweep", left: Callable[[], None], **settings: Any) -> None:
        super().__init__(server, **settings)
        self.left = left
        """Called when the connection is lost."""
        self.heard = False
        """Whether a whole request head has come."""
        self.sweep = sweep

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.sweep.is_over:
            # Its handshake went on while we closed: nobody would close it any more, and it would be answered.
            self.force_close()
            cast("asyncio.Transport", transport).abort()
            return
        self.sweep.watch_silence(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.left()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no HTTP, and to an exception of ours: nothing of either is told."""
        if isinstance(exc, ConnectionError) and self.transport is None:
            raise exc  # the peer left, or was cut off: nobody is there to be answered
        reference = secrets.token_hex(8)
        if isinstance(exc, BadHttpMethod) and UNKNOWN_METHOD.search(exc.message):
            # RFC 9110, 15.6.2, and OpenADR 2.0b 9.1.5: a request in order, for something that is done nowhere.
            status = HTTPStatus.NOT_IMPLEMENTED
        ours = status == HTTPStatus.INTERNAL_SERVER_ERROR
        kind = type(exc).__name__ if exc else str(status)
        if not ours:
            self.sweep.on_refusal("malformed request")
        left_out = self.sweep.sampler.take(kind, self.sweep.loop.time())
        if left_out is not None:
            log.log(
                logging.ERROR if ours else logging.INFO,
                "request failed" if ours else "malformed request",
                status=status, kind=kind, said=message, peer=request.remote, reference=reference, left_out=left_out,
                exc_info=exc if ours else None,
            )  # fmt: skip
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is on its way: the connection can only be closed")
        answer = self.sweep.refuse(status, reference)
        answer.force_close()
        return answer


@dataclass(slots=True, kw_only=True)
class _Sweep:
    """Cuts off connections that keep us waiting."""

    loop: asyncio.AbstractEventLoop
    limits: HttpLimits
    on_refusal: Callable[[str], None]
    refuse: Refuse
    sampler: Sampler = field(default_factory=Sampler)
    _silent: list[tuple[float, _Connection]] = field(default_factory=list)
    _unfinished: list[tuple[float, _Connection, StreamReader]] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None
    is_over: bool = False
    """The server is being closed: who comes now comes too late."""
    _next_s: float = 0.0

    def watch_silence(self, connection: _Connection) -> None:
        """The head of a first request is due. Later ones fall under the keep-alive time."""
        self._silent.append((self.loop.time() + self.limits.header_wait_s, connection))

    def watch_body(self, connection: _Connection, body: StreamReader) -> None:
        """The rest of a body is due."""
        self._unfinished.append((self.loop.time() + self.limits.body_wait_s, connection, body))

    def start(self) -> None:
        self._next_s = self.loop.time() + SWEEP_S
        self._timer = self.loop.call_at(self._next_s, self._sweep)

    def stop(self) -> None:
        self.is_over = True
        if self._timer:
            self._timer.cancel()

    def _sweep(self) -> None:
        now_s = self.loop.time()
        # What came while we were too busy to read is nobody's silence: thousands of handshakes take us seconds.
        late_s = now_s - self._next_s
        self._silent = [
            (due_s + late_s, connection)
            for due_s, connection in self._silent
            if connection.transport is not None and not connection.heard
        ]
        self._unfinished = [
            (due_s + late_s, connection, body)
            for due_s, connection, body in self._unfinished
            if connection.transport is not None and not body.is_eof() and body.exception() is None
        ]
        for due_s, connection in self._silent:
            if due_s <= now_s:
                self._cut(connection, "no request")
        for due_s, connection, _ in self._unfinished:
            if due_s <= now_s:
                self._cut(connection, "no end of body")
        self.start()

    def _cut(self, connection: _Connection, reason: str) -> None:
        transport = connection.transport
        if transport is None:
            return
        self.on_refusal(reason)
        left_out = self.sampler.take(reason, self.loop.time())
        if left_out is not None:
            log.info("slow peer cut off", reason=reason, peer=transport.get_extra_info("peername"), left_out=left_out)
        # Not close(): that would wait for the peer to take what is left, and this peer does not.
        transport.abort()
