"""The VTN's store on SQLite and on a real PostgreSQL: every test here runs on both."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from tests.postgres import fresh_database, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vtn.db'}"
    return await fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    await migrate(url)
    store = await open_store(url)
    yield store
    await store.close()
