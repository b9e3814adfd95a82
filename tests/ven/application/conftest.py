"""The agent's world, with a store of its own."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.ven.application.world import FailingStore, World, store_at


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FailingStore]:
    store = await store_at(tmp_path)
    yield store
    await store.close()


@pytest.fixture
async def world(store: FailingStore, now: datetime) -> World:
    """Registered, with half a minute of telemetry."""
    world = World(store, now)
    await world.start()
    await world.second(15)
    return world
