"""What the channel decides before any message does: routes without a certificate, stolen ones, who signs."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal
from urllib.parse import quote

import httpx
import pytest

from openadr_core.exchange import Request, Response
from openadr_core.identity import Peer, peer_of
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import BASE, VTN_SERVICES
from openadr_core.oadr2.xmldsig import verify
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.http_armour import Running, serve
from openadr_core.shell.tls import server_context
from openadr_core.xml.parse import parse
from openadr_ven.transport.listener import Listener
from openadr_vtn.application.handlers.parties import deny_certificates, replace_certificate
from openadr_vtn.http.oadr2_routes import parties_app
from tests.core.shell.lab import Lab as TlsLab
from tests.security.signing import Lab, SigningBench, SigningVen, code_of, everything
from tests.vtn.protocols.speech import WISH
from tests.vtn.protocols.vtn_bench import Bench

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
XML = {"Content-Type": "application/xml"}


# -- T09: the inventory of routes ----------------------------------------------------------


def test_a_party_reaches_two_doors_and_both_ask_who_it_is(bench: Bench) -> None:
    """A route that is added must be tried below, or this fails."""
    routes = parties_app(bench.vtn, lambda: bench.now).router.routes()
    assert [(route.method, route.resource.canonical) for route in routes if route.resource] == [
        ("POST", f"{BASE}OadrPoll"), ("*", "/{path}")
    ]  # fmt: skip


@pytest.mark.openadr20b("R517", "S3", "S6")
async def test_without_a_certificate_no_route_says_anything(bench: Bench) -> None:
    """Even where a listener without TLS were put before them by mistake."""
    running = await serve(parties_app(bench.vtn, lambda: bench.now), host="127.0.0.1", port=0, tls=None)
    await bench.add_party()
    before = await everything(bench)
    try:
        async with httpx.AsyncClient(base_url=running.url) as client:
            for path in (*(f"{BASE}{service}" for service in VTN_SERVICES), BASE, "/", "/metrics", "/../x"):
                for method in METHODS:
                    body = encode(m.Poll(ven_id="id-ven-one")) if method in {"POST", "PUT", "PATCH"} else None
                    answer = await client.request(method, path, content=body, headers=XML)
                    assert (answer.status_code, answer.content) == (
                        403,
                        b"" if method == "HEAD" else b"403 Forbidden\n",
                    ), (method, path)
    finally:
        await running.close()
    assert await everything(bench) == before


@pytest.mark.openadr20b("R517", "S3", "S6")
async def test_nor_does_any_of_a_ven_that_is_pushed_to() -> None:
    async def receive(request: Request, peer: Peer) -> Response:
        raise AssertionError(f"{peer} got through to {request.path}")

    server = Listener.pushed_to(receive, host="127.0.0.1", port=0, tls=None, may_speak=lambda: True)  # type: ignore[arg-type]
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            for path in (*(f"{BASE}{service}" for service in VTN_SERVICES), BASE, "/", "/metrics"):
                for method in METHODS:
                    assert (await client.request(method, path, headers=XML)).status_code == 403, (method, path)
    finally:
        await server.close()


# -- over real TLS ---------------------------------------------------------------------------


@dataclass
class Doors:
    """A VTN with an RSA and an ECC certificate, over real TLS."""

    signing: SigningBench
    tls: TlsLab
    running: Running

    @asynccontextmanager
    async def party(self, context: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with httpx.AsyncClient(
            verify=context, base_url=self.running.url, headers={"Accept-Encoding": ""}, limits=limits
        ) as client:
            yield client


@pytest.fixture(scope="session")
def tls_lab(tmp_path_factory: pytest.TempPathFactory) -> TlsLab:
    return TlsLab(folder=tmp_path_factory.mktemp("tls"), now=datetime.now(UTC))


@pytest.fixture
async def doors(bench: Bench, tls_lab: TlsLab) -> AsyncIterator[Doors]:
    bench.now = tls_lab.now
    signing = SigningBench(vtn=bench, lab=Lab(now=tls_lab.now))
    for kind in ("rsa", "ecc"):
        chain = tls_lab.chain(f"openadr-{kind}-vtn")
        signing.lab.own("vtn", kind, chain.certificate.read_bytes(), chain.key.read_bytes())
    signing.demand(SignatureRule.ACCEPT)
    context = server_context(
        "modern-2.0b", [tls_lab.chain("openadr-rsa-vtn"), tls_lab.chain("openadr-ecc-vtn")],
        [tls_lab.trust("rsa"), tls_lab.trust("ecc")],
    )  # fmt: skip
    app = parties_app(signing.vtn.vtn, lambda: signing.vtn.now)
    running = await serve(app, host="localhost", port=0, tls=context)
    yield Doors(signing=signing, tls=tls_lab, running=running)
    await running.close()


async def enrolled(doors: Doors, kind: str = "ecc") -> SigningVen:
    chain = doors.tls.chain(f"openadr-{kind}-ven")
    doors.signing.lab.own("ven-one", kind, chain.certificate.read_bytes(), chain.key.read_bytes())
    return await doors.signing.add_party("ven-one", kind)


def client_of(
    doors: Doors, kind: str, *, name: str = "party", suites: str = "", version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    chain = doors.tls.chain(f"openadr-{kind}-ven", name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for each in ("rsa", "ecc"):
        context.load_verify_locations(doors.tls.trust(each))
    context.load_cert_chain(chain.certificate, chain.key)
    if suites:
        context.set_ciphers(suites)
    if version is not None:
        context.maximum_version = version
    return context


# -- T13: what a proxy would say of a certificate --------------------------------------------


def as_a_proxy_says(certificate_pem: bytes) -> dict[str, str]:
    """Every way in which one is known to: nginx, Envoy, RFC 9440."""
    der = ssl.PEM_cert_to_DER_cert(certificate_pem.decode().partition("-----END")[0] + "-----END CERTIFICATE-----\n")
    escaped = quote(certificate_pem.decode())
    return {
        "X-SSL-Client-Cert": escaped, "X_SSL_Client_Cert": escaped, "X-Client-Cert": escaped,
        "X-SSL-Client-Verify": "SUCCESS", "X-SSL-Client-Fingerprint": sha256(der).hexdigest(),
        "X-Forwarded-Client-Cert": f'Hash={sha256(der).hexdigest()};Cert="{escaped}"', "X-Forwarded-Proto": "https",
        "Client-Cert": f":{b64encode(der).decode()}:",
    }  # fmt: skip


@pytest.mark.openadr20b("R517", "S3", "S6")
async def test_no_header_stands_for_a_certificate(doors: Doors) -> None:
    """There is no listener behind a proxy: who a party is comes from the handshake, and from nothing else."""
    ven = await enrolled(doors)
    forged = XML | as_a_proxy_says(doors.tls.chain("openadr-ecc-ven").certificate.read_bytes())
    poll = encode(m.Poll(ven_id=ven.party_id))
    app = parties_app(doors.signing.vtn.vtn, lambda: doors.signing.vtn.now)
    bare = await serve(app, host="127.0.0.1", port=0, tls=None)
    try:
        async with httpx.AsyncClient(base_url=bare.url) as client:
            answer = await client.post(f"{BASE}OadrPoll", content=poll, headers=forged)
            assert (answer.status_code, answer.content) == (403, b"403 Forbidden\n")
    finally:
        await bare.close()
    async with doors.party(client_of(doors, "ecc", name="thief")) as client:
        stolen = await client.post(f"{BASE}OadrPoll", content=poll, headers=forged)
    async with doors.party(client_of(doors, "ecc")) as client:
        own = await client.post(f"{BASE}OadrPoll", content=poll, headers=forged)
    assert [code_of(decode(one.content, load_schema())) for one in (stolen, own)] == ["463", "200"]


# -- T12: a certificate that was stolen ------------------------------------------------------


@pytest.mark.openadr20b("S6", "R516", "R517")
@pytest.mark.parametrize("signs", [False, True], ids=["unsigned", "signed"])
async def test_denied_it_is_403_on_the_connection_that_was_good_which_is_closed(doors: Doors, *, signs: bool) -> None:
    ven = await enrolled(doors)
    poll = m.Poll(ven_id=ven.party_id)

    def body() -> bytes:
        return ven.signed(poll) if signs else encode(poll)

    port = int(doors.running.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("localhost", port, ssl=client_of(doors, "ecc"))
    assert [await status_of(reader, writer, body()) for _ in range(3)] == [200, 200, 200]
    store = doors.signing.vtn.store
    await deny_certificates(store, "ven-one", None, actor="client:x", reason="stolen", now=doors.signing.vtn.now)
    assert await status_of(reader, writer, body()) == 403
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def status_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    """Of one more request on this connection."""
    head = f"POST {BASE}OadrPoll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/xml\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in answer.decode().split("\r\n") if line.lower().startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return int(answer.split(b" ")[1])


@pytest.mark.openadr20b("R514", "S6")
async def test_a_denied_certificate_signs_nothing_over_the_connection_of_the_one_that_replaced_it(
    signing: SigningBench,
) -> None:
    signing.demand(SignatureRule.REQUIRE)
    stolen = await signing.add_party()
    new = signing.lab.credentials("ven-one renewed", "ecc")
    bench = signing.vtn
    await replace_certificate(bench.store, "ven-one", new.peer, actor="client:x", keep=True, now=bench.now)
    over_the_new = replace(stolen, ven=bench.ven(new.peer))
    poll = m.Poll(ven_id=stolen.party_id)
    assert code_of(await over_the_new.say(poll)) == "200"
    sha = stolen.own.signer.certificate_sha256
    await deny_certificates(bench.store, "ven-one", sha, actor="client:x", reason="stolen", now=bench.now)
    assert code_of(signing.read_signed(await over_the_new.post(stolen.signed(poll)))) == "463"
    assert code_of(await replace(over_the_new, own=new).say(poll)) == "200"


# -- T10: a registration that is another's ---------------------------------------------------


@pytest.mark.openadr20b("R517", "G10", "G11", "S6", "R514")
@pytest.mark.parametrize("enrolled_too", [True, False], ids=["another party", "a stranger"])
async def test_a_signature_does_not_make_a_thief_of_a_registration_its_owner(
    signing: SigningBench, *, enrolled_too: bool
) -> None:
    signing.demand(SignatureRule.REQUIRE)
    victim = await signing.add_party()
    own = signing.lab.credentials("thief", "ecc")
    if enrolled_too:
        thief = await signing.add_party("thief", registered=False)
    else:
        thief = SigningVen(bench=signing, ven=signing.vtn.ven(own.peer), own=own, party_id="thief")
        await thief.say(m.Poll(ven_id="thief"))
    async with signing.vtn.store.view() as view:
        party = await view.parties.by_id(victim.party_id)
    assert party is not None
    assert party.registration is not None
    before = await everything(signing.vtn)
    theirs = replace(WISH, registration_id=party.registration.registration_id, ven_id=victim.party_id)
    for wish in (theirs, replace(WISH, ven_id=victim.party_id), replace(WISH, ven_name="ven-one")):
        # Signed by itself, and with the victim's own signature, which it may have seen.
        for body in (thief.signed(wish), victim.signed(wish)):
            answer = signing.read_signed(await thief.post(body, "EiRegisterParty"))
            assert isinstance(answer, m.CreatedPartyRegistration)
            assert (code_of(answer), answer.ven_id, answer.registration_id) == ("463", None, None)
    assert await everything(signing.vtn) == before
    alarms = [notice for notice in signing.vtn.notices if notice.kind == "identity claimed"]
    assert len(alarms) >= 3
    assert code_of(await victim.say(theirs)) == "200"


# -- by which of its certificates the VTN signs ----------------------------------------------


@pytest.mark.openadr20b("R514", "S2", "S7")
@pytest.mark.parametrize(
    ("suites", "version", "shown"),
    [
        ("", None, "ecc"),
        ("ECDHE-ECDSA-AES128-SHA256", ssl.TLSVersion.TLSv1_2, "ecc"),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", ssl.TLSVersion.TLSv1_2, "ecc"),
        ("AES128-SHA256", ssl.TLSVersion.TLSv1_2, "rsa"),
        ("ECDHE-RSA-AES128-GCM-SHA256", ssl.TLSVersion.TLSv1_2, "rsa"),
    ],
    ids=["tls 1.3", "ecdsa cbc", "ecdsa gcm", "rsa cbc", "rsa gcm"],
)
@pytest.mark.parametrize("kind", ["rsa", "ecc"])
async def test_an_answer_is_signed_by_the_certificate_that_the_connection_shows(
    doors: Doors, kind: str, suites: str, version: ssl.TLSVersion | None, shown: Literal["rsa", "ecc"]
) -> None:
    """So that whoever has pinned what it sees can check what it reads."""
    ven = await enrolled(doors, kind)
    async with doors.party(client_of(doors, kind, suites=suites, version=version)) as client:
        answer = await client.post(f"{BASE}OadrPoll", content=ven.signed(m.Poll(ven_id=ven.party_id)), headers=XML)
        seen = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert(binary_form=True)
    signer = verify(parse(answer.content)).holder.certificate_sha256
    assert signer == sha256(seen).hexdigest() == peer_of(seen).certificate_sha256
    assert signer == doors.signing.lab.made["vtn", shown].signer.certificate_sha256
