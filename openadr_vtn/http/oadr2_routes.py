"""OpenADR 2.0b over HTTPS: bytes and a certificate in, bytes out; everything between is the sans-IO core's."""

import ssl
import time
from collections.abc import Callable
from datetime import datetime
from weakref import WeakKeyDictionary

import structlog
from aiohttp import web

from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES
from openadr_core.oadr2.http_rules import BASE, CONTENT_TYPE
from openadr_core.shell.door import Answering, Door, written
from openadr_core.shell.http_armour import refusal
from openadr_core.shell.sampling import Sampler
from openadr_core.shell.tls_peer import network_of_transport, peer_of_transport, shown_key_kind
from openadr_vtn.application.ports import Notice
from openadr_vtn.protocols.oadr2 import Oadr2Connection, Oadr2Vtn

log = structlog.get_logger(__name__)

SAMPLED = frozenset(
    {
        "request refused", "message refused", "identity claimed", "signature refused", "certificate in two networks",
        "notification delivered", "notification failed",
    }
)  # fmt: skip
"""What strangers can cause as often as they like, and what happens thousands of times at once."""

ALARMS = frozenset({"event not written", "identity claimed", "certificate in two networks", "notification dead"})
"""What an operator must know of at once."""


def parties_app(
    vtn: Oadr2Vtn,
    clock: Callable[[], datetime],
    *,
    polled: Callable[[], None] = lambda: None,
    door: Door | None = None,
) -> web.Application:
    """What parties reach: nothing but the services of 2.0b. To be served with client certificates required.

    ``polled`` is called at each poll, for the metrics; ``door`` bounds what is done at a time.
    """
    parties = _Parties(vtn, clock, polled, door or Door(body_max_bytes=XML_REPORT_BODY_MAX_BYTES))
    app = web.Application(client_max_size=XML_REPORT_BODY_MAX_BYTES)
    app.router.add_post(f"{vtn.prefix}{BASE}OadrPoll", parties.poll)
    app.router.add_route("*", "/{path:.*}", parties.exchange)
    return app


class NoticeLog:
    """Writes notices as log records; of what strangers can cause at will, a sample."""

    def __init__(self) -> None:
        self._sampler = Sampler()

    def __call__(self, notice: Notice) -> None:
        left_out: int | None = 0
        if notice.kind in SAMPLED:
            left_out = self._sampler.take(f"{notice.kind} {notice.party_id}", time.monotonic())
        if left_out is not None:
            facts = {"party_id": notice.party_id, "event_id": notice.event_id, "detail": notice.detail}
            write = log.error if notice.kind in ALARMS else log.info
            write(notice.kind, **{name: fact for name, fact in facts.items() if fact}, left_out=left_out)


class _Parties:
    def __init__(self, vtn: Oadr2Vtn, clock: Callable[[], datetime], polled: Callable[[], None], door: Door) -> None:
        self._vtn = vtn
        self._clock = clock
        self._polled = polled
        self._door = door
        self._connections: WeakKeyDictionary[ssl.SSLObject, Oadr2Connection] = WeakKeyDictionary()

    async def poll(self, request: web.Request) -> web.Response:
        """Most of all requests, by far: answered from memory where nothing is owed."""
        connection = self._connection(request)
        if connection is None:
            return refusal(403)
        self._polled()
        headers = request.headers
        if headers.get("Content-Type") == CONTENT_TYPE:
            body = await self._door.body_of(request)
            quiet = connection.quiet_answer(body, headers.get("Accept-Encoding", ""), self._clock())
            if quiet is not None:
                return written(quiet)
            return await self._door.exchange(request, self._answering(connection), body, waits=True)
        return await self._door.exchange(request, self._answering(connection))

    async def exchange(self, request: web.Request) -> web.Response:
        """Any other request. No certificate, or one that has ended: nothing is said (2.0b R516, R517)."""
        connection = self._connection(request)
        if connection is None:
            return refusal(403)
        return await self._door.exchange(request, self._answering(connection))

    def _answering(self, connection: Oadr2Connection) -> Answering:
        return lambda asked: connection.receive_request(asked, self._clock())

    def _connection(self, request: web.Request) -> Oadr2Connection | None:
        peer = peer_of_transport(request.transport)
        if peer is None or request.transport is None:
            return None
        tls = request.transport.get_extra_info("ssl_object")
        connection = self._connections.get(tls)
        if connection is None:
            connection = self._connections[tls] = self._vtn.connection(
                peer, shown_key_kind(tls), network=network_of_transport(request.transport)
            )
        return connection
