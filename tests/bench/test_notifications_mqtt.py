"""How fast one event is told to ten thousand vens over MQTT, beside a bare client that publishes the same bytes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from openadr_core.oadr3.names import Operation
from openadr_core.oadr3.subscriptions import notification_text
from openadr_core.shell.tls import client_context
from openadr_vtn.adapters.mqtt_notifier import IN_FLIGHT_MAX, BrokerAddress, MqttNotifier
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.object_changes import event_change
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.topics import Hearing, Telling, tellings
from tests.bench.lab import Lab
from tests.bench.tables import Table
from tests.mosquitto import MOSQUITTO, running_mosquitto
from tests.vtn.samples import a_party, a_program, a_stored_event

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(600),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed here"),
]

VENS = 10_000
LOOKED_EVERY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    seconds: float
    cpu_s: float


async def test_one_event_to_ten_thousand_vens_over_mqtt(tmp_path: Path, tables: list[Table]) -> None:
    lab = Lab(tmp_path)
    chain = lab.vtn()
    store = await _stocked(tmp_path / "vtn.db")
    change = replace(event_change(Operation.CREATE, a_stored_event(_now()), _now()), targets=())
    told = tellings(change, [_hearing(number) for number in range(VENS)])
    async with running_mosquitto(tmp_path, chain=chain) as port:
        address = BrokerAddress(
            host="localhost", port=port, tls=client_context("oadr3", None, [lab.trust()]), client_id="openadr-vtn"
        )
        bare = await _published(address, told, change)
        ours = await _notified(store, address, change, len(told))
    await store.close()
    tables.append(
        Table(
            title=f"One event to {VENS:,} VENs by MQTT over TLS, QoS 1",
            header=("", "s", "a second", "CPU, s", "ratio of CPU"),
            rows=[
                [name, f"{took.seconds:.2f}", f"{len(told) / took.seconds:,.0f}", f"{took.cpu_s:.2f}",
                 f"{took.cpu_s / bare.cpu_s:.2f}"]
                for name, took in (("bare aiomqtt client", bare), ("from the outbox", ours))
            ],
            notes=(
                "From the commit of the change until it is marked as published (SQLite): the broker, Mosquitto, has",
                f"acknowledged every message then. {IN_FLIGHT_MAX} wait for it at a time, in both.",
            ),
        )
    )  # fmt: skip


async def _published(address: BrokerAddress, told: Sequence[Telling], change: ObjectChange) -> Took:
    """The same bytes on the same topics, by the client's library alone."""
    body = notification_text(change.kind, change.operation, change.document, ()).encode()
    async with aiomqtt.Client(
        address.host, address.port, identifier="bare", tls_context=address.tls, max_inflight_messages=IN_FLIGHT_MAX
    ) as broker:
        broker.pending_calls_threshold = 2 * IN_FLIGHT_MAX
        began_s, before_s = time.perf_counter(), time.process_time()
        for first in range(0, len(told), IN_FLIGHT_MAX):
            together = told[first : first + IN_FLIGHT_MAX]
            await asyncio.gather(*(broker.publish(one.topic, body, 1) for one in together))
        return Took(seconds=time.perf_counter() - began_s, cpu_s=time.process_time() - before_s)


async def _notified(store: SqlStore, address: BrokerAddress, change: ObjectChange, count: int) -> Took:
    notifier = MqttNotifier(store=store, address=address, now=_now, holder="bench")
    notifier.start()
    async with asyncio.timeout(20):
        while not notifier.connected:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(LOOKED_EVERY_S)
    async with store.unit_of_work() as uow:
        await uow.object_changes.record([change])
    began_s, before_s = time.perf_counter(), time.process_time()
    while notifier.published < count or await _is_left(store):  # noqa: ASYNC110  # as above
        await asyncio.sleep(LOOKED_EVERY_S)
    took = Took(seconds=time.perf_counter() - began_s, cpu_s=time.process_time() - before_s)
    await notifier.close()
    return took


async def _is_left(store: SqlStore) -> bool:
    async with store.view() as view:
        return bool(await view.object_changes.unpublished(1))


async def _stocked(file: Path) -> SqlStore:
    await migrate(f"sqlite:///{file}")
    store = await open_store(f"sqlite:///{file}")
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program(_now()))
        for number in range(VENS):
            await uow.parties.add(replace(a_party(_now(), f"v{number}"), client_id=f"client-{number}"))
    return store


def _hearing(number: int) -> Hearing:
    return Hearing(ven_id=f"id-v{number}", client_id=f"client-{number}", granted=frozenset())


def _now() -> datetime:
    return datetime.now(UTC)
