"""OpenADR 3.1 in a store of ten thousand VENs and ten thousand events: what a list costs, and a new event."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvloop

from openadr_core.model.target import by_name
from openadr_core.oadr3.tokens import secret_hash
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import open_store
from openadr_vtn.application.ports import ApiClient
from openadr_vtn.domain.access import SCOPES, Role
from tests.bench.lab import Lab
from tests.bench.load import Client, Target, http_get, paired
from tests.bench.servers import Server, running
from tests.bench.tables import Table
from tests.vtn.operator.desk_bench import relief_event
from tests.vtn.samples import a_party, a_program, a_stored_event

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

VENS, EVENTS, VISIBLE = 10_000, 10_000, 50
GROUPS = EVENTS // VISIBLE
CONNECTIONS = 50
"""Each of a VEN of its own."""
ROUNDS = 7
OADR3 = "/openadr3/3.1.0"
SECRET = "open sesame"  # noqa: S105  # a benchmark's own
OF_TEN = "of-ten"
"""A target that ten VENs have."""
BARE, LIST, UNCHANGED = "bare aiohttp", "50 of 10,000 events", "nothing new (304)"
LISTENER = (
    "[oadr3]\nport = 0\nrequests_per_minute = 10_000_000\n"
    'certificates = [{ certificate = "vtn-ecc.pem", key = "vtn-ecc.key" }]\n'
)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_lists_and_events(lab: Lab, tables: list[Table]) -> None:
    url = f"sqlite:///{lab.folder}/oadr3.db"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        runner.run(_populate(url))
        settings = lab.settings(url, LISTENER)
        server = _start(servers, lab, "-m", "openadr_vtn", "run", "--config", str(settings))
        targets = _targets(lab, servers, server)
        found = runner.run(paired(targets, rounds=ROUNDS))
        few, many = _posts(lab, server, OF_TEN), _posts(lab, server, None)
    tables.append(
        Table(
            title=f"GET /events over TLS, {VENS:,} VENs, {CONNECTIONS} connections, answers per CPU-second",
            header=("", "answers", f"÷ {BARE}"),
            rows=[
                [name, f"{found.median(name):,.0f}", f"{found.ratio(name, BARE):.2f}"]
                for name in (BARE, LIST, UNCHANGED)
            ],
            notes=(f"{BARE}: a handler on uvloop that answers the bytes of the list.",),
        )
    )
    tables.append(
        Table(
            title="POST /events, milliseconds until the answer, median of 7",
            header=("reaches", "ms", "÷ 10 VENs"),
            rows=[["10 VENs", f"{few:.1f}", "1.00"], [f"{VENS:,} VENs", f"{many:.1f}", f"{many / few:.2f}"]],
        )
    )


def _targets(lab: Lab, servers: ExitStack, server: Server) -> list[Target]:
    tls = client_context("oadr3", None, [lab.trust()])
    port = server.port("oadr3")
    with _asking(lab, server) as http:
        bearers = [_bearer(http, _client_id(number)) for number in range(CONNECTIONS)]
        first = http.get(f"{OADR3}/events", headers={"Authorization": bearers[0]})
        assert len(first.json()) == VISIBLE, first.text[:500]
        tags = [http.get(f"{OADR3}/events", headers={"Authorization": one}).headers["ETag"] for one in bearers]
    body = lab.folder / "events.json"
    body.write_bytes(first.content)
    bare = _start(
        servers, lab, "-m", "tests.bench.bare_server", *lab.server_files(), "--body", str(body),
        "--content-type", "application/json", "--client-certificates", "none",
    )  # fmt: skip
    asking = [http_get(f"{OADR3}/events", Authorization=one) for one in bearers]
    again = [
        http_get(f"{OADR3}/events", Authorization=one, If_None_Match=tag)
        for one, tag in zip(bearers, tags, strict=True)
    ]
    return [
        Target(name=BARE, pid=bare.pid, port=bare.port("url"), clients=_clients(tls, asking), expect=b'"id"'),
        Target(name=LIST, pid=server.pid, port=port, clients=_clients(tls, asking), expect=b'"id"'),
        Target(name=UNCHANGED, pid=server.pid, port=port, clients=_clients(tls, again), expect=b"", status=304),
    ]


def _clients(tls: object, requests: Sequence[bytes]) -> list[Client]:
    return [Client(tls=tls, request=lambda request=request: request) for request in requests]  # type: ignore[misc, arg-type]


def _posts(lab: Lab, server: Server, target: str | None) -> float:
    took = []
    with _asking(lab, server) as http:
        headers = {"Authorization": _bearer(http, "chief")}
        for _ in range(ROUNDS):
            body = relief_event("program-1", kw=50, targets=[target] if target else [])
            begun = time.perf_counter()
            answer = http.post(f"{OADR3}/events", json=body, headers=headers, timeout=120)
            took.append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 201, answer.text
            http.delete(f"{OADR3}/events/{answer.json()['id']}", headers=headers, timeout=120)
    return statistics.median(took)


def _asking(lab: Lab, server: Server) -> httpx.Client:
    context = client_context("oadr3", None, [lab.trust()])
    return httpx.Client(base_url=str(server.ready["oadr3"]), verify=context, trust_env=False, timeout=60)


def _bearer(http: httpx.Client, client_id: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": SECRET}
    answer = http.post(f"{OADR3}/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    return f"Bearer {answer.json()['access_token']}"


def _client_id(number: int) -> str:
    return f"client-{number}"


def _start(servers: ExitStack, lab: Lab, *arguments: str) -> Server:
    return servers.enter_context(running(*arguments, log=lab.folder / "servers.log"))


async def _populate(url: str) -> None:
    now = datetime.now(UTC)
    await migrate(url)
    store = await open_store(url)
    program = a_program(now)
    async with store.unit_of_work() as uow:
        await uow.programs.add(replace(program, program=replace(program.program, targets=())))
        await uow.clients.add(_api_client("chief", Role.BUSINESS, now))
        for number in range(CONNECTIONS):
            await uow.clients.add(_api_client(_client_id(number), Role.VEN, now))
        for number in range(VENS):
            targets = (f"group-{number % GROUPS}", *([OF_TEN] if number < 10 else []))
            ven = a_party(now, f"ven-{number}", targets=targets, certificates=(), registration=None)
            await uow.parties.add(replace(ven, client_id=_client_id(number), document="{}", modified_at=now))
        for number in range(EVENTS):
            stored = a_stored_event(now - timedelta(seconds=number), event_id=f"event-{number}")
            event = replace(stored.event, targets=by_name(f"group-{number % GROUPS}"))
            await uow.events.add(replace(stored, event=event, document=json.dumps(relief_event("program-1"))))
    await store.close()


def _api_client(client_id: str, role: Role, now: datetime) -> ApiClient:
    return ApiClient(
        client_id=client_id, name=client_id, secret_hash=secret_hash(SECRET), scopes=tuple(SCOPES[role]), role=role,
        created_at=now,
    )  # fmt: skip
