"""Where the VTN reaches an agent that does not poll: HTTPS with client certificates, and a core behind it."""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from openadr_core.errors import ConfigError
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES
from openadr_core.shell.door import Door
from openadr_core.shell.http_armour import HttpLimits, Running, refusal, serve
from openadr_core.shell.tls_peer import peer_of_transport

IN_FLIGHT_MAX = 16
"""One VTN speaks to us, in one stream: more at a time is a flood."""

Receive = Callable[[Request, Peer], Awaitable[Response]]


class PushServer:
    def __init__(
        self,
        receive: Receive,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        may_speak: Callable[[], bool],
        limits: HttpLimits | None = None,
    ) -> None:
        """``receive`` answers what a peer says; ``may_speak`` is False once our own certificate has ended."""
        self._receive = receive
        self._host = host
        self._port = port
        self._tls = tls
        self._may_speak = may_speak
        self._limits = limits
        self._door = Door(body_max_bytes=XML_REPORT_BODY_MAX_BYTES, in_flight_max=IN_FLIGHT_MAX)
        self._running: Running | None = None

    @property
    def port(self) -> int:
        """Where it listens; what was asked for, until then."""
        return self._port if self._running is None else self._running.port

    async def start(self) -> None:
        """ConfigError if the address cannot be had."""
        app = web.Application(client_max_size=XML_REPORT_BODY_MAX_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        try:
            self._running = await serve(
                app,
                host=self._host,
                port=self._port,
                tls=self._tls,
                limits=self._limits,
                may_speak=self._may_speak,
            )
        except OSError as error:
            raise ConfigError(f"push.port: {self._host}:{self._port}: {error.strerror}") from None

    async def close(self) -> None:
        if self._running is not None:
            await self._running.close()

    async def _answer(self, request: web.Request) -> web.Response:
        """No certificate, or one that has ended: nothing is said (2.0b R516, R517)."""
        peer = peer_of_transport(request.transport)
        if peer is None:
            return refusal(403)
        return await self._door.exchange(request, lambda asked: self._receive(asked, peer))
