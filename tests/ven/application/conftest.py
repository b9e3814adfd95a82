"""The agent's world, with a store of its own."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.store import engine_of
from tests.ven.application.world import FailingStore, World


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FailingStore]:
    engine = engine_of(f"sqlite:///{tmp_path / 'ven.db'}")
    await migrate(engine)
    store = FailingStore(engine)
    yield store
    await store.close()


@pytest.fixture
async def world(store: FailingStore, now: datetime) -> World:
    """Registered, with half a minute of telemetry."""
    world = World(store, now)
    await world.start()
    await world.second(15)
    return world
