"""Where we let ourselves be sent (security T33), to whom we speak there, what we take from them: real sockets, TLS."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from openadr_core.errors import (
    CertificateRejected,
    ConnectFailed,
    Forbidden,
    OpenAdrError,
    PeerClosed,
    TimedOut,
    TlsFailed,
)
from openadr_core.exchange import Response
from openadr_core.limits import OUTBOUND_ANSWER_MAX_BYTES
from openadr_core.shell.http_armour import serve
from openadr_core.shell.outbound import Outbound, OutboundRules, Pin
from openadr_core.shell.tls import Chain, client_context, server_context
from tests.core.shell.lab import Lab

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
ANY = "0.0.0.0"  # noqa: S104  # not bound to: connected to
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    "127.0.0.1", "127.255.255.254", ANY, "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fd00::1", "fc00::1", "ff02::1", "2001:db8::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_may_be_reached(address: str) -> None:
    OutboundRules().check_address(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_else_may_however_it_is_wrapped(address: str) -> None:
    with pytest.raises(Forbidden):
        OutboundRules().check_address(ip_address(address))


def test_a_network_may_be_let_in_and_lets_in_no_other() -> None:
    rules = OutboundRules(networks=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00:1::5"):
        rules.check_address(ip_address(address))
    for address in ("10.2.0.1", "127.0.0.1", "::1", "fd00:2::1", "::ffff:10.2.0.1", "169.254.169.254"):
        with pytest.raises(Forbidden):
            rules.check_address(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://ven.example/", "https:///x", "file:///etc/passwd", "gopher://ven.example/", "ven.example/",
        "https://user@ven.example/", "https://user:pw@ven.example/", "https://ven.example/#x",
        "https://ven.example:22/", "https://ven.example:0/", "https://ven.example:70000/", "https://[::1/", "",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_server_of_ours_is_not_reached(url: str) -> None:
    with pytest.raises(Forbidden):
        OutboundRules().check_url(url)


def test_ports_are_those_that_were_chosen() -> None:
    for url in ("https://ven.example/", "https://ven.example:443/", "https://ven.example:8443/x"):
        OutboundRules().check_url(url)
    OutboundRules(ports=frozenset({22})).check_url("https://ven.example:22/")


# -- over sockets ---------------------------------------------------------------------


def fingerprint(chain: Chain) -> str:
    certificate = x509.load_pem_x509_certificates(chain.certificate.read_bytes())[0]
    return certificate.fingerprint(hashes.SHA256()).hex()


async def echo(request: web.Request) -> web.Response:
    told = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response({"body": (await request.read()).decode(), "headers": told, "path": request.raw_path})


@asynccontextmanager
async def serving(lab: Lab, chain: Chain, handler: Handler = echo) -> AsyncIterator[tuple[int, list[str]]]:
    """A VEN's server; its port, and the paths that it was asked for."""
    asked: list[str] = []

    async def counted(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", counted)
    tls = server_context("modern-2.0b", [chain], [lab.trust("ecc"), lab.trust("rsa")])
    running = await serve(app, host="127.0.0.1", port=0, tls=tls)
    try:
        yield running.port, asked
    finally:
        await running.close()


def vtn_context(lab: Lab) -> ssl.SSLContext:
    return client_context(
        "modern-2.0b", lab.chain("openadr-ecc-vtn"), [lab.trust("ecc"), lab.trust("rsa")],
        others=[lab.chain("openadr-rsa-vtn")], check_hostname=False,
    )  # fmt: skip


@asynccontextmanager
async def outbound(lab: Lab, port: int, **changes: object) -> AsyncIterator[Outbound]:
    chosen: dict[str, object] = {
        "rules": OutboundRules(networks=LOOPBACK, ports=frozenset({port})),
        "context": vtn_context(lab), "timeout_s": 5.0, "connections_max": 10,
    }  # fmt: skip
    carrier = Outbound(**(chosen | changes))  # type: ignore[arg-type]
    try:
        yield carrier
    finally:
        await carrier.close()


async def post(carrier: Outbound, url: str, pin: Pin | None, body: bytes = b"<x/>") -> Response:
    return await carrier.post(url, body, headers={"Content-Type": "application/xml"}, pin=pin)


@pytest.mark.openadr20b("T5", "T6", "T7", "T12", "S1", "R67")
@pytest.mark.parametrize("kind", ["ecc", "rsa"])
async def test_a_request_is_carried_plain_and_whole_to_the_pinned_peer(lab: Lab, kind: str) -> None:
    chain = lab.chain(f"openadr-{kind}-ven")
    async with serving(lab, chain) as (port, _), outbound(lab, port) as carrier:
        answer = await post(carrier, f"https://127.0.0.1:{port}/ven/x", Pin([fingerprint(chain)]))
        told = json.loads(answer.body)
    assert answer.status == 200
    assert (told["body"], told["path"]) == ("<x/>", "/ven/x")
    assert told["headers"]["content-length"] == "4"
    assert told["headers"]["content-type"] == "application/xml"
    assert not {"transfer-encoding", "content-encoding", "accept-encoding"} & set(told["headers"])


@pytest.mark.openadr20b("T12", "S6")
async def test_another_of_the_same_authority_is_not_spoken_to(lab: Lab) -> None:
    ours, other = lab.chain("openadr-ecc-ven"), lab.chain("openadr-ecc-ven", "other")
    async with serving(lab, other) as (port, asked), outbound(lab, port) as carrier:
        with pytest.raises(CertificateRejected, match="another certificate"):
            await post(carrier, f"https://127.0.0.1:{port}/", Pin([fingerprint(ours)]))
        assert asked == [], "not a byte of ours was read"
        both = Pin([fingerprint(ours), fingerprint(other)])
        assert (await post(carrier, f"https://127.0.0.1:{port}/", both)).status == 200, "two may be, while one rotates"


async def test_a_foreign_authority_is_not_spoken_to(lab: Lab, tmp_path: Path) -> None:
    foreign = Lab(folder=tmp_path, now=lab.now)
    chain = foreign.chain("openadr-ecc-ven")
    async with serving(lab, chain) as (port, asked), outbound(lab, port) as carrier:
        with pytest.raises(CertificateRejected):
            await post(carrier, f"https://127.0.0.1:{port}/", Pin([fingerprint(chain)]))
    assert asked == []


async def test_without_a_pin_the_name_must_be_right(lab: Lab) -> None:
    """As a webhook is reached: a context that looks at names, and no pin."""
    chain = lab.chain("openadr-ecc-vtn")  # it names localhost
    named = client_context("modern-2.0b", lab.chain("openadr-ecc-ven"), [lab.trust("ecc")])
    async with serving(lab, chain) as (port, _), outbound(lab, port, context=named) as carrier:
        assert (await post(carrier, f"https://localhost:{port}/", None)).status == 200
    nameless = lab.chain("openadr-ecc-ven")
    async with serving(lab, nameless) as (port, asked), outbound(lab, port, context=named) as carrier:
        with pytest.raises(CertificateRejected):
            await post(carrier, f"https://localhost:{port}/", None)
    assert asked == []


@pytest.mark.openadr20b("R516", "S4")
async def test_a_kept_connection_does_not_outlive_a_certificate(lab: Lab) -> None:
    chain = lab.chain("openadr-ecc-ven")
    clock, ours_is_good = [lab.now.timestamp()], [True]
    async with (
        serving(lab, chain) as (port, asked),
        outbound(lab, port, clock_s=lambda: clock[0], may_speak=lambda: ours_is_good[0]) as carrier,
    ):
        pin, url = Pin([fingerprint(chain)]), f"https://127.0.0.1:{port}/"
        await post(carrier, url, pin)
        clock[0] = (lab.now + timedelta(days=4000)).timestamp()
        with pytest.raises(CertificateRejected, match="peer's certificate has ended"):
            await post(carrier, url, pin)
        clock[0], ours_is_good[0] = lab.now.timestamp(), False
        with pytest.raises(CertificateRejected, match="our own certificate has ended"):
            await post(carrier, url, pin)
        ours_is_good[0] = True
        await post(carrier, url, pin)
    assert len(asked) == 2


async def test_connections_are_kept_and_no_party_gets_anothers(lab: Lab) -> None:
    chains = [lab.chain("openadr-ecc-ven"), lab.chain("openadr-ecc-ven", "other")]
    ports: list[int] = []

    async def remember(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response()

    async with serving(lab, chains[0], remember) as (port, _), outbound(lab, port) as carrier:
        one, same = Pin([fingerprint(chains[0])]), Pin([fingerprint(chain) for chain in chains])
        for pin in (one, one, one, same, same):
            await post(carrier, f"https://127.0.0.1:{port}/", pin)
    assert len(set(ports[:3])) == 1
    assert len(set(ports[3:])) == 1
    assert ports[0] != ports[-1]


SPELLINGS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost",
    "localhost.", ANY, "[::]",
]  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_loopback_is_connected_to(lab: Lab, host: str) -> None:
    """T33: numbers, short forms and names; a listener that counts."""
    chain = lab.chain("openadr-ecc-ven")
    async with serving(lab, chain) as (port, asked):
        rules = OutboundRules(ports=frozenset({port}))
        async with outbound(lab, port, rules=rules) as carrier:
            with pytest.raises((Forbidden, ConnectFailed)):
                await post(carrier, f"https://{host}:{port}/", Pin([fingerprint(chain)]))
    assert asked == []


async def test_what_a_name_server_says_at_the_last_moment_is_looked_at(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is public when it is looked at, and private when it is connected to."""
    chain = lab.chain("openadr-ecc-ven")
    looked_up: list[str] = []

    def rebinding(host: str, port: int, *_: object, **__: object) -> list[object]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    rules = OutboundRules(ports=frozenset({8443}))
    async with serving(lab, chain) as (_, asked), outbound(lab, 8443, rules=rules) as carrier:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with pytest.raises(Forbidden, match=r"127\.0\.0\.1 is no public address"):
            await post(carrier, "https://rebound.example:8443/", Pin([fingerprint(chain)]))
    assert looked_up == ["rebound.example"]
    assert asked == []


@pytest.mark.openadr20b("T8")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(lab: Lab, status: int) -> None:
    chain = lab.chain("openadr-ecc-ven")

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving(lab, chain, elsewhere) as (port, asked), outbound(lab, port) as carrier:
        answer = await post(carrier, f"https://127.0.0.1:{port}/here", Pin([fingerprint(chain)]))
    assert answer.status == status
    assert asked == ["/here"]


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def flood(_: web.Request) -> web.Response:
    return web.Response(body=bytes(OUTBOUND_ANSWER_MAX_BYTES + 1))


async def drip(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(100):
        await answer.write(b".")
        await asyncio.sleep(0.1)
    return answer


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.openadr20b("T9")
@pytest.mark.parametrize(
    ("handler", "error"), [(hang, TimedOut), (drip, TimedOut), (flood, PeerClosed), (cut, PeerClosed)]
)
async def test_a_peer_that_misbehaves_is_an_exchange_that_failed_in_bounded_time(
    lab: Lab, handler: Handler, error: type[OpenAdrError]
) -> None:
    chain = lab.chain("openadr-ecc-ven")
    async with serving(lab, chain, handler) as (port, _), outbound(lab, port, timeout_s=0.5) as carrier:
        async with asyncio.timeout(5):
            with pytest.raises(error):
                await post(carrier, f"https://127.0.0.1:{port}/", Pin([fingerprint(chain)]))


async def test_nobody_there(lab: Lab) -> None:
    async with outbound(lab, 9) as carrier:
        with pytest.raises(ConnectFailed):
            await post(carrier, "https://127.0.0.1:9/", Pin([]))


@pytest.mark.openadr20b("S3", "T12")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_peer_that_does_not_want_our_certificate(lab: Lab, tmp_path: Path, version: ssl.TLSVersion) -> None:
    chain = lab.chain("openadr-ecc-ven")
    stranger = Lab(folder=tmp_path, now=lab.now)
    context = vtn_context(lab)
    context.maximum_version = version
    tls = server_context("modern-2.0b", [chain], [stranger.trust("ecc")])
    running = await serve(web.Application(), host="127.0.0.1", port=0, tls=tls)
    try:
        async with outbound(lab, running.port, context=context) as carrier:
            with pytest.raises((TlsFailed, PeerClosed)):
                await post(carrier, f"https://127.0.0.1:{running.port}/", Pin([fingerprint(chain)]))
    finally:
        await running.close()


async def test_a_body_is_given_as_it_came_whatever_it_says_of_itself(lab: Lab) -> None:
    """Nothing is inflated that we did not ask to be compressed."""
    chain = lab.chain("openadr-ecc-ven")

    async def packed(_: web.Request) -> web.Response:
        return web.Response(body=b"not inflated", headers={"Content-Encoding": "gzip"})

    async with serving(lab, chain, packed) as (port, _), outbound(lab, port) as carrier:
        answer = await post(carrier, f"https://127.0.0.1:{port}/", Pin([fingerprint(chain)]))
    assert answer.body == b"not inflated"
    assert replace(answer, headers={}) == Response(status=200, body=b"not inflated")
