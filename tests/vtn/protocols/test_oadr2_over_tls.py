"""The 2.0b door over real sockets and mutual TLS: what HTTP and TLS add to the core, and what they must not."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from openadr_core.errors import Unavailable
from openadr_core.identity import Peer
from openadr_core.model.party import PartyState
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.oadr3.decode import decode_event
from openadr_core.pki import issue, make_authority
from openadr_core.shell.http_armour import Running, serve
from openadr_core.shell.keyfiles import certificate_profile, write_issued
from openadr_core.shell.tls import Chain, client_context, server_context
from openadr_vtn.application.handlers.events import create_event
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.http.oadr2_routes import NoticeLog, parties_app
from tests.vtn.protocols.vtn_bench import Bench
from tests.vtn.samples import a_certificate, a_party

BASE = "/OpenADR2/Simple/2.0b/"
POLL = encode(m.Poll(ven_id="id-ven-one"))
XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    trust: Path
    vtn: Chain
    vens: dict[str, tuple[Chain, Peer]]

    def client(self, name: str) -> ssl.SSLContext:
        return client_context("modern-2.0b", self.vens[name][0], [self.trust])


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder, now = tmp_path_factory.mktemp("tls"), datetime.now(UTC)
    root = make_authority("Lab root", certificate_profile("openadr-ecc-root"), now)
    (folder / "root.pem").write_bytes(root.certificate_pem)
    vtn = issue(
        certificate_profile("openadr-ecc-vtn"), "vtn", root, now, dns_names=["localhost"], ip_addresses=["127.0.0.1"]
    )
    vens = {name: issue(certificate_profile("openadr-ecc-ven"), name, root, now) for name in ("ven-one", "stranger")}
    return Lab(
        trust=folder / "root.pem",
        vtn=write_issued(folder, "vtn", vtn),
        vens={name: (write_issued(folder, name, issued), issued.peer) for name, issued in vens.items()},
    )


@pytest.fixture
async def door(bench: Bench, lab: Lab) -> AsyncIterator[Running]:
    """The VTN, listening; its one registered party holds the lab's first certificate."""
    peer = lab.vens["ven-one"][1]
    certificate = replace(a_certificate(bench.now), sha256=peer.certificate_sha256)
    async with bench.store.unit_of_work() as uow:
        await uow.parties.add(a_party(bench.now, certificates=(certificate,)))
    running = await serve(
        parties_app(bench.vtn, lambda: bench.now),
        host="localhost",
        port=0,
        tls=server_context("modern-2.0b", [lab.vtn], [lab.trust], client_certificates="required"),
    )
    yield running
    await running.close()


@asynccontextmanager
async def party(door: Running, lab: Lab, name: str = "ven-one") -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        verify=lab.client(name), base_url=door.url, headers={"Accept-Encoding": ""}, timeout=10
    ) as client:
        yield client


def read(bench: Bench, response: httpx.Response) -> m.Message:
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/xml"
    assert int(response.headers["Content-Length"]) > 0
    return decode(response.content, bench.schema)


async def test_an_event_goes_out_and_its_arrival_is_noted(bench: Bench, door: Running, lab: Lab) -> None:
    async with party(door, lab) as client:
        for _ in range(3):
            idle = read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))
            assert isinstance(idle, m.Response)
        event = await bench.write_event()
        told = read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))
        assert isinstance(told, m.DistributeEvent)
        assert (await bench.row_of(event)).fetched_at is None
        await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML)
        assert (await bench.row_of(event)).fetched_at == bench.now


async def test_a_broken_connection_proves_nothing(bench: Bench, door: Running, lab: Lab) -> None:
    event = await bench.write_event()
    for _ in range(2):
        async with party(door, lab) as client:
            told = read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))
            assert isinstance(told, m.DistributeEvent)
        assert (await bench.row_of(event)).fetched_at is None
        bench.pass_time(2)


@pytest.mark.openadr20b("R510", "R22", "R102", "R17")
async def test_a_price_for_two_resources_goes_out_as_it_was_written_and_is_answered(
    bench: Bench, door: Running, lab: Lab
) -> None:
    start = bench.now.replace(microsecond=0) + timedelta(minutes=10)
    document = {
        "programID": "program-1",
        "intervalPeriod": {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "duration": "PT5M"},
        "intervals": [{"id": 0, "payloads": [{"type": "PRICE", "values": [3.14]}]}],
        "payloadDescriptors": [{"payloadType": "PRICE", "units": "KWH", "currency": "USD"}],
        "targets": ["ven-one"],
        "attributes": [{"type": "RESOURCE_ID", "values": ["r-1", "r-2"]}],
    }
    rails = GuardRails(event_max_w=1e9, step_max_w=1e9)
    wanted = decode_event(json.dumps(document).encode())
    await create_event(bench.store, wanted, actor="client:chief", event_id="e1", rails=rails, now=bench.now)
    async with party(door, lab) as client:
        told = read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))
        assert isinstance(told, m.DistributeEvent)
        (event,) = told.events
        (signal,) = event.signals
        assert (signal.signal_name, signal.signal_type) == ("ELECTRICITY_PRICE", "price")
        assert signal.intervals[0].value == pytest.approx(3.14)
        assert event.target.resource_ids == ("r-1", "r-2")
        answer = m.EventResponse(
            response_code="200", request_id=told.request_id, event_id="e1", modification_number=0, opt_type="optIn"
        )
        created = m.CreatedEvent(
            response=m.EiResponse(response_code="200"), event_responses=(answer,), ven_id="id-ven-one"
        )
        taken = read(bench, await client.post(f"{BASE}EiEvent", content=encode(created), headers=XML))
        assert isinstance(taken, m.Response)
        assert taken.response.response_code == "200"
    async with bench.store.view() as view:
        assert [opt.opt_type.value for _, opt in await view.opts.history("e1")] == ["optIn"]


