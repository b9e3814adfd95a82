"""IEEE 2030.5 over HTTPS: bytes and a certificate in, bytes out; everything between is the sans-IO core's."""

from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from openadr_core.exchange import Response
from openadr_core.limits import XML_BODY_MAX_BYTES
from openadr_core.shell.door import Door
from openadr_core.shell.http_armour import read_body, refusal
from openadr_core.shell.tls_peer import peer_of_transport
from openadr_vtn.protocols.sep2 import Sep2Server

WITH_BODY = frozenset({"POST", "PUT"})


def sep2_app(server: Sep2Server, clock: Callable[[], datetime], *, on_busy: Callable[[], None]) -> web.Application:
    """What 2030.5 clients reach. To be served with client certificates required."""
    door = Door(body_max_bytes=XML_BODY_MAX_BYTES, on_busy=on_busy, writing=written)

    async def exchange(request: web.Request) -> web.Response:
        peer = peer_of_transport(request.transport)
        if peer is None:
            return refusal(403)
        body = await read_body(request, max_bytes=XML_BODY_MAX_BYTES) if request.method in WITH_BODY else b""
        return await door.exchange(request, lambda asked: server.receive_request(asked, peer, clock()), body)

    app = web.Application(client_max_size=XML_BODY_MAX_BYTES)
    app.router.add_route("*", "/{path:.*}", exchange)
    return app


def written(answer: Response) -> web.Response:
    """With its headers and body; a refusal ends no connection, for its client has others to ask for."""
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
