"""The console's web server: who holds the token that was printed at the start may look."""

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from importlib.resources import files

import jinja2
from aiohttp import web
from prometheus_client import CollectorRegistry

from openadr_core.errors import StoreError
from openadr_core.shell.http_armour import Running, refusal, serve
from openadr_core.shell.metrics import EXPOSITION_HEADERS, exposition
from openadr_ven.application.agent import Agent
from openadr_ven.application.ports import Store
from openadr_ven.console.view import event_view, fleet_view, live_view
from openadr_ven.settings import ConsoleSettings

COOKIE = "openadr-ven"
STALE = timedelta(seconds=10)
"""A control round that is older than this is no longer running."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ASSETS = {"console.css": "text/css", "console.js": "text/javascript"}


class Console:
    """The agent's pages, and what machines ask of it."""

    def __init__(
        self,
        *,
        settings: ConsoleSettings,
        agent: Agent,
        store: Store,
        registry: CollectorRegistry,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._store = store
        self._registry = registry
        self._now = now
        self._token = secrets.token_urlsafe(24)
        self._session = secrets.token_urlsafe(24)
        self._running: Running | None = None
        folder = files("openadr_ven.console")
        self._assets = {name: (folder / "assets" / name).read_text() for name in ASSETS}
        self._pages = jinja2.Environment(
            loader=jinja2.PackageLoader("openadr_ven.console", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )

    @property
    def entrance(self) -> str:
        """The address to open, good for one visit: it is exchanged for a cookie."""
        return "" if self._running is None else f"{self._running.url}/?token={self._token}"

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
                web.get("/", self._page),
                web.get("/assets/{name}", self._asset),
                web.get("/data/live.json", self._live),
                web.get("/data/fleet.json", self._fleet),
                web.get("/data/event.json", self._event),
            ]
        )
        self._running = await serve(app, host=self._settings.host, port=self._settings.port)

    async def close(self) -> None:
        if self._running is not None:
            await self._running.close()

    # -- for machines ------------------------------------------------------------------

    async def _health(self, _request: web.Request) -> web.Response:
        """200 while rounds run and the store answers; what fails is named."""
        failing = []
        tick = self._agent.last_round_at
        if tick is None or tick < self._now() - STALE:
            failing.append("control round")
        try:
            async with self._store.unit_of_work() as unit:
                await unit.fleet_in_use()
        except StoreError:
            failing.append("store")
        status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
        return web.json_response({"failing": failing, "upstream": self._agent.upstream}, status=status)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=exposition(self._registry), headers=EXPOSITION_HEADERS)

    # -- for people --------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        token = request.query.get("token", "")
        if token and hmac.compare_digest(token.encode(), self._token.encode()):
            # Good once: whoever finds the address later, in a history or a log, finds nothing.
            self._token = secrets.token_urlsafe(24)
            answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/", **HEADERS})
            answer.set_cookie(COOKIE, self._session, httponly=True, samesite="Strict", path="/")
            return answer
        if not self._admitted(request):
            return self._refused()
        html = self._pages.get_template("console.html").render(fleet=self._agent.seen.fleet.size)
        return web.Response(text=html, content_type="text/html", headers=HEADERS)

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._assets:
            return refusal(HTTPStatus.NOT_FOUND)
        return web.Response(text=self._assets[name], content_type=ASSETS[name], headers=HEADERS)

    async def _live(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return self._refused()
        async with self._store.unit_of_work() as unit:
            notices = await unit.notices(limit=30)
        return web.json_response(live_view(self._agent, notices, self._now()), headers=HEADERS)

    async def _fleet(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return self._refused()
        return web.json_response(fleet_view(self._agent, self._now()), headers=HEADERS)

    async def _event(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return self._refused()
        event_id = request.query.get("id", "")
        async with self._store.unit_of_work() as unit:
            deliveries = await unit.deliveries(event_id)
        return web.json_response(event_view(deliveries), headers=HEADERS)

    def _admitted(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._session.encode())

    def _refused(self) -> web.Response:
        return web.Response(
            status=HTTPStatus.FORBIDDEN,
            text="Open the address with the token that openadr-ven printed when it started.\n",
            headers=HEADERS,
        )
