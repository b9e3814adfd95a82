"""What the security suite talks to: a VTN core over a real store, and certificates of both kinds."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openadr_ven.adapters.sql.migrate import migrate as migrate_ven
from openadr_ven.adapters.sql.store import SqlStore as VenStore
from openadr_ven.adapters.sql.store import engine_of
from openadr_vtn.adapters.sql.migrate import migrate
from tests.security.signing import Lab, SigningBench
from tests.vtn.protocols.vtn_bench import Bench, running_bench


@pytest.fixture(scope="session")
def signing_lab() -> Lab:
    return Lab(now=datetime(2026, 7, 15, 18, 30, tzinfo=UTC))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, and copied for each test."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
async def bench(tmp_path: Path, migrated: Path, now: datetime) -> AsyncIterator[Bench]:
    file = tmp_path / "vtn.db"
    shutil.copy(migrated, file)
    async with running_bench(file, now) as bench:
        yield bench


@pytest.fixture
def signing(bench: Bench, signing_lab: Lab) -> SigningBench:
    return SigningBench(vtn=bench, lab=signing_lab)


@pytest.fixture(scope="session")
def migrated_ven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "empty.db"

    async def made() -> None:
        engine = engine_of(f"sqlite:///{file}")
        await migrate_ven(engine)
        await engine.dispose()

    asyncio.run(made())
    return file


@pytest.fixture
async def ven_store(tmp_path: Path, migrated_ven: Path) -> AsyncIterator[VenStore]:
    file = tmp_path / "ven.db"
    shutil.copy(migrated_ven, file)
    engine = engine_of(f"sqlite:///{file}")
    yield VenStore(engine)
    await engine.dispose()
