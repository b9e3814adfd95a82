"""What a poll costs over mutual TLS with keep-alive, beside bare aiohttp and openleadr, and in a full store."""

import asyncio
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from openadr_core.identity import Peer
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.pki import issue, make_authority
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.keyfiles import certificate_profile, write_issued
from openadr_core.shell.tls import Chain, client_context
from tests.bench.load import Target, ask_once, http_post, paired
from tests.bench.population import VEN, VEN_ID, populate
from tests.bench.servers import ROOT, Server, running
from tests.bench.tables import Table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(150)]

MANY = 10_000
ROUNDS = 7
BARE, OURS, OURS_FULL, OPENLEADR = "bare aiohttp", "ours", "ours, full store", "openleadr"
M = TypeVar("M", bound=m.Message)
SERVICES = "/OpenADR2/Simple/2.0b/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """One authority, a server's certificate for everybody under test, and the VEN that polls."""

    folder: Path
    vtn: Chain
    ven: Chain
    peer: Peer
    """The VEN, as its certificate names it."""

    @property
    def trust(self) -> Path:
        return self.folder / "root.pem"

    @property
    def server_files(self) -> tuple[str, ...]:
        return ("--certificate", str(self.vtn.certificate), "--key", str(self.vtn.key), "--trust", str(self.trust))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    now = datetime.now(UTC)
    root = make_authority("Lab root", certificate_profile("openadr-ecc-root"), now)
    (tmp_path / "root.pem").write_bytes(root.certificate_pem)
    vtn = issue(
        certificate_profile("openadr-ecc-vtn"), "vtn", root, now, dns_names=["localhost"], ip_addresses=["127.0.0.1"]
    )
    ven = issue(certificate_profile("openadr-ecc-ven"), VEN, root, now)
    return Lab(
        folder=tmp_path, vtn=write_issued(tmp_path, "vtn", vtn), ven=write_issued(tmp_path, VEN, ven), peer=ven.peer
    )


def test_polls_of_one_cpu_second(lab: Lab, tables: list[Table]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        targets = runner.run(_targets(lab, servers))
        found = runner.run(paired(targets, rounds=ROUNDS))
    rows = [
        [name, f"{found.median(name):,.0f}", f"{found.ratio(name, BARE):.2f}", f"{found.ratio(name, OPENLEADR):.1f}"]
        for name in found.rounds
    ]
    tables.append(
        Table(
            title="oadrPoll over mutual TLS with keep-alive, answers per CPU-second of the server",
            header=("", "polls", f"÷ {BARE}", f"÷ {OPENLEADR}"),
            rows=rows,
            notes=(
                f"16 connections. {BARE}: a handler on uvloop that answers the same bytes. Full store: {MANY:,}",
                f"registered VENs, and {MANY:,} past events that the VEN which polls was told of.",
            ),
        )
    )


async def _targets(lab: Lab, servers: ExitStack) -> list[Target]:
    """Every server under the same certificate, trust and question, each in its own process."""
    tls = client_context("modern-2.0b", lab.ven, [lab.trust])

    def start(*arguments: str) -> Server:
        return servers.enter_context(running(*arguments, log=lab.folder / "servers.log"))

    def target(name: str, server: Server, url: str, ven_id: str = VEN_ID) -> Target:
        question = http_post(f"{SERVICES}OadrPoll", encode(m.Poll(ven_id=ven_id)))
        port = server.port(url)
        return Target(name=name, pid=server.pid, port=port, tls=tls, request=question, expect=b"oadrResponse")

    ours = target(OURS, start("-m", "openadr_vtn", "run", "--config", await _settings(lab, 0)), "parties")
    full = target(OURS_FULL, start("-m", "openadr_vtn", "run", "--config", await _settings(lab, MANY)), "parties")
    answer = await ask_once(ours.port, tls, ours.request)
    assert _read(answer, m.Response).response.response_code == "200"
    assert await ask_once(full.port, tls, full.request) == answer
    body = lab.folder / "answer.xml"
    body.write_bytes(answer)
    bare = start("-m", "tests.bench.bare_server", *lab.server_files, "--body", str(body))
    stranger = start(
        str(ROOT / "tests/interop/openleadr_vtn.py"), "serve", *lab.server_files,
        "--enrol", VEN, str(lab.ven.certificate),
    )  # fmt: skip
    ven_id = await _registered(stranger.port("url"), tls)
    return [target(BARE, bare, "url"), ours, full, target(OPENLEADR, stranger, "url", ven_id)]


async def _settings(lab: Lab, many: int) -> str:
    """The settings file of a VTN that knows so many other VENs and past events."""
    store = f"sqlite:///{lab.folder / f'{many}.db'}"
    await populate(store, lab.peer, others=many, past_events=many)
    settings = lab.folder / f"{many}.toml"
    settings.write_text(SETTINGS.format(store=store))
    return str(settings)


async def _registered(port: int, tls: ssl.SSLContext) -> str:
    wish = m.CreatePartyRegistration(
        request_id="registration-1",
        profile_name="2.0b",
        transport_name="simpleHttp",
        report_only=False,
        xml_signature=False,
        ven_name=VEN,
        http_pull_model=True,
    )
    answer = _read(
        await ask_once(port, tls, http_post(f"{SERVICES}EiRegisterParty", encode(wish))), m.CreatedPartyRegistration
    )
    assert answer.ven_id is not None
    return answer.ven_id


def _read(body: bytes, kind: type[M]) -> M:
    message = decode(body, load_schema())
    assert isinstance(message, kind)
    return message


SETTINGS = """
[parties]
port = 0
trust = ["root.pem"]
certificates = [{{ certificate = "vtn.pem", key = "vtn.key" }}]

[operator]
port = 0
certificates = [{{ certificate = "vtn.pem", key = "vtn.key" }}]

[console]
port = 0

[store]
url = "{store}"

[guard]
event_max_kw = 10_000
step_max_kw = 5_000
"""
