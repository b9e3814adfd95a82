"""A VTN core to talk to."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from openadr_vtn.adapters.sql.migrate import migrate
from tests.vtn.protocols.vtn_bench import Bench, running_bench


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, and copied for each test."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def bench(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[Bench]:
    file = tmp_path / "vtn.db"
    shutil.copy(empty_database, file)
    async with running_bench(file, now) as bench:
        yield bench
