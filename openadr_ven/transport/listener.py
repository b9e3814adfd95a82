"""Where a VTN reaches the agent: HTTPS, and a core behind it that judges who speaks and answers."""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from openadr_core.errors import ConfigError
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.limits import JSON_BODY_MAX_BYTES, XML_REPORT_BODY_MAX_BYTES
from openadr_core.shell.door import Door
from openadr_core.shell.http_armour import HttpLimits, Running, refusal, serve
from openadr_core.shell.tls_peer import peer_of_transport

IN_FLIGHT_MAX = 16
"""One VTN speaks to us, in one stream: more at a time is a flood."""

Receive = Callable[[Request], Awaitable[Response]]
ReceivePeer = Callable[[Request, Peer], Awaitable[Response]]


class Listener:
    def __init__(
        self,
        answer: Callable[[web.Request, Door], Awaitable[web.Response]],
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        setting: str,
        body_max_bytes: int,
        may_speak: Callable[[], bool] = lambda: True,
    ) -> None:
        """``setting`` is what a person would have to change if the port is taken; ``may_speak`` is False once our own
        certificate has ended.
        """
        self._answer_at = answer
        self._host = host
        self._port = port
        self._tls = tls
        self._setting = setting
        self._body_max_bytes = body_max_bytes
        self._may_speak = may_speak
        self._door = Door(body_max_bytes=body_max_bytes, in_flight_max=IN_FLIGHT_MAX)
        self._running: Running | None = None

    @classmethod
    def pushed_to(
        cls,
        receive: ReceivePeer,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        may_speak: Callable[[], bool],
    ) -> "Listener":
        """For OpenADR 2.0b: who shows no certificate, or one that has ended, is told nothing (R516, R517)."""

        async def answer(request: web.Request, door: Door) -> web.Response:
            peer = peer_of_transport(request.transport)
            return refusal(403) if peer is None else await door.exchange(request, lambda asked: receive(asked, peer))

        return cls(
            answer, host=host, port=port, tls=tls, setting="push.port", body_max_bytes=XML_REPORT_BODY_MAX_BYTES,
            may_speak=may_speak,
        )  # fmt: skip

    @classmethod
    def notified(cls, receive: Receive, *, host: str, port: int, tls: ssl.SSLContext, setting: str) -> "Listener":
        """For OpenADR 3 and 2030.5. Strangers may knock: they get a refusal, and cost us a comparison."""
        return cls(
            lambda request, door: door.exchange(request, receive),
            host=host, port=port, tls=tls, setting=setting, body_max_bytes=JSON_BODY_MAX_BYTES,
        )  # fmt: skip

    @property
    def port(self) -> int:
        """Where it listens; what was asked for, until then."""
        return self._port if self._running is None else self._running.port

    async def start(self) -> None:
        """ConfigError if the address cannot be had."""
        app = web.Application(client_max_size=self._body_max_bytes)
        app.router.add_route("*", "/{path:.*}", self._answer)
        try:
            self._running = await serve(
                app,
                host=self._host,
                port=self._port,
                tls=self._tls,
                limits=HttpLimits(body_max_bytes=self._body_max_bytes),
                may_speak=self._may_speak,
            )
        except OSError as error:
            raise ConfigError(f"{self._setting}: {self._host}:{self._port}: {error.strerror}") from None

    async def close(self) -> None:
        if self._running is not None:
            await self._running.close()

    async def _answer(self, request: web.Request) -> web.Response:
        return await self._answer_at(request, self._door)
