"""How fast one event is told to ten thousand webhooks, beside a bare client that posts the same bytes."""

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import aiohttp
import pytest
import uvloop

from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import notification_text
from openadr_core.shell.outbound import Outbound, OutboundRules
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.callbacks import Webhooks
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.adapters.webhook_sender import WebhookSender
from openadr_vtn.application.handlers.events import create_event
from openadr_vtn.application.spreading import WebhookOutbox
from openadr_vtn.domain.guard_rails import GuardRails
from openadr_vtn.domain.notification import NotificationState, RetryRules
from tests.bench.lab import Lab
from tests.bench.servers import running
from tests.bench.tables import Table
from tests.vtn.operator.desk_bench import relief_bytes
from tests.vtn.samples import a_program, a_subscription

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SUBSCRIPTIONS = 10_000
FEW = 10
WRITES = 21
AT_ONCE = 200
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
LOOKED_EVERY_S = 0.05
RAILS = GuardRails(event_max_w=10e6, step_max_w=10e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    written_s: float
    """The write of an event, in its own transaction; the median."""
    written_cpu_s: float
    told_s: float
    """From its commit until the last notification is marked as delivered."""
    cpu_s: float
    body: bytes


def test_one_event_to_ten_thousand_webhooks(tmp_path: Path, tables: list[Table]) -> None:
    lab = Lab(tmp_path)
    chain = lab.vtn()
    arguments = ("--certificate", str(chain.certificate), "--key", str(chain.key))
    rows: list[list[str]] = []

    async def measured(url: str) -> None:
        few = await _told(tmp_path / "few.db", lab, url, FEW)
        many = await _told(tmp_path / "many.db", lab, url, SUBSCRIPTIONS)
        bare_s, bare_cpu_s = await _posted(lab, url, many.body)
        for name, took_s, cpu_s in (("bare aiohttp client", bare_s, bare_cpu_s), ("outbox", many.told_s, many.cpu_s)):
            a_second, ratio = f"{SUBSCRIPTIONS / took_s:,.0f}", f"{cpu_s / bare_cpu_s:.2f}"
            rows.append([name, f"{took_s:.2f}", a_second, f"{cpu_s:.2f}", ratio])
        for name, told in ((f"the write with {FEW} subscriptions", few), (f"the write with {SUBSCRIPTIONS:,}", many)):
            ratio = f"{told.written_cpu_s / few.written_cpu_s:.2f}"
            rows.append([name, f"{told.written_s:.4f}", "", f"{told.written_cpu_s:.4f}", ratio])

    with running("-m", "tests.bench.webhook_receiver", *arguments, log=tmp_path / "receiver.log") as receiver:
        uvloop.run(measured(str(receiver.ready["url"])))
    tables.append(
        Table(
            title=f"One event to {SUBSCRIPTIONS:,} webhooks over TLS",
            header=("", "s", "a second", "CPU, s", "ratio of CPU"),
            rows=rows,
            notes=(
                "From the commit of the event until the last is marked as delivered (SQLite); the receiver is another",
                f"process, {AT_ONCE} exchanges at a time. Ratios are to the first row of each pair.",
            ),
        )
    )


async def _told(file: Path, lab: Lab, url: str, subscriptions: int) -> Told:
    store = await _stocked(file, url, subscriptions)
    outbound = Outbound(
        rules=OutboundRules(networks=LOOPBACK, ports=frozenset({urlsplit(url).port or 443})),
        context=client_context("oadr3", None, [lab.trust()]), timeout_s=30.0, connections_max=AT_ONCE,
    )  # fmt: skip
    sender = WebhookSender(
        store=store, outbox=WebhookOutbox(store, broker_too=False), carrier=Webhooks(outbound),
        rules=RetryRules(attempts_max=3, longest=timedelta(seconds=60)),
        now=_now, holder="bench", witness=lambda _notice: None, dice=random.Random(1), at_once=AT_ONCE,
    )  # fmt: skip
    await _written(store, "e-1")
    committed_s, before_s = time.perf_counter(), time.process_time()
    sender.start()
    delivered = 0
    while delivered < subscriptions:
        await asyncio.sleep(LOOKED_EVERY_S)
        async with store.view() as view:
            delivered = await view.notifications.count(NotificationState.DELIVERED)
    done_s, after_s = time.perf_counter(), time.process_time()
    async with store.view() as view:
        (change,) = await view.object_changes.of_object("e-1")
    await sender.close()
    writes = [await _written(store, f"later-{number}") for number in range(WRITES)]
    await outbound.close()
    await store.close()
    body = notification_text(ObjectKind.EVENT, Operation.CREATE, change.document, change.targets).encode()
    return Told(
        written_s=median(took_s for took_s, _ in writes),
        written_cpu_s=median(cpu_s for _, cpu_s in writes),
        told_s=done_s - committed_s,
        cpu_s=after_s - before_s,
        body=body,
    )


async def _written(store: SqlStore, event_id: str) -> tuple[float, float]:
    """Seconds, and of CPU, for the write of an event, as a request of the operator's does it."""
    request = decode_event(relief_bytes("program-1", targets=[]))
    began_s, before_s = time.perf_counter(), time.process_time()
    await create_event(store, request, actor="bench", event_id=event_id, rails=RAILS, now=_now())
    return time.perf_counter() - began_s, time.process_time() - before_s


async def _posted(lab: Lab, url: str, body: bytes) -> tuple[float, float]:
    """The same bytes to the same receiver, as often, by a client that does nothing else."""
    connector = aiohttp.TCPConnector(ssl=client_context("oadr3", None, [lab.trust()]), limit=AT_ONCE)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer t0ken"}
    left = iter(range(SUBSCRIPTIONS))

    async def post(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status == 200
                await answer.read()

    async with aiohttp.ClientSession(connector=connector) as session:
        began_s, before_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post(session) for _ in range(AT_ONCE)))
        return time.perf_counter() - began_s, time.process_time() - before_s


async def _stocked(file: Path, url: str, subscriptions: int) -> SqlStore:
    await migrate(f"sqlite:///{file}")
    store = await open_store(f"sqlite:///{file}")
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(_now()))
        for number in range(subscriptions):
            await uow.subscriptions.add(a_subscription(_now(), f"s-{number}", url=f"{url}/{number}"))
    return store


def _now() -> datetime:
    return datetime.now(UTC)
