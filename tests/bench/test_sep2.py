"""IEEE 2030.5 over CCM-8 mutual TLS: what answers, handshakes and notifications cost, beside bare aiohttp."""

import asyncio
import random
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import uvloop
from sqlalchemy import insert

from openadr_core.identity import peer_of_digest
from openadr_core.sep2.mrid import PenForm
from openadr_core.shell.datafiles import load_schema
from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.sep2_notifier import Sep2Carrier
from openadr_vtn.adapters.sql import sep2_tables, tables
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.sep2_subscriptions import NOTHING_OWED
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.directory import Directory
from openadr_vtn.domain.notification import NotificationState, RetryRules
from openadr_vtn.protocols.sep2 import Sep2Desk, Sep2Server
from openadr_vtn.protocols.sep2.notifying import Sep2Outbox
from openadr_vtn.protocols.sep2.scene import Speech
from tests.bench.lab import Lab, Ven
from tests.bench.load import HOST, Client, Target, ask_once, http_get, paired
from tests.bench.sep2_population import Size, populate_sep2
from tests.bench.servers import Server, running
from tests.bench.tables import Table
from tests.bench.test_notifications import LOOPBACK
from tests.core.shell.lab import Lab as Certificates
from tests.vtn.oadr3.secure_vtn import sha256_of
from tests.vtn.samples import a_peer

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

CONNECTIONS = 50
"""Each of a device of its own; the first is an aggregator's, which manages all others."""
ROUNDS = 5
LARGE, SMALL = Size(devices=10_000, controls=480_000), Size(devices=100, controls=4_800)
QUESTIONS = {
    "/tm": b"Time", "/dcap": b"DeviceCapability", "/edev?l=100": b"EndDeviceList", "/derp/1/derc?l=10": b"DERControl",
    "/derp/1/derc?l=48": b"DERControl",
}  # fmt: skip
RECONNECTS = 10_000
TOGETHER = 500
SUBSCRIPTIONS = 10_000
SETTINGS = """
[sep2]
port = 0
pen = 28547
connections_per_address = 1_000_000
connections_per_minute = 1_000_000
trust = ["{trust}"]
certificates = [{{ certificate = "{certificate}", key = "{key}" }}]
"""


