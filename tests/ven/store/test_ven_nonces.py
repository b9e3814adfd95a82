"""The agent's book of nonces: one message has each, over restarts, and no longer than it must be kept."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from openadr_ven.adapters.claims import StoredClaims
from openadr_ven.adapters.sql.store import SqlStore

pytestmark = pytest.mark.openadr20b("R514", "S8")

WINDOW = timedelta(minutes=5)


async def test_each_is_claimed_once_also_by_another_process(
    engine: AsyncEngine, store: SqlStore, now: datetime
) -> None:
    here, there = (StoredClaims(each, window=WINDOW) for each in (store, SqlStore(engine)))
    assert await here.claim("a", now)
    assert not await here.claim("a", now)
    assert not await there.claim("a", now)
    assert await there.claim("b", now)


async def test_what_no_message_can_use_any_more_is_forgotten(store: SqlStore, now: datetime) -> None:
    claims = StoredClaims(store, window=WINDOW)
    await claims.claim("old", now + WINDOW)
    await claims.claim("next", now + 3 * WINDOW)
    async with store.unit_of_work() as unit:
        assert not await unit.claim_nonce("old", now)
    await claims.claim("much later", now + 4 * WINDOW)
    async with store.unit_of_work() as unit:
        assert await unit.claim_nonce("old", now)
        assert not await unit.claim_nonce("next", now)
