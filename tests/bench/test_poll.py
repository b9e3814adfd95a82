"""What a poll costs over mutual TLS with keep-alive, beside bare aiohttp and openleadr, and in stores that are full."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import decode
from openadr_core.oadr2.encode import encode
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.tls import client_context
from tests.bench.lab import Lab, Ven
from tests.bench.load import Client, Target, ask_once, http_post, paired
from tests.bench.population import populate
from tests.bench.servers import ROOT, Server, running
from tests.bench.tables import Table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

CONNECTIONS = 100
"""Each of a VEN of its own."""
ROUNDS = 7
BARE, OURS, OPENLEADR = "bare aiohttp", "ours", "openleadr"
SIZES = ((100, 10), (10_000, 10), (100_000, 10), (100, 100_000), (100_000, 100_000))
"""Registered VENs, and events that are over."""
M = TypeVar("M", bound=m.Message)
SERVICES = "/OpenADR2/Simple/2.0b/"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_polls_of_one_cpu_second(lab: Lab, tables: list[Table]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        found = runner.run(paired(runner.run(_targets(lab, servers)), rounds=ROUNDS))
    tables.append(
        Table(
            title=f"oadrPoll over mutual TLS, {CONNECTIONS} connections, answers per CPU-second of the server",
            header=("", "polls", f"÷ {BARE}", f"÷ {OPENLEADR}"),
            rows=[
                [
                    name,
                    f"{found.median(name):,.0f}",
                    f"{found.ratio(name, BARE):.2f}",
                    f"{found.ratio(name, OPENLEADR):.1f}",
                ]
                for name in found.rounds
            ],
            notes=(f"{BARE}: a handler on uvloop that answers the same bytes.",),
        )
    )


def test_polls_in_full_stores(lab: Lab, tables: list[Table]) -> None:
    """What nobody polls for must cost no poll anything."""
    vens = lab.vens(CONNECTIONS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        targets = [
            runner.run(_ours(f"{parties:,} VENs, {events:,} past events", lab, servers, vens, parties, events))
            for parties, events in SIZES
        ]
        found = runner.run(paired(targets, rounds=ROUNDS))
    first = targets[0].name
    tables.append(
        Table(
            title=f"oadrPoll in full stores, {CONNECTIONS} connections, answers per CPU-second of the server",
            header=("", "polls", "÷ the first"),
            rows=[[name, f"{found.median(name):,.0f}", f"{found.ratio(name, first):.2f}"] for name in found.rounds],
            notes=("What the VTN does every second and every ten seconds for itself is in it.",),
        )
    )


async def _targets(lab: Lab, servers: ExitStack) -> list[Target]:
    """Every server under the same certificate, trust and question, each in its own process."""
    vens = lab.vens(CONNECTIONS)
    ours = await _ours(OURS, lab, servers, vens, CONNECTIONS, 0)
    answer = await ask_once(ours.port, ours.clients[0].tls, ours.clients[0].request())
    assert _read(answer, m.Response).response.response_code == "200"
    body = lab.folder / "answer.xml"
    body.write_bytes(answer)
    bare = _start(servers, lab, "-m", "tests.bench.bare_server", *lab.server_files(), "--body", str(body))
    # All connections are of one VEN here: it looks each message's sender up in a dict.
    stranger = _start(
        servers, lab, str(ROOT / "tests/interop/openleadr_vtn.py"), "serve", *lab.server_files(),
        "--enrol", vens[0].name, str(vens[0].chain.certificate),
    )  # fmt: skip
    tls = client_context("modern-2.0b", vens[0].chain, [lab.trust()])
    registered = await registered_at(stranger.port("url"), tls)
    return [
        Target(name=BARE, pid=bare.pid, port=bare.port("url"), clients=ours.clients, expect=ours.expect),
        ours,
        Target(
            name=OPENLEADR,
            pid=stranger.pid,
            port=stranger.port("url"),
            clients=[_client(tls, registered)] * CONNECTIONS,
            expect=ours.expect,
        ),
    ]


async def _ours(name: str, lab: Lab, servers: ExitStack, vens: list[Ven], parties: int, past_events: int) -> Target:
    store = f"sqlite:///{lab.folder}/{parties}-{past_events}.db"
    await populate(store, vens, others=parties - len(vens), past_events=past_events)
    server = _start(servers, lab, "-m", "openadr_vtn", "run", "--config", str(lab.settings(store)))
    clients = [_client(client_context("modern-2.0b", ven.chain, [lab.trust()]), ven.ven_id) for ven in vens]
    return Target(name=name, pid=server.pid, port=server.port("parties"), clients=clients, expect=b"oadrResponse")


def _start(servers: ExitStack, lab: Lab, *arguments: str) -> Server:
    return servers.enter_context(running(*arguments, log=lab.folder / "servers.log"))


def _client(tls: ssl.SSLContext, ven_id: str) -> Client:
    question = http_post(f"{SERVICES}OadrPoll", encode(m.Poll(ven_id=ven_id)))
    return Client(tls=tls, request=lambda: question)


async def registered_at(port: int, tls: ssl.SSLContext, seal: Callable[[bytes], bytes] = bytes) -> str:
    """The venID that the VTN gives whoever holds the context's certificate."""
    wish = m.CreatePartyRegistration(
        request_id="registration-1",
        profile_name="2.0b",
        transport_name="simpleHttp",
        report_only=False,
        xml_signature=False,
        ven_name="ven",
        http_pull_model=True,
    )
    question = http_post(f"{SERVICES}EiRegisterParty", seal(encode(wish)))
    answer = _read(await ask_once(port, tls, question), m.CreatedPartyRegistration)
    assert answer.ven_id is not None
    return answer.ven_id


def _read(body: bytes, kind: type[M]) -> M:
    message = decode(body, load_schema())
    assert isinstance(message, kind)
    return message