class Bench:
    """Certificates and servers of 2030.5."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder)
        self.certificates = Certificates(folder=folder, now=datetime.now(UTC))
        self.trust = self.certificates.trust("sep2")
        self.server = self.certificates.chain("sep2-server")
        self.devices = [self._device(f"device-{number}") for number in range(CONNECTIONS)]

    def _device(self, name: str) -> Ven:
        chain = self.certificates.chain("sep2-device", name)
        return Ven(name=name, chain=chain, peer=peer_of_digest(bytes.fromhex(sha256_of(chain))))

    def contexts(self) -> list[Client]:
        return [
            Client(tls=client_context("sep2-strict", one.chain, [self.trust]), request=lambda: b"")
            for one in self.devices
        ]

    async def ours(self, servers: ExitStack, size: Size) -> Server:
        store = f"sqlite:///{self.lab.folder}/{size.devices}.db"
        await populate_sep2(store, self.devices, size)
        table = SETTINGS.format(trust=self.trust, certificate=self.server.certificate, key=self.server.key)
        settings = self.lab.settings(store, table)
        return servers.enter_context(
            running("-m", "openadr_vtn", "run", "--config", str(settings), log=self.lab.folder / "servers.log")
        )

    def bare(self, servers: ExitStack, body: bytes, name: str) -> Server:
        file = self.lab.folder / f"{name}.xml"
        file.write_bytes(body)
        arguments = (
            "--certificate", str(self.server.certificate), "--key", str(self.server.key), "--trust", str(self.trust),
            "--body", str(file), "--content-type", "application/sep+xml", "--preset", "sep2-strict",
        )  # fmt: skip
        log = self.lab.folder / "servers.log"
        return servers.enter_context(running("-m", "tests.bench.bare_server", *arguments, log=log))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_answers_of_one_cpu_second(bench: Bench, tables: list[Table]) -> None:
    rows: list[list[str]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        large, small = (runner.run(bench.ours(servers, size)) for size in (LARGE, SMALL))
        for number, (path, expect) in enumerate(QUESTIONS.items()):
            asking = [
                Client(tls=one.tls, request=partial(http_get, path, Accept="application/sep+xml"))
                for one in bench.contexts()
            ]
            if path.startswith("/edev"):
                asking = [asking[0]] * CONNECTIONS  # only the aggregator has so many
            body = runner.run(ask_once(large.port("sep2"), asking[0].tls, asking[0].request()))
            bare = bench.bare(servers, body, f"bare-{number}")
            targets = [
                Target(name=name, pid=server.pid, port=server.port(port), clients=asking, expect=expect)
                for name, server, port in (("ours", large, "sep2"), ("bare", bare, "url"), ("small", small, "sep2"))
            ]
            found = runner.run(paired(targets, rounds=ROUNDS))
            ratios = f"{found.ratio('ours', 'bare'):.2f}", f"{found.ratio('ours', 'small'):.2f}"
            rows.append([path, f"{len(body):,}", f"{found.median('ours'):,.0f}", *ratios])
    tables.append(
        Table(
            title=f"IEEE 2030.5 over CCM-8 mutual TLS, {LARGE.name}, answers per CPU-second of the one server process",
            header=("", "bytes", "answers", "÷ bare aiohttp", "÷ small store"),
            rows=rows,
            notes=(
                f"{CONNECTIONS} keep-alive connections. bare aiohttp: the same bytes, suite and certificates.",
                f"small store: {SMALL.name}.",
            ),
        )
    )


def test_ten_thousand_come_back(bench: Bench, tables: list[Table]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
        server = runner.run(bench.ours(servers, SMALL))
        process = psutil.Process(server.pid)
        before, begun = process.cpu_times(), time.perf_counter()
        statuses = runner.run(_reconnected(server.port("sep2"), bench.contexts()))
        took_s, after = time.perf_counter() - begun, process.cpu_times()
    cpu_s = after.user + after.system - before.user - before.system
    assert sum(statuses.values()) == RECONNECTS
    assert set(statuses) <= {"200", "503"}, "served, or told when to come again"
    tables.append(
        Table(
            title=f"{RECONNECTS:,} full CCM-8 handshakes with a request each, {TOGETHER} at a time",
            header=("", ""),
            rows=[
                ["handshakes a second, client on the other core", f"{RECONNECTS / took_s:,.0f}"],
                ["handshakes per CPU-second of the server", f"{RECONNECTS / cpu_s:,.0f}"],
                ["answered 200", f"{statuses.get('200', 0):,}"],
                ["answered 503 with Retry-After", f"{statuses.get('503', 0):,}"],
            ],
        )
    )


async def _reconnected(port: int, clients: list[Client]) -> dict[str, int]:
    statuses: dict[str, int] = {}
    turns = iter(range(RECONNECTS))
    request = http_get("/dcap", Accept="application/sep+xml")

    async def come() -> None:
        for turn in turns:
            tls = clients[turn % len(clients)].tls
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=HOST)
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            status = head.split()[1]
            assert status == "200" or "retry-after" in head.lower(), head
            statuses[status] = statuses.get(status, 0) + 1
            writer.close()

    await asyncio.gather(*(come() for _ in range(TOGETHER)))
    return statuses


def test_ten_thousand_are_told(bench: Bench, tables: list[Table]) -> None:
    receiver_chain = bench.certificates.chain("sep2-server", "receiver")
    arguments = (
        "--certificate", str(receiver_chain.certificate), "--key", str(receiver_chain.key),
        "--trust", str(bench.trust),
    )  # fmt: skip
    with running("-m", "tests.bench.webhook_receiver", *arguments, log=bench.lab.folder / "r.log") as receiver:
        took_s, cpu_s, written_s = uvloop.run(_told(bench, str(receiver.ready["url"])))
    tables.append(
        Table(
            title=f"One control to {SUBSCRIPTIONS:,} subscribers of its list, over CCM-8 mutual TLS (SQLite)",
            header=("", ""),
            rows=[
                ["the write of the control", f"{written_s * 1000:.1f} ms"],
                ["from its commit until the last is marked as delivered", f"{took_s:.1f} s"],
                ["notifications a second", f"{SUBSCRIPTIONS / took_s:,.0f}"],
                ["CPU of the VTN", f"{cpu_s:.1f} s"],
            ],
            notes=(f"{CONNECTIONS} parties, 200 exchanges at a time; the receiver is another process.",),
        )
    )


async def _told(bench: Bench, url: str) -> tuple[float, float, float]:
    """Seconds until the last, of CPU, and of the write."""
    store = await _subscribed(bench, url)
    port = int(url.rpartition(":")[2])
    desk = Sep2Desk(
        own=a_peer("utility"),
        speeches=[Speech(prefix="", csipaus=None, schema=load_schema("schemas/ieee2030_5/sep.xsd"))],
        pen=28547, pen_form=PenForm.DECIMAL, time_quality=7, time_zone=lambda _: (0, 0, 0, 0),
        guard_uri=OutboundRules().check_url,
    )  # fmt: skip
    server = Sep2Server(
        store=store, desk=desk, directory=Directory(store, poll_interval=timedelta(seconds=10), new_id=lambda: "i1")
    )
    outbound = Outbound(
        rules=OutboundRules(networks=LOOPBACK, ports=frozenset({port})), timeout_s=30.0, connections_max=200,
        context=client_context("sep2-strict", bench.server, [bench.trust], check_hostname=False),
    )  # fmt: skip
    sender = WebhookSender(
        store=store, outbox=Sep2Outbox(store, server), carrier=Sep2Carrier(outbound), at_once=200,
        rules=RetryRules(attempts_max=3, longest=timedelta(seconds=60)), now=lambda: datetime.now(UTC),
        holder="bench", witness=lambda _notice: None, dice=random.Random(1),
    )  # fmt: skip
    began_s = time.perf_counter()
    async with store.unit_of_work() as uow:
        (stored, *_) = await uow.controls.controls(1, "DERControl", since=0)
        await uow.controls.cancel_control(stored.control.mrid, stored.control.creation_time, randomly=False)
    committed_s, before_s = time.perf_counter(), time.process_time()
    sender.start()
    async with asyncio.timeout(600):
        while True:
            await asyncio.sleep(0.05)
            async with store.view() as view:
                if not await view.sep2_subscriptions.has_changes() and not await view.sep2_subscriptions.page(
                    NotificationState.WAITING, limit=1
                ):
                    break
    took_s, cpu_s = time.perf_counter() - committed_s, time.process_time() - before_s
    async with store.view() as view:
        assert await view.sep2_subscriptions.page(NotificationState.DEAD, limit=1) == []
        (first, *_) = await view.sep2_subscriptions.page(limit=1)
        assert first.delivered == 1
    await sender.close()
    await outbound.close()
    await store.close()
    return took_s, cpu_s, committed_s - began_s


async def _subscribed(bench: Bench, url: str) -> SqlStore:
    file = f"sqlite:///{bench.lab.folder}/told.db"
    await populate_sep2(file, bench.devices, SMALL)
    rows = [
        {
            "holder": 1 + number % CONNECTIONS, "party_id": bench.devices[number % CONNECTIONS].ven_id, "prefix": "",
            "resource": "/derp/1/derc", "kind": "/derp/#/derc", "about": 1, "notification_uri": f"{url}/{number}",
            "limit": 10, "level": "+S1", "renewed_at": 0, **NOTHING_OWED,
        }
        for number in range(SUBSCRIPTIONS)
    ]  # fmt: skip
    engines = engines_of(file)
    async with engines.writer.begin() as connection:
        await connection.execute(insert(tables.table_of(sep2_tables.SubscriptionRow)), rows)
    await engines.close()
    return await open_store(file)
