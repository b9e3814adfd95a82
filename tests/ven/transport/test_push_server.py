"""The agent's own server over real sockets and mutual TLS: who is let in, what is refused, and by which status."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from openadr_core.errors import ConfigError
from openadr_core.limits import XML_BODY_MAX_BYTES, XML_REPORT_BODY_MAX_BYTES
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.http_rules import BASE
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.tls import Chain, PresetName, client_context, server_context
from openadr_ven.domain import indications as i
from openadr_ven.protocols.oadr2 import Oadr2Session, Pushed
from openadr_ven.transport.listener import IN_FLIGHT_MAX, Listener
from openadr_ven.transport.upstream import Upstream
from tests.core.shell.lab import FAULTS, Lab
from tests.ven.protocols.scripted_vtn import VEN_ID, ScriptedVtn, an_event, distribute, read, talk
from tests.ven.protocols.test_oadr2_push import PUSHED
from tests.ven.transport.test_pushed_upstream import Store, Wire

XML = {"Content-Type": "application/xml"}
PREFIX = f"/myVEN{BASE}"
EVENT = encode(distribute(an_event()))
REGISTER = encode(m.RegisterReport(request_id="r1", ven_id=VEN_ID))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


def fingerprint(chain: Chain) -> str:
    certificate = x509.load_pem_x509_certificates(chain.certificate.read_bytes())[0]
    return certificate.fingerprint(hashes.SHA256()).hex()


def read_large(body: bytes) -> m.Message:
    return decode(body, load_schema(), limits=LARGE)


class Running:
    """A registered agent that listens, and what it was told."""

    def __init__(self, lab: Lab, preset: PresetName, kind: str, now: datetime) -> None:
        self.vtn_chains = [lab.chain("openadr-ecc-vtn"), lab.chain("openadr-rsa-vtn")]
        pins = frozenset(fingerprint(chain) for chain in self.vtn_chains)
        settings = replace(PUSHED, pushed=Pushed(address="https://localhost/myVEN/", vtn_sha256=pins))
        self.session = Oadr2Session(settings=settings, decode=read_large, dice=random.Random(1), now=now)
        self.vtn = ScriptedVtn()
        talk(self.session, self.vtn, now=now)
        self.session.indications()
        self.store = Store()
        upstream = Upstream(session=self.session, carrier=Wire(self.vtn), listener=self.store, now=lambda: now)
        self.receive = upstream.receive
        self.good = True
        self.server = Listener.pushed_to(
            self.receive, host="localhost", port=0, may_speak=lambda: self.good,
            tls=server_context(
                preset, [lab.chain(f"openadr-{kind}-ven")], [lab.trust("ecc"), lab.trust("rsa")], every_suite=False
            ),
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.port}"


@asynccontextmanager
async def running(
    lab: Lab, now: datetime, *, preset: PresetName = "modern-2.0b", kind: str = "ecc"
) -> AsyncIterator[Running]:
    ven = Running(lab, preset, kind, now)
    await ven.server.start()
    try:
        yield ven
    finally:
        await ven.server.close()


def vtn_context(lab: Lab, preset: PresetName = "modern-2.0b", name: str = "party") -> ssl.SSLContext:
    trust = [lab.trust("ecc"), lab.trust("rsa")]
    return client_context(
        preset, lab.chain("openadr-ecc-vtn", name), trust, others=[lab.chain("openadr-rsa-vtn", name)],
        check_hostname=False,
    )  # fmt: skip


def speaking(ven: Running, context: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=context, base_url=ven.url, headers=XML | {"Accept-Encoding": ""}, timeout=10)


@pytest.mark.openadr20b("R67", "S1", "S2", "T12", "T13", "R511", "T3")
@pytest.mark.parametrize("kind", ["ecc", "rsa"])
@pytest.mark.parametrize("preset", ["modern-2.0b", "certification-2.0b"])
async def test_the_vtn_is_heard(lab: Lab, now: datetime, preset: PresetName, kind: str) -> None:
    async with running(lab, now, preset=preset, kind=kind) as ven, speaking(ven, vtn_context(lab, preset)) as vtn:
        taken = await vtn.post(f"{PREFIX}EiEvent", content=EVENT)
        assert (taken.status_code, taken.content) == (200, b"")
        answer = await vtn.post(f"{PREFIX}EiReport", content=REGISTER)
        assert isinstance(read(answer.content), m.RegisteredReport)
        assert "Transfer-Encoding" not in answer.headers
        assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert [type(one) for one in ven.store.kept] == [i.EventReceived]


@pytest.mark.openadr20b("S3", "R517", "T12")
@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_a_bad_certificate_ends_the_handshake(lab: Lab, now: datetime, fault: str) -> None:
    bad = lab.bad(fault)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:AES128-SHA256:@SECLEVEL=0")
    context.load_cert_chain(bad.certificate, bad.key)
    async with running(lab, now) as ven, speaking(ven, context) as stranger:
        with pytest.raises(httpx.TransportError):
            await stranger.post(f"{PREFIX}EiEvent", content=EVENT)
    assert ven.store.kept == []


@pytest.mark.openadr20b("S3", "T12")
async def test_no_certificate_no_conversation(lab: Lab, now: datetime) -> None:
    nobody = client_context("modern-2.0b", None, [lab.trust("ecc")], check_hostname=False)
    async with running(lab, now) as ven, speaking(ven, nobody) as stranger:
        with pytest.raises(httpx.TransportError):
            await stranger.post(f"{PREFIX}EiEvent", content=EVENT)
    assert ven.store.kept == []


@pytest.mark.openadr20b("S3", "T12")
async def test_a_foreign_authority_is_not_let_in(lab: Lab, now: datetime, tmp_path: Path) -> None:
    foreign = Lab(folder=tmp_path, now=lab.now)
    context = client_context("modern-2.0b", foreign.chain("openadr-ecc-vtn"), [lab.trust("ecc")], check_hostname=False)
    async with running(lab, now) as ven, speaking(ven, context) as stranger:
        with pytest.raises(httpx.TransportError):
            await stranger.post(f"{PREFIX}EiEvent", content=EVENT)
    assert ven.store.kept == []


@pytest.mark.openadr20b("S6", "T12", "R517")
async def test_another_vtn_of_the_same_authority_gets_403_and_the_connection_is_closed(lab: Lab, now: datetime) -> None:
    async with running(lab, now) as ven, speaking(ven, vtn_context(lab, name="another")) as other:
        for path in ("EiEvent", "EiReport", "nowhere"):
            refused = await other.post(f"{PREFIX}{path}", content=EVENT)
            assert (refused.status_code, refused.text) == (403, "403 Forbidden\n")
            assert refused.headers["Connection"] == "close"
        assert (await other.get("/")).status_code == 403
    assert [type(one) for one in ven.store.kept] == [i.StrangerRefused]
    assert ven.session.memory.known == ()


@pytest.mark.openadr20b("T1", "T2", "T5", "T6", "T7", "T8", "R53", "R511")
@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", f"{PREFIX}EiEvent", {}, 501),
        ("PUT", f"{PREFIX}EiEvent", {}, 501),
        ("DELETE", "/", {}, 501),
        ("POST", "/", {}, 404),
        ("POST", f"{BASE}EiEvent", {}, 404),
        ("POST", f"{PREFIX}eievent", {}, 404),
        ("POST", f"{PREFIX}OadrPoll", {}, 404),
        ("POST", f"{PREFIX}EiReport?x=y", {}, 404),
        ("POST", "/my%56EN/OpenADR2/Simple/2%2E0b/Ei%52eport", {}, 200),
        ("POST", f"{PREFIX}EiReport", {"Content-Type": "text/xml"}, 406),
        ("POST", f"{PREFIX}EiReport", {"Content-Type": "application/xml; charset=utf-16"}, 406),
        ("POST", f"{PREFIX}EiReport", {"Content-Type": "application/xml; charset=utf-8"}, 200),
        ("POST", f"{PREFIX}EiReport", {"Accept": "text/html"}, 406),
        ("POST", f"{PREFIX}EiReport", {"Transfer-Encoding": "chunked"}, 411),
        ("POST", f"{PREFIX}EiReport", {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_http_rules_are_those_of_the_vtn(
    lab: Lab, now: datetime, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield REGISTER

    async with running(lab, now) as ven, speaking(ven, vtn_context(lab)) as vtn:
        content = pieces() if "Transfer-Encoding" in headers else REGISTER
        answer = await vtn.request(method, path, content=content, headers=headers)
        assert answer.status_code == status
        if status != 200:
            assert answer.text == f"{status} {httpx.codes.get_reason_phrase(status)}\n"
        assert (await vtn.post(f"{PREFIX}EiReport", content=REGISTER)).status_code == 200, "the next one works"


@pytest.mark.openadr20b("T8")
async def test_what_is_no_message_is_406_and_what_is_too_large_413(lab: Lab, now: datetime) -> None:
    async with running(lab, now) as ven, speaking(ven, vtn_context(lab)) as vtn:
        for body in (b"", b"<x/>", EVENT[:-5], b"\xff\xfe"):
            assert (await vtn.post(f"{PREFIX}EiEvent", content=body)).status_code == 406
        for size in (XML_BODY_MAX_BYTES, XML_REPORT_BODY_MAX_BYTES):
            assert (await vtn.post(f"{PREFIX}EiReport", content=REGISTER + b" " * size)).status_code == 413
        padded = EVENT + b" " * XML_BODY_MAX_BYTES
        assert (await vtn.post(f"{PREFIX}EiEvent", content=padded)).status_code == 200, "every event in one payload"
    assert [type(one) for one in ven.store.kept] == [i.EventReceived]


@pytest.mark.openadr20b("T8")
async def test_a_flood_is_busy_and_not_buried(lab: Lab, now: datetime) -> None:
    async with running(lab, now) as ven:
        ven.store.open.clear()
        async with speaking(ven, vtn_context(lab)) as vtn:
            many = [asyncio.create_task(vtn.post(f"{PREFIX}EiEvent", content=EVENT)) for _ in range(2 * IN_FLIGHT_MAX)]
            async with asyncio.timeout(20):
                while sum(task.done() for task in many) < IN_FLIGHT_MAX:
                    await asyncio.wait([task for task in many if not task.done()], return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status_code for task in many if task.done()} == {503}
            ven.store.open.set()
            answers = await asyncio.gather(*many)
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == IN_FLIGHT_MAX
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 503} == {"1"}
    assert [type(one) for one in ven.store.kept] == [i.EventReceived], "and it is one event"


@pytest.mark.openadr20b("R516", "S4")
async def test_with_a_certificate_that_has_ended_nothing_is_said_any_more(lab: Lab, now: datetime) -> None:
    async with running(lab, now) as ven, speaking(ven, vtn_context(lab)) as vtn:
        assert (await vtn.post(f"{PREFIX}EiReport", content=REGISTER)).status_code == 200
        ven.good = False
        with pytest.raises(httpx.TransportError):
            await vtn.post(f"{PREFIX}EiReport", content=REGISTER)


async def test_a_taken_port_names_the_setting(lab: Lab, now: datetime) -> None:
    async with running(lab, now) as ven:
        tls = server_context("modern-2.0b", [lab.chain("openadr-ecc-ven")], [lab.trust("ecc")])
        again = Listener.pushed_to(ven.receive, host="localhost", port=ven.server.port, tls=tls, may_speak=lambda: True)
        with pytest.raises(ConfigError, match=r"push\.port: localhost"):
            await again.start()
