"""Who is at the other end, over real sockets, on both event loops; and what a listener does before it knows."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvloop
from aiohttp import web
from cryptography import x509

from openadr_core.identity import peer_of
from openadr_core.shell import tls
from openadr_core.shell.http_armour import HttpLimits, Running, serve
from openadr_core.shell.tls_peer import peer_of_transport
from tests.core.shell.lab import Lab

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def who(request: web.Request) -> web.Response:
    peer = peer_of_transport(request.transport)
    if peer is None:
        return web.json_response(None)
    again = peer_of_transport(request.transport)
    return web.json_response({"sha256": peer.certificate_sha256, "subject": peer.subject, "cached": again is peer})


def against(
    context: ssl.SSLContext | None,
    visit: Callable[[Running], Awaitable[Any]],
    *,
    loop: str = "asyncio",
    limits: HttpLimits | None = None,
) -> Any:
    """What ``visit`` makes of a server with this context."""

    async def visited() -> Any:
        app = web.Application()
        app.router.add_get("/who", who)
        server = await serve(app, host="localhost", port=0, tls=context, limits=limits)
        try:
            return await visit(server)
        finally:
            await server.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(visited())


def asking(context: ssl.SSLContext, times: int = 1) -> Callable[[Running], Awaitable[list[Any]]]:
    async def ask(server: Running) -> list[Any]:
        async with httpx.AsyncClient(verify=context, base_url=server.url) as client:
            return [(await client.get("/who")).json() for _ in range(times)]

    return ask


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("preset", "server", "client"),
    [
        ("certification-2.0b", "openadr-rsa-vtn", "openadr-rsa-ven"),
        ("modern-2.0b", "openadr-ecc-vtn", "openadr-ecc-ven"),
        ("sep2-strict", "sep2-server", "sep2-device"),
        ("oadr3", "openadr-ecc-vtn", "openadr-ecc-ven"),
    ],
)
def test_the_peer_is_the_holder_of_the_certificate(
    lab: Lab, loop: str, preset: tls.PresetName, server: str, client: str
) -> None:
    trust = [lab.trust("sep2" if client.startswith("sep2") else client.split("-")[1])]
    made = lab.issued(client, "holder")
    chain = lab.write("holder", made.chain_pem, made.key_pem)
    serving = tls.server_context(preset, [lab.chain(server)], trust)
    answers = against(serving, asking(tls.client_context(preset, chain, trust), times=2), loop=loop)
    subject = "" if client == "sep2-device" else "CN=holder,O=OpenADR lab"
    assert answers == [{"sha256": made.peer.certificate_sha256, "subject": subject, "cached": True}] * 2


def test_without_a_certificate_or_without_tls_there_is_no_peer(lab: Lab) -> None:
    trust = [lab.trust("ecc")]
    serving = tls.server_context("oadr3", [lab.chain("openadr-ecc-vtn")], trust, "optional")
    client = tls.client_context("oadr3", None, trust)
    assert against(serving, asking(client)) == [None]
    assert against(None, asking(client)) == [None]
    assert peer_of_transport(None) is None


def test_a_client_without_a_certificate_gets_no_answer(lab: Lab) -> None:
    trust = [lab.trust("ecc")]
    serving = tls.server_context("modern-2.0b", [lab.chain("openadr-ecc-vtn")], trust)
    with pytest.raises(httpx.TransportError):
        against(serving, asking(tls.client_context("modern-2.0b", None, trust)))


class Connection:
    """A transport and its TLS object, as far as a peer is read from them."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate
        self.readings = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # a transport's own word
        return self if name == "ssl_object" else default

    def getpeercert(self, *, binary_form: bool) -> bytes:
        assert binary_form
        self.readings += 1
        return self.certificate


def der(lab: Lab, name: str) -> bytes:
    pem = lab.issued("openadr-ecc-ven", name, days=2).certificate_pem.decode()
    return ssl.PEM_cert_to_DER_cert(pem)


def test_the_certificate_is_read_once(lab: Lab) -> None:
    connection = Connection(der(lab, "once"))
    peers = [peer_of_transport(connection) for _ in range(3)]  # type: ignore[arg-type]
    ends_at = x509.load_der_x509_certificate(connection.certificate).not_valid_after_utc
    assert peers == [peer_of(connection.certificate, subject="CN=once,O=OpenADR lab", ends_at=ends_at)] * 3
    assert connection.readings == 1


def test_a_connection_that_outlives_its_certificate_has_no_peer(lab: Lab) -> None:
    """OpenADR 2.0b R516: no application traffic with an expired certificate."""
    connection = Connection(der(lab, "ageing"))
    assert peer_of_transport(connection) is not None  # type: ignore[arg-type]
    ends_s = (lab.now + timedelta(days=2)).timestamp()
    assert peer_of_transport(connection, clock_s=lambda: ends_s - 1) is not None  # type: ignore[arg-type]
    assert peer_of_transport(connection, clock_s=lambda: ends_s + 1) is None  # type: ignore[arg-type]


def test_two_certificates_with_one_serial_number_are_two_peers(lab: Lab) -> None:
    first, second = (peer_of_transport(Connection(der(lab, "twin"))) for _ in range(2))  # type: ignore[arg-type]
    assert first is not None
    assert second is not None
    assert first.subject == second.subject
    assert first.certificate_sha256 != second.certificate_sha256


def test_what_cannot_be_read_is_nobody() -> None:
    assert peer_of_transport(Connection(b"\x30\x03\x02\x01\x01")) is None  # type: ignore[arg-type]


def test_a_handshake_that_does_not_come_is_not_waited_for(lab: Lab) -> None:
    async def say_nothing(server: Running) -> float:
        reader, writer = await asyncio.open_connection("localhost", server.port)
        began = time.monotonic()
        async with asyncio.timeout(5.0):
            with contextlib.suppress(ConnectionError):
                await reader.read()
        writer.close()
        return time.monotonic() - began

    serving = tls.server_context("modern-2.0b", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")])
    limits = replace(HttpLimits(), tls_handshake_wait_s=0.3)
    assert 0.2 < against(serving, say_nothing, limits=limits) < 3.0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="only the openssl command can ask for a renegotiation")
def test_a_client_cannot_renegotiate(lab: Lab) -> None:
    """T14. The command's line ``R`` asks for a renegotiation of the running connection."""
    chain = lab.chain("openadr-ecc-ven")

    async def ask_again(server: Running) -> str:
        def run() -> str:
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"localhost:{server.port}", "-tls1_2", "-cert", chain.certificate,
                 "-key", chain.key, "-cert_chain", chain.certificate, "-CAfile", lab.trust("ecc")],
                input="R\n", capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            return done.stdout + done.stderr

        return await asyncio.to_thread(run)

    serving = tls.server_context("certification-2.0b", [lab.chain("openadr-ecc-vtn")], [lab.trust("ecc")])
    said = against(serving, ask_again)
    assert "Verify return code: 0 (ok)" in said, "the connection was there before"
    assert "no renegotiation" in said
