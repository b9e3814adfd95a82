"""What a signed poll with a signed answer costs over mutual TLS, by kind of key, beside unsigned ones and openleadr."""

import asyncio
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

import pytest
import uvloop

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.xmldsig import prepare, signed, signer_of
from openadr_core.shell.tls import client_context
from tests.bench.lab import Lab, Ven
from tests.bench.load import Client, Target, http_post, paired
from tests.bench.population import populate
from tests.bench.servers import ROOT, Server, running
from tests.bench.tables import Table
from tests.bench.test_poll import SERVICES, registered_at

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

CONNECTIONS = 100
THEIR_CONNECTIONS = 4
"""It refuses a message that it has not come to within five seconds, and with RSA it makes fifteen a second."""
ROUNDS = 7
SECONDS = 2.0
UNSIGNED = "ours, unsigned"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_signed_polls_of_one_cpu_second(lab: Lab, tables: list[Table]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        targets = runner.run(_targets(lab, servers))
        found = runner.run(paired(targets, rounds=ROUNDS, seconds=SECONDS))
    rows = []
    for name in found.rounds:
        theirs = name.replace("ours", "openleadr")
        times = f"{found.ratio(name, theirs):.0f}" if name != theirs and theirs in found.rounds else ""
        median = found.median(name)
        rows.append([name, f"{median:,.0f}", f"{1e3 / median:.2f}", f"{found.ratio(name, UNSIGNED):.2f}", times])
    tables.append(
        Table(
            title=f"signed oadrPoll, {CONNECTIONS} connections, answers per CPU-second of the server",
            header=("", "polls", "ms each", f"÷ {UNSIGNED}", "÷ openleadr"),
            rows=rows,
            notes=(
                "A signature is verified, its nonce written to the store, and the answer signed, for each.",
                f"openleadr: {THEIR_CONNECTIONS} connections, as it comes out of the package; nonces in memory.",
            ),
        )
    )


async def _targets(lab: Lab, servers: ExitStack) -> list[Target]:
    # A key of RSA takes a while to make: a few VENs have many connections each.
    vens = {"ECC": lab.vens(CONNECTIONS), "RSA": lab.vens(8, "rsa")}
    targets: list[Target] = []
    for kind, its in vens.items():
        # Of a VTN with both kinds, who can would be shown, and signed for, by ECC alone.
        store = f"sqlite:///{lab.folder}/{kind}.db"
        await populate(store, its)
        settings = lab.settings(store, kinds=[kind.lower()])
        server = _start(lab, servers, "-m", "openadr_vtn", "run", "--config", str(settings))
        if not targets:
            targets.append(_target(UNSIGNED, server, "parties", [_client(lab, ven, kind) for ven in its]))
        clients = [_client(lab, ven, kind, seal_of(ven)) for ven in islice(cycle(its), CONNECTIONS)]
        targets.append(_target(f"ours, {kind}", server, "parties", clients))
    return targets + [await _theirs(lab, servers, kind, its[0]) for kind, its in vens.items()]


async def _theirs(lab: Lab, servers: ExitStack, kind: str, ven: Ven) -> Target:
    server = _start(
        lab, servers, str(ROOT / "tests/interop/openleadr_vtn.py"), "serve", "--signed",
        *lab.server_files(kind.lower()), "--enrol", ven.name, str(ven.chain.certificate),
    )  # fmt: skip
    ven_id = await registered_at(server.port("url"), _tls(lab, ven, kind), seal_of(ven))
    client = _client(lab, ven, kind, seal_of(ven), ven_id)
    return _target(f"openleadr, {kind}", server, "url", [client] * THEIR_CONNECTIONS)


def seal_of(ven: Ven) -> Callable[[bytes], bytes]:
    """What signs this VEN's messages, each under a nonce of its own."""
    signer = signer_of(ven.chain.certificate.read_bytes(), ven.chain.key.read_bytes())

    def seal(body: bytes) -> bytes:
        return signed(prepare(body), signer, sent_at=datetime.now(UTC), nonce=secrets.token_hex(16))

    return seal


def _client(lab: Lab, ven: Ven, kind: str, seal: Callable[[bytes], bytes] = bytes, ven_id: str | None = None) -> Client:
    poll = encode(m.Poll(ven_id=ven_id or ven.ven_id))
    return Client(tls=_tls(lab, ven, kind), request=lambda: http_post(f"{SERVICES}OadrPoll", seal(poll)))


def _tls(lab: Lab, ven: Ven, kind: str) -> ssl.SSLContext:
    return client_context("modern-2.0b", ven.chain, [lab.trust(), lab.trust(kind.lower())])


def _target(name: str, server: Server, url: str, clients: Sequence[Client]) -> Target:
    return Target(name=name, pid=server.pid, port=server.port(url), clients=clients, expect=b"oadrResponse")


def _start(lab: Lab, servers: ExitStack, *arguments: str) -> Server:
    return servers.enter_context(running(*arguments, log=lab.folder / "servers.log"))
