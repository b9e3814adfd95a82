"""The VTN's store on SQLite and on a real PostgreSQL: every test here runs on both."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from openadr_core.model.party import PartyState
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from tests.postgres import fresh_database, running_postgres
from tests.vtn.samples import a_party, a_program, a_stored_event

_numbers = count(1)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, and copied for each test."""
    file = tmp_path_factory.mktemp("store") / "migrated.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_database(postgres: Any) -> str:
    """The name of a database that was migrated once, and is copied for each test."""

    async def made() -> str:
        url = await fresh_database(postgres)
        await migrate(url)
        connection = await asyncpg.connect(url)
        name = str(await connection.fetchval("SELECT current_database()"))
        await connection.close()
        return name

    return asyncio.run(made())


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vtn.db'}"
    return asyncio.run(fresh_database(request.getfixturevalue("postgres")))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        file = tmp_path / "vtn.db"
        shutil.copy(request.getfixturevalue("migrated_file"), file)
        return f"sqlite:///{file}"
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("migrated_database")
    return asyncio.run(_copied(server, template))


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    store = await open_store(url)
    yield store
    await store.close()


@pytest.fixture
async def stocked(store: SqlStore, now: datetime) -> SqlStore:
    """One program, one event, two parties."""
    async with store.unit_of_work() as unit:
        await unit.programs.add(a_program(now))
        await unit.events.add(a_stored_event(now))
        await unit.parties.add(a_party(now))
        await unit.parties.add(a_party(now + SECOND, "ven-two", registered=False, state=PartyState.PENDING))
    return store


async def _copied(server: Any, template: str) -> str:
    name = f"vtn_{next(_numbers)}"
    connection = await asyncpg.connect(server.get_uri())
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    await connection.close()
    return str(server.get_uri(database=name))
