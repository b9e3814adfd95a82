"""IEEE 2030.5 over CCM-8 mutual TLS: what notifications cost."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
from tests.bench.sep2_population import Size, populate_sep2
from tests.bench.servers import running
from tests.bench.tables import Table
from tests.bench.test_notifications import LOOPBACK
from tests.core.shell.lab import Lab as Certificates
from tests.vtn.oadr3.secure_vtn import sha256_of
from tests.vtn.samples import a_peer

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

CONNECTIONS = 50
"""Subscribers' parties."""
SMALL = Size(devices=100, controls=4_800)
SUBSCRIPTIONS = 10_000


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


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


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
