"""An operator's desk to sit at."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from openadr_core.shell.clock import ManualClock
from openadr_vtn.adapters.sql.migrate import migrate
from tests.vtn.operator.desk_bench import DeskBench, running_desk


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, and copied for each test."""
    file = tmp_path_factory.mktemp("desk") / "empty.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def desk(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[DeskBench]:
    async with running_desk(empty_database, tmp_path / "vtn.db", ManualClock(now)) as bench:
        yield bench
