"""Exchanges over real mutual TLS: one VTN is ours, and whoever else answers at its address gets nothing (T01)."""

import asyncio
import gzip
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from openadr_core.errors import CertificateRejected, ConnectFailed, ExchangeFailed, PeerClosed, TimedOut, TlsFailed
from openadr_core.exchange import Request
from openadr_core.limits import XML_BODY_MAX_BYTES, XML_REPORT_BODY_MAX_BYTES
from openadr_core.oadr2.http_rules import content_coding, response
from openadr_core.shell.http_armour import serve
from openadr_core.shell.tls import Chain, PresetName, client_context, server_context
from openadr_ven.domain.indications import Indication, VtnUnreachable
from openadr_ven.transport.client import VtnClient
from openadr_ven.transport.upstream import Upstream
from tests.core.shell.lab import Lab
from tests.ven.protocols.conversation import a_session
from tests.ven.protocols.scripted_vtn import ScriptedVtn, an_event

POLL = Request(method="POST", path="/OpenADR2/Simple/2.0b/OadrPoll", body=b"<x/>", headers={"content-type": "a/b"})


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


def fingerprint(chain: Chain) -> str:
    certificate = x509.load_pem_x509_certificates(chain.certificate.read_bytes())[0]
    return certificate.fingerprint(hashes.SHA256()).hex()


def client_of(
    lab: Lab, port: int, *, pins: list[str], timeout_s: float = 5.0, host: str = "localhost", **more: Any
) -> VtnClient:
    context = client_context("modern-2.0b", lab.chain("openadr-ecc-ven"), [lab.trust("ecc")])
    return VtnClient(url=f"https://{host}:{port}", context=context, fingerprints=pins, timeout_s=timeout_s, **more)