@pytest.mark.openadr20b("T7")
async def test_compression_is_what_the_party_lists(bench: Bench, door: Running, lab: Lab) -> None:
    async with party(door, lab) as client:
        for coding in ("gzip", "deflate"):
            for _ in range(2):
                answer = await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML | {"Accept-Encoding": coding})
                assert answer.headers["Content-Encoding"] == coding
                assert isinstance(decode(answer.content, bench.schema), m.Response)


@pytest.mark.openadr20b("R511", "R53", "T1", "T2", "T5", "T6", "T8")
@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", f"{BASE}OadrPoll", {}, 501),
        ("HEAD", f"{BASE}OadrPoll", {}, 501),
        ("PUT", f"{BASE}EiEvent", XML, 501),
        ("DELETE", "/", {}, 501),
        ("POST", "/", XML, 404),
        ("POST", f"{BASE}oadrpoll", XML, 404),
        ("POST", f"{BASE}OadrPoll", {"Content-Type": "text/xml"}, 406),
        ("POST", f"{BASE}EiEvent", {"Content-Type": "application/json"}, 406),
        ("POST", f"{BASE}OadrPoll", XML | {"Transfer-Encoding": "chunked"}, 411),
        ("POST", f"{BASE}OadrPoll", XML | {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_what_is_refused_by_status_alone(
    door: Running, lab: Lab, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with party(door, lab) as client:
        content = chunks() if "Transfer-Encoding" in headers else POLL
        answer = await client.request(method, path, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.text in {"", f"{status} {httpx.codes.get_reason_phrase(status)}\n"}


async def chunks() -> AsyncIterator[bytes]:
    yield POLL


@pytest.mark.openadr20b("R511", "T1")
async def test_a_path_that_means_the_same_is_the_same(bench: Bench, door: Running, lab: Lab) -> None:
    """T1: URIs that RFC 3986 calls equivalent."""
    async with party(door, lab) as client:
        read(bench, await client.post("/OpenADR2/Simple/2%2E0b/Oadr%50oll", content=POLL, headers=XML))


@pytest.mark.openadr20b("S3")
async def test_no_certificate_no_conversation(door: Running, lab: Lab) -> None:
    nobody = ssl.create_default_context(cafile=str(lab.trust))
    async with httpx.AsyncClient(verify=nobody, base_url=door.url) as client:
        with pytest.raises(httpx.TransportError):
            await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML)


@pytest.mark.openadr20b("R516", "R517", "S3", "S4")
async def test_without_a_certificate_that_is_still_good_nothing_is_said(bench: Bench) -> None:
    """R516, R517: should the listener let one through, the door does not."""
    running = await serve(parties_app(bench.vtn, lambda: bench.now), host="localhost", port=0)
    async with httpx.AsyncClient(base_url=running.url) as client:
        for path in (f"{BASE}OadrPoll", f"{BASE}EiEvent", "/"):
            answer = await client.post(path, content=POLL, headers=XML)
            assert (answer.status_code, answer.text) == (403, "403 Forbidden\n")
    await running.close()


async def test_a_stranger_becomes_pending_by_the_name_in_its_certificate(bench: Bench, door: Running, lab: Lab) -> None:
    async with party(door, lab, "stranger") as client:
        answer = read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))
    assert isinstance(answer, m.Response)
    assert answer.response.response_code == "463"
    async with bench.store.view() as view:
        (pending,) = await view.parties.all(PartyState.PENDING)
    assert pending.name == "stranger"
    assert pending.certificates[0].sha256 == lab.vens["stranger"][1].certificate_sha256


@pytest.mark.openadr20b("T8")
async def test_a_store_that_is_away_is_503(
    bench: Bench, door: Running, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T8: busy, to be tried again; and what needs no store is still answered."""

    def away() -> None:
        raise Unavailable("gone")

    async with party(door, lab) as client:
        read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))
        monkeypatch.setattr(bench.store, "unit_of_work", away)
        ask = encode(m.RequestEvent(request_id="q", ven_id="id-ven-one"))
        assert (await client.post(f"{BASE}EiEvent", content=ask, headers=XML)).status_code == 503
        read(bench, await client.post(f"{BASE}OadrPoll", content=POLL, headers=XML))


async def test_many_strangers_at_once_are_one_row_each(bench: Bench, door: Running, lab: Lab) -> None:
    async with party(door, lab, "stranger") as one, party(door, lab, "stranger") as two:
        answers = await asyncio.gather(
            *(client.post(f"{BASE}OadrPoll", content=POLL, headers=XML) for client in (one, two) * 5)
        )
    assert {answer.status_code for answer in answers} == {200}
    async with bench.store.view() as view:
        assert await view.parties.count(PartyState.PENDING) == 1


def test_notices_of_what_strangers_cause_are_sampled(capsys: pytest.CaptureFixture[str]) -> None:
    write = NoticeLog()
    for _ in range(50):
        write(Notice(kind="request refused", detail="406 not xml"))
    for number in range(50):
        write(Notice(kind="event sent", party_id="p", event_id=f"e{number}"))
    said = capsys.readouterr().out
    assert said.count("request refused") == 5
    assert said.count("event sent") == 50
