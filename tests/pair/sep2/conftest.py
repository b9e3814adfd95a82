"""A 2030.5 server, and our client of it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from openadr_core.sep2.mrid import pin_of
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.application.handlers import sep2_rates
from tests.pair.sep2.sep2_client import ClientEnd, client_of, pair
from tests.vtn.protocols.sep2.sep2_bench import ACTOR, Sep2Bench


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once for all: a copy costs a thousandth of it."""
    file = tmp_path_factory.mktemp("database") / "vtn.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def bench(tmp_path: Path, empty_database: Path) -> AsyncIterator[Sep2Bench]:
    file = tmp_path / "vtn.db"
    shutil.copy(empty_database, file)
    async with pair(file) as bench:
        yield bench


@pytest.fixture
async def client(bench: Sep2Bench) -> ClientEnd:
    await bench.device("one", "feeder", pin=pin_of(11111))
    await sep2_rates.save_rate(bench.store, "DERProgramList", 60, actor=ACTOR, now=bench.now)
    await sep2_rates.save_rate(bench.store, "EndDevice", 300, actor=ACTOR, now=bench.now)
    return client_of(bench)
