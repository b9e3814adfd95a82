"""The console's web server: pages, their data, and what machines ask. A page draws itself from its data each second."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from prometheus_client import CollectorRegistry

from openadr_core.errors import StoreError
from openadr_core.shell.console import ASSETS, ASSETS_PREFIX
from openadr_core.shell.console.gate import GATE, Gate, guarded
from openadr_core.shell.http_armour import Running, serve
from openadr_core.shell.metrics import EXPOSITION_HEADERS, exposition
from openadr_ven.application.agent import Agent
from openadr_ven.application.ports import Store
from openadr_ven.console.view import Link, event_view, fleet_view, link_view, now_view, shards_view
from openadr_ven.domain.shard_stand import ShardStand
from openadr_ven.settings import ConsoleSettings

PROGRAM = "openadr-ven"
STALE = timedelta(seconds=10)
"""A control round that is older than this is no longer running."""
NOTICES_SHOWN = 30
KEY_RECORD = "console"
"""The name under which the store keeps the key of sessions, so that a restart closes no page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the pages show."""

    agent: Agent
    store: Store
    registry: CollectorRegistry
    link: Link
    now: Callable[[], datetime]
    templates: Environment
    stands: Callable[[], Sequence[ShardStand]]


SHOWN = web.AppKey("shown", Shown)


class Console:
    def __init__(
        self,
        *,
        settings: ConsoleSettings,
        agent: Agent,
        store: Store,
        registry: CollectorRegistry,
        link: Link,
        now: Callable[[], datetime],
        stands: Callable[[], Sequence[ShardStand]] = tuple,
    ) -> None:
        """``stands`` tells how the agent's shards stand, if it has any."""
        self._settings = settings
        self._store = store
        self._now = now
        self._token = secrets.token_urlsafe(24)
        self._running: Running | None = None
        templates = Environment(
            loader=PackageLoader("openadr_ven.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._shown = Shown(
            agent=agent, store=store, registry=registry, link=link, now=now, templates=templates, stands=stands
        )

    @property
    def entrance(self) -> str:
        """The address to open; its token is this run's."""
        return "" if self._running is None else f"{self._running.url}/?token={self._token}"

    async def start(self) -> None:
        gate = Gate(name=PROGRAM, token=self._token, key=await self._key(), now=self._now)
        app = console_app(self._shown, gate)
        self._running = await serve(app, host=self._settings.host, port=self._settings.port)

    async def close(self) -> None:
        if self._running is not None:
            await self._running.close()

    async def _key(self) -> bytes:
        async with self._store.unit_of_work() as unit:
            key = await unit.session_record(KEY_RECORD)
            if key is None:
                key = secrets.token_hex(32)
                await unit.save_session(KEY_RECORD, key)
        return bytes.fromhex(key)


def console_app(shown: Shown, gate: Gate) -> web.Application:
    app = web.Application(middlewares=[guarded])
    app[GATE] = gate
    app[SHOWN] = shown
    app.add_routes(
        [
            web.get("/health", health),
            web.get("/metrics", metrics),
            web.get("/", fleet_page),
            web.get("/events/{id}", event_page),
            web.get("/data/now.json", now_data),
            web.get("/data/fleet.json", fleet_data),
            web.get("/data/events/{id}.json", event_data),
            web.static("/assets", Path(str(files("openadr_ven.console") / "assets"))),
            web.static(ASSETS_PREFIX, ASSETS),
        ]
    )
    return app


# -- for machines --------------------------------------------------------------------


async def health(request: web.Request) -> web.Response:
    """200 while rounds run and the store answers; what fails is named."""
    shown = request.app[SHOWN]
    failing = []
    last = shown.agent.last_round_at
    if last is None or last < shown.now() - STALE:
        failing.append("control round")
    try:
        async with shown.store.unit_of_work() as unit:
            await unit.fleet_in_use()
    except StoreError:
        failing.append("store")
    status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
    return web.json_response({"failing": failing, "upstream": shown.agent.upstream}, status=status)


async def metrics(request: web.Request) -> web.Response:
    return web.Response(body=exposition(request.app[SHOWN].registry), headers=EXPOSITION_HEADERS)


# -- for people ----------------------------------------------------------------------


async def fleet_page(request: web.Request) -> web.Response:
    return _page(request, "fleet.html")


async def event_page(request: web.Request) -> web.Response:
    return _page(request, "event.html", event_id=request.match_info["id"])


async def now_data(request: web.Request) -> web.Response:
    shown = request.app[SHOWN]
    async with shown.store.unit_of_work() as unit:
        notices = await unit.notices(limit=NOTICES_SHOWN)
    more = {"link": link_view(shown.link), "shards": shards_view(shown.agent, shown.stands())}
    return web.json_response({**now_view(shown.agent, notices, shown.now()), **more})


async def fleet_data(request: web.Request) -> web.Response:
    shown = request.app[SHOWN]
    return web.json_response(fleet_view(shown.agent, shown.now()))


async def event_data(request: web.Request) -> web.Response:
    shown, event_id = request.app[SHOWN], request.match_info["id"]
    async with shown.store.unit_of_work() as unit:
        held = next((one for one in await unit.held_events() if one.event.id == event_id), None)
        opts = await unit.opts(event_id)
        deliveries = await unit.deliveries(event_id)
        notices = await unit.notices(limit=NOTICES_SHOWN, event_id=event_id)
    if held is None:
        raise web.HTTPNotFound
    return web.json_response(event_view(held, opts, deliveries, notices, shown.now()))


def _page(request: web.Request, template: str, **values: str) -> web.Response:
    shown = request.app[SHOWN]
    html = shown.templates.get_template(template).render(path=request.path, fleet=shown.agent.seen.fleet.size, **values)
    return web.Response(text=html, content_type="text/html")
