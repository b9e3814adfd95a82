"""A VTN of OpenADR 3.1 with business logic and two VENs, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from openadr_core.shell.clock import ManualClock
from openadr_vtn.adapters.sql.migrate import migrate
from tests.vtn.oadr3.table import Table, laid_table


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, and copied for each test."""
    file = tmp_path_factory.mktemp("oadr3") / "empty.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def table(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[Table]:
    async with laid_table(empty_database, tmp_path / "vtn.db", ManualClock(now)) as table:
        yield table
