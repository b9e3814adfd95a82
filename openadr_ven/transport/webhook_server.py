"""Where a VTN of OpenADR 3 or 2030.5 tells us that something has changed: HTTPS, and a core that judges who speaks."""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from openadr_core.errors import ConfigError
from openadr_core.exchange import Request, Response
from openadr_core.limits import JSON_BODY_MAX_BYTES
from openadr_core.shell.door import Door
from openadr_core.shell.http_armour import HttpLimits, Running, serve

IN_FLIGHT_MAX = 16

Receive = Callable[[Request], Awaitable[Response]]


class WebhookServer:
    """Strangers may knock: they get a refusal, and cost us a comparison."""

    def __init__(
        self, receive: Receive, *, host: str, port: int, tls: ssl.SSLContext, setting: str = "oadr3.webhook.port"
    ) -> None:
        """``setting`` is what a person would have to change."""
        self._receive = receive
        self._host = host
        self._port = port
        self._tls = tls
        self._setting = setting
        self._door = Door(body_max_bytes=JSON_BODY_MAX_BYTES, in_flight_max=IN_FLIGHT_MAX)
        self._running: Running | None = None

    @property
    def port(self) -> int:
        """Where it listens; what was asked for, until then."""
        return self._port if self._running is None else self._running.port

    async def start(self) -> None:
        """ConfigError if the address cannot be had."""
        app = web.Application(client_max_size=JSON_BODY_MAX_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        try:
            self._running = await serve(
                app,
                host=self._host,
                port=self._port,
                tls=self._tls,
                limits=HttpLimits(body_max_bytes=JSON_BODY_MAX_BYTES),
            )
        except OSError as error:
            raise ConfigError(f"{self._setting}: {self._host}:{self._port}: {error.strerror}") from None

    async def close(self) -> None:
        if self._running is not None:
            await self._running.close()

    async def _answer(self, request: web.Request) -> web.Response:
        return await self._door.exchange(request, self._receive)
