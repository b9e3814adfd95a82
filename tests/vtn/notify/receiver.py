"""Somebody's webhook over TLS: it says our word back, and keeps what it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import Chain, server_context

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True, kw_only=True)
class Told:
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(slots=True)
class Receiver:
    port: int = 0
    told: list[Told] = field(default_factory=list)
    asked: list[web.Request] = field(default_factory=list)
    """Requests for an echo."""
    status: int = 200
    """What notifications are answered."""
    echo: Answer | None = None
    """Instead of the word."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hook"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            self.asked.append(request)
            return await self.echo(request) if self.echo else web.Response(text=request.query["echo"])
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append(Told(headers=headers, body=await request.read()))
        self.heard.set()
        return web.Response(status=self.status)

    async def until(self, count: int) -> None:
        """Wait until so many notifications were heard."""
        async with asyncio.timeout(30):
            while len(self.told) < count:
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def receiving(chain: Chain, port: int = 0) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    running = await serve(app, host="127.0.0.1", port=port, tls=server_context("oadr3", [chain], [], "none"))
    receiver.port = running.port
    try:
        yield receiver
    finally:
        await running.close()
