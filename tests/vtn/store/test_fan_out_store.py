"""The news of an event beyond the first parties: written out afterwards, by whoever comes, and true at every moment."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import insert

from openadr_core.errors import InvalidEvent
from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_core.model.target import Target, TargetKind
from openadr_vtn.adapters.fan_out import FanOutWorker
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.rows import certificate_rows, party_row, registration_row
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.handlers.admission import check_admission
from openadr_vtn.application.handlers.events import cancel_events
from openadr_vtn.application.handlers.publication import (
    PARTIES_AT_A_TIME,
    PARTIES_AT_ONCE,
    publish,
    publish_ahead_to_clients,
)
from openadr_vtn.application.handlers.seen import event_seen
from openadr_vtn.application.outbox import mailboxes_of
from openadr_vtn.application.ports import StoredEvent, StoredProgram
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.delivery import Delivery, newest
from openadr_vtn.domain.fan_out import FanOut, Span
from openadr_vtn.domain.lifecycle import cancelled, revised
from openadr_vtn.http.metrics import VtnMetrics, refresh_metrics
from tests.vtn.samples import a_party, a_program, a_registration, an_event

PARTIES = PARTIES_AT_ONCE + PARTIES_AT_A_TIME + 3
VENS = 5
"""Of OpenADR 3: without certificate, the last by id."""
MINUTE = timedelta(minutes=1)
IS_KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from openadr_vtn.adapters.fan_out import FanOutWorker
from openadr_vtn.adapters.sql.store import open_store

asked = 0

def now():
    global asked
    asked += 1
    if asked == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return datetime.now(UTC)

async def main():
    await FanOutWorker(await open_store(sys.argv[1]), now).turn()

asyncio.run(main())
"""
"""It asks for the time within each transaction."""


def a_program_for_all(now: datetime) -> StoredProgram:
    stored = a_program(now)
    return replace(stored, program=replace(stored.program, targets=()))


def everybody(now: datetime) -> Iterator[Party]:
    """Half of them are in zone b."""
    for number in range(PARTIES - VENS):
        yield a_party(now, f"ven-{number:04}", targets=("zone-b",) if number % 2 else ("zone-a",))
    for number in range(VENS):
        yield a_party(now, f"zen-{number}", certificates=(), registration=None, client_id=f"client-{number}")


@pytest.fixture
async def crowded(store: SqlStore, now: datetime) -> SqlStore:
    parties = list(everybody(now))
    async with store.unit_of_work() as uow:
        await uow.programs.add(a_program_for_all(now))
        for table, rows in (
            (tables.PartyRow, [party_row(party) for party in parties]),
            (tables.CertificateRow, [row for party in parties for row in certificate_rows(party)]),
            (
                tables.RegistrationRow,
                [
                    registration_row(party.id, a_registration(now, party.name))
                    for party in parties
                    if party.certificates
                ],
            ),
        ):
            await uow.connection.execute(insert(tables.table_of(table)), rows)
    return store


async def write(store: SqlStore, event: DrEvent, now: datetime) -> None:
    """As the operator's request does."""
    stored = StoredEvent(event=event, document="{}")
    async with store.unit_of_work() as uow:
        await (uow.events.replace if event.version else uow.events.add)(stored)
        await publish(uow, event, a_program_for_all(now).program, now)


async def rows_of(store: SqlStore, event: DrEvent) -> list[Delivery]:
    async with store.view() as view:
        return await view.deliveries.of_event(event.id)


async def waiting(store: SqlStore) -> list[FanOut]:
    async with store.view() as view:
        return await view.fan_outs.all()


