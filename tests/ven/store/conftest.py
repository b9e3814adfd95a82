"""The agent's store on SQLite and on a real PostgreSQL: every test here runs on both."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.store import SqlStore, engine_of
from tests.postgres import fresh_database, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ven.db'}"
    else:
        url = await fresh_database(request.getfixturevalue("postgres"))
    engine = engine_of(url)
    await migrate(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> SqlStore:
    return SqlStore(engine)
