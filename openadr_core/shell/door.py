"""Where requests of known peers come in: made values of for a core that answers, so many at a time, and no more.

A server that takes on more than it can do answers everybody too late. Beyond its bound a door says
"busy, come again", which costs next to nothing, and keeps the connection: a handshake would cost
more than the request. When thousands are told so, each is told a time of its own, as many a second as
are served: if they all came again after a second, to refuse them would leave no time for those who
are in.
"""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from openadr_core.errors import StoreError
from openadr_core.exchange import Request, Response
from openadr_core.limits import REQUESTS_IN_FLIGHT_MAX, RETRIES_LEAST_PER_S, RETRY_AFTER_S, RETRY_SPREAD_MAX_S
from openadr_core.shell.http_armour import read_body, refusal

log = structlog.get_logger(__name__)

Answering = Callable[[Request], Awaitable[Response]]


class Door:
    def __init__(
        self,
        *,
        body_max_bytes: int,
        in_flight_max: int = REQUESTS_IN_FLIGHT_MAX,
        on_busy: Callable[[], None] = lambda: None,
        writing: Callable[[Response], web.Response] | None = None,
    ) -> None:
        """``on_busy`` is called for each request that was told to come again: for a counter.

        ``writing`` makes an HTTP answer of a core's; by default as :func:`written` does.
        """
        self._writing = writing or written
        self._body_max_bytes = body_max_bytes
        self._in_flight_max = in_flight_max
        self._on_busy = on_busy
        self.in_flight = 0
        """Requests that are being answered."""
        self._bounded = 0
        """Those of them that were not let in whoever is."""
        self._appointments = _Appointments()

    async def body_of(self, request: web.Request) -> bytes:
        """The whole body, whose length was announced; else an HTTP refusal is raised."""
        return await read_body(request, max_bytes=self._body_max_bytes, length_announced=True)

    async def exchange(
        self, request: web.Request, answering: Answering, body: bytes | None = None, *, waits: bool = False
    ) -> web.Response:
        """What ``answering`` makes of the request; the body is given if it has been read.

        One that ``waits`` is let in whoever is: it only reads, and a connection has one at a time.
        """
        if body is None:
            # What is not posted is refused for its method, whatever comes with it.
            body = await self.body_of(request) if request.method == "POST" else b""
        if self._bounded >= self._in_flight_max and not waits:
            self._on_busy()
            return _busy(self._appointments.wait_s(time.monotonic()))
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(method=request.method, path=request.raw_path, body=body, headers=headers)
        self.in_flight += 1
        self._bounded += not waits
        try:
            return self._writing(await answering(asked))
        except StoreError as error:
            # OpenADR 2.0b 9.1.5: nothing was done, and the peer must try again.
            log.warning("the store failed", kind=type(error).__name__, detail=str(error))
            return _busy()
        finally:
            self.in_flight -= 1
            if not waits:
                self._bounded -= 1
                self._appointments.served(time.monotonic())


def written(answer: Response) -> web.Response:
    """An answer of a core; of a refusal its status alone, after which the connection is closed."""
    if answer.status == 200:
        return web.Response(body=answer.body, headers=answer.headers)
    return _busy() if answer.status == 503 else refusal(answer.status)


def _busy(wait_s: int = RETRY_AFTER_S) -> web.Response:
    return web.Response(status=503, text="503 Service Unavailable\n", headers={"Retry-After": str(wait_s)})


class _Appointments:
    """When each of those that are told to come again had better come."""

    def __init__(self) -> None:
        self._last_at = 0.0
        self._served = 0
        self._since = 0.0
        self._per_s = float(RETRIES_LEAST_PER_S)

    def served(self, now: float) -> None:
        """One was answered: how fast that goes is how many may come."""
        self._served += 1
        if now - self._since >= 1:
            self._per_s = max(RETRIES_LEAST_PER_S, self._served / (now - self._since))
            self._served, self._since = 0, now

    def wait_s(self, now: float) -> int:
        """In seconds: after whoever was told so before."""
        self._last_at = max(self._last_at, now + RETRY_AFTER_S) + 1 / self._per_s
        self._last_at = min(self._last_at, now + RETRY_SPREAD_MAX_S)
        return int(self._last_at - now)
