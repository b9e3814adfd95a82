"""A 2030.5 server that cannot answer now says when to come again, and keeps the connection (1.2)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from openadr_core.errors import Unavailable
from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import client_context, server_context
from openadr_vtn.http.sep2_routes import sep2_app
from openadr_vtn.protocols.sep2 import Sep2Server
from tests.core.shell.lab import Lab
from tests.vtn.protocols.sep2.sep2_bench import Sep2Bench


class Failing(Sep2Server):
    """Its store does not answer for a while."""

    failures = 3

    async def receive_request(self, request: Request, peer: Peer, now: datetime) -> Response:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the store does not answer")
        return await super().receive_request(request, peer, now)


@pytest.mark.ieee2030_5("M11")
async def test_a_server_that_cannot_answer_says_when_to_come_again(sep2: Sep2Bench, tmp_path: Path) -> None:
    lab = Lab(folder=tmp_path, now=datetime.now(UTC) - timedelta(minutes=1))
    server = Failing(store=sep2.store, directory=sep2.server._directory, desk=sep2.server._desk)
    app = sep2_app(server, lambda: sep2.now, on_busy=lambda: None)
    tls = server_context("sep2-strict", [lab.chain("sep2-server")], [lab.trust("sep2")])
    running = await serve(app, host="127.0.0.1", port=0, tls=tls)
    context = client_context("sep2-strict", lab.chain("sep2-device"), [lab.trust("sep2")])
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        answers = [await http.get(f"https://localhost:{running.port}/tm") for _ in range(4)]
        connections = {str(answer.extensions["network_stream"].get_extra_info("client_addr")) for answer in answers}
    await running.close()
    assert [answer.status_code for answer in answers] == [503, 503, 503, 200]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers[:3])
    assert len(connections) == 1, "a handshake would cost more than the answer"
