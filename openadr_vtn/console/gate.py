"""Who may see the console: whoever has the address that was printed at start, as with Jupyter.

The token in that address is made for one run. It opens a session, and the browser is sent on
without it, so it stays in no history. The console listens on loopback; the Host header is held to
that, so that a web page elsewhere cannot reach it by a name of its own (DNS rebinding).
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from aiohttp import web

COOKIE = "openadr_vtn_session"
SESSION = timedelta(hours=12)
SESSIONS_MAX = 100
LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}
OPEN_PATHS = ("/health", "/metrics", "/assets/")
"""For supervisors and Prometheus; and the style of the page that says what is missing."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    ends_at: datetime
    form_key: str
    """What every form of this session carries: a page of somebody else's cannot know it."""


@dataclass(slots=True, kw_only=True)
class Gate:
    token: str
    now: Callable[[], datetime]
    _sessions: "OrderedDict[str, Session]" = field(default_factory=OrderedDict)

    def open_session(self, token: str) -> str | None:
        """A cookie's value for whoever brings the token."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        cookie = secrets.token_urlsafe(24)
        self._sessions[cookie] = Session(ends_at=self.now() + SESSION, form_key=secrets.token_urlsafe(24))
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return cookie

    def session_of(self, request: web.Request) -> Session | None:
        """The session whose cookie comes with the request, if it has not ended."""
        session = self._sessions.get(request.cookies.get(COOKIE, ""))
        return session if session is not None and self.now() < session.ends_at else None


GATE = web.AppKey("gate", Gate)


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets through whoever has a session, or the token to begin one."""
    response = await _admitted(request, handler)
    response.headers.update(HEADERS)
    return response


async def _admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.host.rpartition(":")[0] not in LOCAL_NAMES and request.host not in LOCAL_NAMES:
        return web.Response(status=403, text="403: this console is reached by a loopback address\n")
    if request.path.startswith(OPEN_PATHS):
        return await handler(request)
    gate = request.app[GATE]
    if token := request.query.get("token"):
        cookie = gate.open_session(token)
        if cookie is None:
            log.info("console refused", reason="wrong token")
            return _closed()
        response = web.Response(status=303, headers={"Location": request.path})
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict", path="/")
        return response
    return _closed() if gate.session_of(request) is None else await handler(request)


def _closed() -> web.Response:
    return web.Response(
        status=401,
        content_type="text/html",
        text="<!doctype html><title>Console closed</title><link rel=stylesheet href=/assets/console.css>"
        "<main><h1>This console is closed</h1><p>Open the address that <code>openadr-vtn run</code> printed when it "
        "started: it carries a token for this run.</p></main>",
    )