async def test_the_first_parties_are_owed_it_at_once_and_the_others_afterwards(
    crowded: SqlStore, now: datetime
) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    assert len(await rows_of(crowded, event)) == PARTIES_AT_ONCE
    registry = CollectorRegistry()
    metrics = VtnMetrics(registry)
    await refresh_metrics(crowded, metrics, now)
    assert registry.get_sample_value("openadr_vtn_events_unspread") == 1
    (left,) = await waiting(crowded)
    assert (left.event_id, left.at, left.owed) == (event.id, now, PARTIES_AT_ONCE)
    await FanOutWorker(crowded, lambda: now + MINUTE).turn()
    rows = await rows_of(crowded, event)
    assert sorted(row.party_id for row in rows) == sorted(party.id for party in everybody(now))
    assert {(row.version, row.entitled_at) for row in rows} == {(0, now)}
    assert await waiting(crowded) == []
    async with crowded.view() as view:
        (entry,) = await view.audit.of_subject(event.id, "publish event")
    assert entry.detail == f"parties owed: {PARTIES}"
    await refresh_metrics(crowded, metrics, now)
    assert registry.get_sample_value("openadr_vtn_events_unspread") == 0


async def test_a_party_that_polls_meanwhile_has_it_then_or_next_time(crowded: SqlStore, now: datetime) -> None:
    last = "id-ven-" + f"{PARTIES - VENS - 1:04}"
    heard: set[str] = set()
    crowded.subscribe(lambda party_ids: heard.update(party_ids or ()))

    async def owed_to(party_id: str) -> list[str]:
        async with crowded.view() as view:
            mailboxes = await mailboxes_of(view, await view.parties.by_ids([party_id]), now)
        return [due.event.id for due in mailboxes[party_id].dues]

    event = an_event(now)
    await write(crowded, event, now)
    assert await owed_to("id-ven-0000") == [event.id]
    assert await owed_to(last) == []
    assert last not in heard
    await FanOutWorker(crowded, lambda: now).turn()
    assert await owed_to(last) == [event.id]
    assert last in heard, "what is remembered of it must be forgotten"


async def test_who_dies_over_it_is_followed_by_another(url: str, crowded: SqlStore, now: datetime) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    worker = FanOutWorker(crowded, lambda: now)
    await worker.close()
    await worker.turn()
    assert await waiting(crowded), "it was told to stop, and has done nothing"
    other = await open_store(url)
    successor = FanOutWorker(other, lambda: now)
    successor.start()
    await successor.close()
    await FanOutWorker(other, lambda: now).turn()
    assert len(await rows_of(other, event)) == PARTIES
    await other.close()


async def test_a_process_that_is_killed_over_it_has_lost_nothing(url: str, crowded: SqlStore, now: datetime) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", IS_KILLED, url)
    assert await killed.wait() == -signal.SIGKILL
    assert len(await rows_of(crowded, event)) == PARTIES_AT_ONCE + PARTIES_AT_A_TIME, (
        "what it had begun with the others is undone"
    )
    await FanOutWorker(crowded, lambda: now).turn()
    rows = await rows_of(crowded, event)
    assert sorted(row.party_id for row in rows) == sorted(party.id for party in everybody(now))


async def test_a_change_in_the_middle_reaches_everybody_once(crowded: SqlStore, now: datetime) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    changed = revised(event, replace(event, priority=1), now + MINUTE)
    await write(crowded, changed, now + MINUTE)
    await FanOutWorker(crowded, lambda: now + MINUTE).turn()
    rows = await rows_of(crowded, event)
    assert {row.event_version for row in newest(rows).values()} == {1}
    assert len(newest(rows)) == PARTIES
    assert sum(row.event_version == 0 for row in rows) == PARTIES_AT_ONCE


async def test_a_cancel_in_the_middle_reaches_who_was_told_and_nobody_else(crowded: SqlStore, now: datetime) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    await cancel_events(crowded, [event.id], actor="test", reason="over", now=now + MINUTE)
    assert await waiting(crowded) == []
    await FanOutWorker(crowded, lambda: now + MINUTE).turn()
    last = newest(await rows_of(crowded, event)).values()
    assert len(last) == PARTIES_AT_ONCE
    assert {row.event_version for row in last} == {1}
    assert cancelled(event, now).version == 1


