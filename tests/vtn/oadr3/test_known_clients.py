"""What is remembered of clients: no query for each request, and no client that is no more."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.handlers.clients import add_client, remove_client, rotate_secret
from openadr_vtn.application.known_clients import LOOKED_AGAIN, KnownClients
from openadr_vtn.domain.access import READ_ALL, STOP, Role
from tests.vtn.oadr3.table import Table


@pytest.fixture
async def beside(table: Table, tmp_path: Path) -> AsyncIterator[SqlStore]:
    """The same database, as another process sees it."""
    store = await open_store(f"sqlite:///{tmp_path / 'vtn.db'}")
    yield store
    await store.close()


async def a_client(store: SqlStore, now: datetime, client_id: str = "one") -> None:
    await add_client(
        store, client_id=client_id, name="n", role=Role.BUSINESS, secret="s", scopes=(READ_ALL, STOP), now=now,  # noqa: S106
    )  # fmt: skip


async def test_what_this_process_writes_is_known_at_once(table: Table, now: datetime) -> None:
    store = table.desk.store
    known = KnownClients(store)
    assert await known.by_id("one", now) is None
    await a_client(store, now)
    before = await known.by_id("one", now)
    assert before is not None
    async with store.unit_of_work() as uow:
        await uow.clients.update(replace(before, scopes=(READ_ALL,)))
    assert await known.by_id("one", now) == replace(before, scopes=(READ_ALL,))
    await remove_client(store, "one", now)
    assert await known.by_id("one", now) is None


async def test_what_another_writes_is_known_within_a_second(table: Table, beside: SqlStore, now: datetime) -> None:
    await a_client(table.desk.store, now)
    known = KnownClients(table.desk.store)
    before = await known.by_id("one", now)
    renewed = await rotate_secret(beside, "one", secret="t", grace=timedelta(0), now=now)  # noqa: S106
    assert await known.by_id("one", now + LOOKED_AGAIN / 2) == before, "nobody has looked again"
    assert await known.by_id("one", now + LOOKED_AGAIN) == renewed
    await remove_client(beside, "one", now + LOOKED_AGAIN)
    assert await known.by_id("one", now + 2 * LOOKED_AGAIN) is None


async def test_what_does_not_concern_clients_costs_no_query(table: Table, beside: SqlStore, now: datetime) -> None:
    """A VEN that polls every ten seconds is remembered in between, whatever else is written."""
    await a_client(table.desk.store, now)
    known = KnownClients(table.desk.store)
    remembered = await known.by_id("one", now)
    async with beside.unit_of_work() as uow:
        await uow.clients.remove("one")  # with no entry in the audit: only who asks the store can see it
    await table.desk.add_party("somebody")
    assert await known.by_id("one", now + timedelta(minutes=1)) is remembered


async def test_a_clock_that_goes_back_keeps_nobody_in(table: Table, beside: SqlStore, now: datetime) -> None:
    await a_client(table.desk.store, now)
    known = KnownClients(table.desk.store)
    assert await known.by_id("one", now) is not None
    await remove_client(beside, "one", now)
    assert await known.by_id("one", now - timedelta(hours=1)) is None
