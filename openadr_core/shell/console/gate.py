"""Who may see a console: whoever has the address that was printed at start, as with Jupyter.

The token in that address is made for one run. It opens a session, and the browser is sent on
without it, so it stays in no history. A session is a signed cookie: with a key that is kept, it
outlives the process. The console listens on loopback; the Host header is held to that, so that a
web page elsewhere cannot reach it by a name of its own (DNS rebinding).
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from aiohttp import web

SESSION = timedelta(hours=12)
LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}
OPEN_PATHS = ("/health", "/metrics", "/assets/", "/shared/")
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
class Gate:
    name: str
    """The program's, as its user types it."""
    token: str
    """Opens sessions; made for one run."""
    key: bytes
    """Signs sessions; keep it, and they outlive the run."""
    now: Callable[[], datetime]

    @property
    def cookie_name(self) -> str:
        return self.name.replace("-", "_") + "_session"

    def open_session(self, token: str) -> str | None:
        """A cookie's value for whoever brings the token."""
        if not hmac.compare_digest(_octets(token), _octets(self.token)):
            return None
        ends = str(round((self.now() + SESSION).timestamp()))
        return f"{ends}.{self._signed(f'session {ends}')}"

    def admits(self, request: web.Request) -> bool:
        """Whether the request comes with a session that has not ended."""
        ends, _, signature = request.cookies.get(self.cookie_name, "").partition(".")
        if not hmac.compare_digest(_octets(signature), _octets(self._signed(f"session {ends}"))):
            return False
        return self.now().timestamp() < int(ends)

    def form_key(self, request: web.Request) -> str:
        """What every form of this session carries: a page of somebody else's cannot know it."""
        return self._signed(f"form {request.cookies.get(self.cookie_name, '')}")

    def _signed(self, text: str) -> str:
        return hmac.new(self.key, _octets(text), hashlib.sha256).hexdigest()


def _octets(text: str) -> bytes:
    """As they came: octets of a header that are not UTF-8 are surrogates in aiohttp's text."""
    return text.encode(errors="surrogateescape")


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
            return _closed(gate)
        response = web.Response(status=303, headers={"Location": request.path})
        response.set_cookie(gate.cookie_name, cookie, httponly=True, samesite="Strict", path="/")
        return response
    return await handler(request) if gate.admits(request) else _closed(gate)


def _closed(gate: Gate) -> web.Response:
    return web.Response(
        status=401,
        content_type="text/html",
        text="<!doctype html><title>Console closed</title><link rel=stylesheet href=/shared/console.css>"
        f"<main><h1>This console is closed</h1><p>Open the address that <code>{gate.name} run</code> printed when it "
        "started: it carries a token for this run.</p></main>",
    )