async def test_who_loses_it_in_the_middle_hears_so_if_it_had_it(crowded: SqlStore, now: datetime) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    only_b = (Target(kind=TargetKind.GROUP, name="zone-b"),)
    changed = revised(event, replace(event, targets=only_b), now + MINUTE)
    await write(crowded, changed, now + MINUTE)
    await FanOutWorker(crowded, lambda: now + MINUTE).turn()
    last = newest(await rows_of(crowded, event))
    in_b = {party.id for party in everybody(now) if party.targets == ("zone-b",)}
    assert {row.party_id for row in last.values() if not row.withdrawn} == in_b
    assert sum(row.withdrawn for row in last.values()) == PARTIES_AT_ONCE / 2


async def test_a_ven_that_hears_of_it_before_its_turn_is_owed_it_once(crowded: SqlStore, now: datetime) -> None:
    event = an_event(now)
    await write(crowded, event, now)
    told = [("client-1", event.id)]
    async with crowded.unit_of_work() as uow:
        await publish_ahead_to_clients(uow, told)
        await uow.deliveries.mark_told(told, now + MINUTE)
    await FanOutWorker(crowded, lambda: now + MINUTE).turn()
    rows = [row for row in await rows_of(crowded, event) if row.party_id == "id-zen-1"]
    assert [row.notified_at for row in rows] == [now + MINUTE]
    assert len(await rows_of(crowded, event)) == PARTIES


async def test_one_that_cannot_be_written_out_keeps_no_other_back(crowded: SqlStore, now: datetime) -> None:
    first, second = an_event(now, event_id="event-1"), an_event(now, event_id="event-2")
    await write(crowded, first, now)
    await write(crowded, second, now + MINUTE)
    damaged = tables.table_of(tables.EventRow)
    async with crowded.unit_of_work() as uow:
        await uow.connection.execute(
            damaged.update().where(damaged.c.id == first.id).values(signals=[{"no": "signal"}])
        )
    await FanOutWorker(crowded, lambda: now).turn()
    assert [one.event_id for one in await waiting(crowded)] == [first.id]
    assert len(await rows_of(crowded, second)) == PARTIES


async def test_parties_are_counted_off_in_the_order_of_the_database(crowded: SqlStore, now: datetime) -> None:
    async with crowded.view() as view:
        seen: list[str] = []
        after = ""
        while True:
            upto = await view.parties.id_after(after, PARTIES_AT_A_TIME)
            seen += [party.id for party in await view.parties.within(Span(after=after, upto=upto))]
            if upto is None:
                break
            assert seen[-1] == upto
            after = upto
        certified = await view.parties.within(Span(after="", upto=None), certified=True)
    assert sorted(seen) == sorted(party.id for party in everybody(now))
    assert len(certified) == PARTIES - VENS


async def test_a_ven_that_reads_before_its_turn_is_known_to_have_it(crowded: SqlStore, now: datetime) -> None:
    """It may never read again: nothing has changed for it."""
    event = an_event(now)
    await write(crowded, event, now)
    party = next(party for party in everybody(now) if party.client_id == "client-1")
    ven = Viewer(client_id="client-1", actor="client:client-1", is_business=False, party=party)
    await event_seen(crowded, ven, event.id, now + MINUTE)
    await FanOutWorker(crowded, lambda: now + MINUTE).turn()
    (row,) = [row for row in await rows_of(crowded, event) if row.party_id == "id-zen-1"]
    assert row.fetched_at == now + MINUTE


async def test_what_a_party_is_yet_to_be_told_is_in_the_way_of_another_event(crowded: SqlStore, now: datetime) -> None:
    """The program's events do not overlap, also for whom the first has not reached."""
    event = an_event(now)
    await write(crowded, event, now)
    last = next(party for party in reversed(list(everybody(now))) if party.certificates)
    second = an_event(now, event_id="event-2", targets=(Target(kind=TargetKind.VEN, name=last.id),))
    program = replace(a_program_for_all(now).program, overlap_allowed=False)
    async with crowded.view() as view:
        assert await view.deliveries.of_parties([last.id], [event.id]) == []
        with pytest.raises(InvalidEvent, match=f"party {last.name} has event {event.id}"):
            await check_admission(view, second, program, now)
    await cancel_events(crowded, [event.id], actor="test", reason="over", now=now)
    async with crowded.view() as view:
        await check_admission(view, second, program, now)