def plain_server(chain: Chain) -> ssl.SSLContext:
    """A server that asks for nothing and has not looked at its own certificate: an impostor's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain.certificate, chain.key)
    return context


@asynccontextmanager
async def answering(
    tls: ssl.SSLContext, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/{tail:.*}", handler)
    running = await serve(app, host="127.0.0.1", port=0, tls=tls)
    try:
        yield running.port
    finally:
        await running.close()


@asynccontextmanager
async def our_vtn(
    lab: Lab, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[tuple[int, list[str]]]:
    chain = lab.chain("openadr-ecc-vtn")
    async with answering(server_context("modern-2.0b", [chain], [lab.trust("ecc")]), handler) as port:
        yield port, [fingerprint(chain)]


async def echo(request: web.Request) -> web.Response:
    offered = {"encoding": request.headers.get("accept-encoding", ""), "accept": request.headers.get("accept", "")}
    body = await request.read()
    return web.Response(body=body, headers={"X-Offered": repr(sorted(offered.items())), "X-Length": str(len(body))})


@pytest.mark.openadr20b("R53", "T5", "T6", "T7")
async def test_an_exchange_is_carried_and_offers_what_2_0b_allows(lab: Lab) -> None:
    async with our_vtn(lab, echo) as (port, pins):
        client = client_of(lab, port, pins=pins)
        answer = await client.exchange(POLL)
        assert (answer.status, answer.body) == (200, b"<x/>")
        assert answer.headers["x-offered"] == "[('accept', 'application/xml'), ('encoding', '')]"
        assert answer.headers["x-length"] == "4"
        await client.close()


async def test_the_connection_is_kept(lab: Lab) -> None:
    ports = set()

    async def remember(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response()

    async with our_vtn(lab, remember) as (port, pins):
        client = client_of(lab, port, pins=pins)
        for _ in range(3):
            await client.exchange(POLL)
        await client.close()
    assert len(ports) == 1


# -- T01: five ways to be somebody else ----------------------------------------------


def other_authority(lab: Lab, tmp_path: Path) -> Chain:
    return Lab(folder=tmp_path, now=lab.now).chain("openadr-ecc-vtn")


def other_subject(lab: Lab, _tmp_path: Path) -> Chain:
    return lab.chain("openadr-ecc-vtn", "impostor")


def other_key(lab: Lab, tmp_path: Path) -> Chain:
    made = lab.issued("openadr-ecc-vtn")  # the same name from the same authority, and another key
    copy = Lab(folder=tmp_path, now=lab.now)
    return copy.write("other-key", made.chain_pem, made.key_pem)


def expired(lab: Lab, tmp_path: Path) -> Chain:
    old = Lab(folder=tmp_path, now=lab.now - timedelta(days=30), authorities=lab.authorities)
    lab.authority("ecc")
    return old.chain("openadr-ecc-vtn", days=1)


def another_vtn(lab: Lab, _tmp_path: Path) -> Chain:
    """A good VTN of the same trust, reached because the name server lies."""
    return lab.chain("openadr-ecc-vtn", "another-utility")


@pytest.mark.openadr20b("R516", "S3", "S4")
@pytest.mark.parametrize("spoof", [other_authority, other_subject, other_key, expired, another_vtn])
async def test_a_spoofed_vtn_moves_nothing_and_raises_an_alarm(
    lab: Lab, tmp_path: Path, now: datetime, spoof: Callable[[Lab, Path], Chain]
) -> None:
    vtn = ScriptedVtn()
    vtn.events = (an_event(),)
    asked: list[bytes] = []

    async def lie(request: web.Request) -> web.Response:
        asked.append(await request.read())
        return web.Response()

    listener = Witness()
    pin = fingerprint(lab.chain("openadr-ecc-vtn"))
    session = a_session(now)
    async with answering(plain_server(spoof(lab, tmp_path)), lie) as port:
        client = client_of(lab, port, pins=[pin])
        upstream = Upstream(session=session, carrier=client, listener=listener, now=lambda: now)
        async with asyncio.timeout(1.0):  # the alarm within a second
            await upstream.step()
        await client.close()
    assert asked == []  # not one byte of ours was read
    assert len(listener.impostors) == 1
    assert [type(one) for one in listener.heard] == [VtnUnreachable]
    assert session.memory.known == ()


class Witness:
    """A listener that only remembers."""

    def __init__(self) -> None:
        self.heard: list[Indication] = []
        self.impostors: list[str] = []

    async def heed(self, indications: Sequence[Indication], *, now: datetime) -> bool:
        del now
        self.heard.extend(indications)
        return True

    async def impostor(self, text: str, *, now: datetime) -> None:
        del now
        self.impostors.append(text)


async def test_a_second_pin_lets_the_vtn_change_its_certificate(lab: Lab) -> None:
    old, new = lab.chain("openadr-ecc-vtn"), lab.chain("openadr-ecc-vtn", "next")
    pins = [fingerprint(old), fingerprint(new)]
    for chain in (old, new):
        async with answering(server_context("modern-2.0b", [chain], [lab.trust("ecc")]), echo) as port:
            client = client_of(lab, port, pins=pins)
            assert (await client.exchange(POLL)).status == 200
            await client.close()


async def test_a_wrong_host_name_is_refused(lab: Lab) -> None:
    other = lab.issued("openadr-ecc-vtn", "elsewhere")
    chain = lab.write("elsewhere", other.chain_pem, other.key_pem)
    async with answering(plain_server(chain), echo) as port:
        client = client_of(lab, port, pins=[fingerprint(chain)], host="127.0.0.2")
        with pytest.raises(ExchangeFailed):
            await client.exchange(POLL)
        await client.close()


# -- what can go wrong, by name ------------------------------------------------------


async def hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(1)
    return web.Response()


async def flood(_request: web.Request) -> web.Response:
    return web.Response(body=b"x" * (XML_REPORT_BODY_MAX_BYTES + 1))


async def plenty(_request: web.Request) -> web.Response:
    return web.Response(body=b"x" * (2 * XML_BODY_MAX_BYTES))


async def test_an_answer_with_many_events_is_taken(lab: Lab) -> None:
    async with our_vtn(lab, plenty) as (port, pins):
        client = client_of(lab, port, pins=pins)
        assert len((await client.exchange(POLL)).body) == 2 * XML_BODY_MAX_BYTES
        await client.close()


async def drip(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "100"})
    await answer.prepare(request)
    for _ in range(100):
        await answer.write(b"<")
        await asyncio.sleep(0.05)
    return answer


async def cut(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "100"})
    await answer.prepare(request)
    await answer.write(b"<half")
    assert request.transport is not None
    request.transport.abort()
    return answer


async def in_the_clear(request: web.Request) -> web.StreamResponse:
    """What is no TLS record, in the midst of an exchange."""
    assert request.transport is not None
    os.write(request.transport.get_extra_info("socket").fileno(), b"HTTP/1.1 200 OK\r\n\r\n")
    return await hang(request)


@pytest.mark.openadr20b("T9")
@pytest.mark.parametrize(
    ("handler", "error"),
    [(hang, TimedOut), (drip, TimedOut), (flood, PeerClosed), (cut, PeerClosed), (in_the_clear, PeerClosed)],
)
async def test_a_vtn_that_misbehaves_is_an_exchange_that_failed(
    lab: Lab, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], error: type[Exception]
) -> None:
    async with our_vtn(lab, handler) as (port, pins):
        client = client_of(lab, port, pins=pins, timeout_s=0.3 if error is TimedOut else 5.0)
        with pytest.raises(error):
            await client.exchange(POLL)
        await client.close()


async def test_nobody_there(lab: Lab) -> None:
    client = client_of(lab, 9, pins=["00" * 32], timeout_s=1.0)
    with pytest.raises(ConnectFailed):
        await client.exchange(POLL)
    await client.close()


@pytest.mark.parametrize("profile", ["modern-2.0b", "certification-2.0b"])
async def test_a_vtn_that_does_not_want_our_certificate(lab: Lab, tmp_path: Path, profile: PresetName) -> None:
    """With TLS 1.3 the refusal comes with the first read, with 1.2 in the handshake: one name for both."""
    stranger = Lab(folder=tmp_path, now=lab.now)
    chain = lab.chain("openadr-ecc-vtn")
    async with answering(server_context(profile, [chain], [stranger.trust("ecc")]), echo) as port:
        client = client_of(lab, port, pins=[fingerprint(chain)])
        with pytest.raises(TlsFailed):
            await client.exchange(POLL)
        await client.close()


async def test_after_a_failure_the_next_exchange_connects_anew(lab: Lab) -> None:
    turns = iter([cut, echo])

    async def first_cut(request: web.Request) -> web.StreamResponse:
        return await next(turns)(request)

    async with our_vtn(lab, first_cut) as (port, pins):
        client = client_of(lab, port, pins=pins)
        with pytest.raises(PeerClosed):
            await client.exchange(POLL)
        assert (await client.exchange(POLL)).status == 200
        await client.close()


async def test_certificate_rejected_is_what_a_pin_says(lab: Lab) -> None:
    async with our_vtn(lab, echo) as (port, _):
        client = client_of(lab, port, pins=["00" * 32])
        with pytest.raises(CertificateRejected, match="not the pinned VTN"):
            await client.exchange(POLL)
        await client.close()


# -- compressed answers, redirects, and certificates that end ------------------------


def packed(body: bytes, coding: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": coding})

    return answer


@pytest.mark.openadr20b("T7")
async def test_compression_is_offered_if_that_is_wanted_and_undone(lab: Lab) -> None:
    async def compressing(request: web.Request) -> web.Response:
        coding = content_coding(request.headers.get("Accept-Encoding", ""))
        made = response(await request.read(), coding)
        return web.Response(body=made.body, headers=made.headers)

    async with our_vtn(lab, compressing) as (port, pins):
        for wanted in (True, False):
            client = client_of(lab, port, pins=pins, compressed=wanted)
            assert (await client.exchange(POLL)).body == b"<x/>"
            await client.close()


@pytest.mark.openadr20b("T7")
@pytest.mark.parametrize(
    "handler",
    [
        packed(gzip.compress(bytes(XML_REPORT_BODY_MAX_BYTES + 1), mtime=0), "gzip"),
        packed(b"no gzip", "gzip"),
        packed(b"<x/>", "br"),
    ],
    ids=["bomb", "nonsense", "never offered"],
)
async def test_what_cannot_be_inflated_within_bounds_is_an_exchange_that_failed(
    lab: Lab, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> None:
    async with our_vtn(lab, handler) as (port, pins):
        client = client_of(lab, port, pins=pins, compressed=True)
        with pytest.raises(PeerClosed, match="inflated"):
            await client.exchange(POLL)
        await client.close()


@pytest.mark.openadr20b("T8")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(lab: Lab, status: int) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with our_vtn(lab, elsewhere) as (port, pins):
        client = client_of(lab, port, pins=pins)
        assert (await client.exchange(POLL)).status == status
        await client.close()
    assert asked == [POLL.path]


@pytest.mark.openadr20b("R516", "S4")
async def test_no_connection_outlives_a_certificate(lab: Lab) -> None:
    clock, ours_is_good, ports = [lab.now.timestamp()], [True], list[int]()

    async def remember(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response()

    async with our_vtn(lab, remember) as (port, pins):
        client = client_of(lab, port, pins=pins, clock_s=lambda: clock[0], may_speak=lambda: ours_is_good[0])
        await client.exchange(POLL)
        clock[0] += 4000 * 86_400
        await client.exchange(POLL)
        clock[0] -= 4000 * 86_400
        await client.exchange(POLL)
        ours_is_good[0] = False
        with pytest.raises(TlsFailed, match="our own certificate has ended"):
            await client.exchange(POLL)
        await client.close()
    assert len(ports) == 3
    assert ports[0] != ports[1], "the VTN's certificate is looked at anew, by a handshake"
    assert ports[1] == ports[2]
