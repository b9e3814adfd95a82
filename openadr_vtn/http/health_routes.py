"""Is it alive, is it ready, and how is it: for supervisors and for Prometheus. It changes nothing."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from openadr_core.errors import Unavailable
from openadr_core.shell.metrics import EXPOSITION_HEADERS
from openadr_vtn.application.ports import Store

PROBE_WAIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    store: Store
    metrics: Callable[[], bytes]


HEALTH = web.AppKey("health", Health)


def health_routes() -> list[web.RouteDef]:
    return [web.get("/health/live", live), web.get("/health", ready), web.get("/metrics", metrics)]


async def live(_request: web.Request) -> web.Response:
    """The process answers; restart it if it does not."""
    return _answer("alive", 200)


async def ready(request: web.Request) -> web.Response:
    """It can do its work: the database answers. Send no traffic here while it is not."""
    try:
        async with asyncio.timeout(PROBE_WAIT_S):
            await request.app[HEALTH].store.probe()
    except (Unavailable, TimeoutError):
        return _answer("the store does not answer", 503)
    return _answer("ready", 200)


async def metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[HEALTH].metrics(), headers=EXPOSITION_HEADERS)


def _answer(status: str, code: int) -> web.Response:
    return web.json_response(text=json.dumps({"status": status}), status=code)
