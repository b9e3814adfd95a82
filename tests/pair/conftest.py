"""The VTN that each pair has."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from openadr_vtn.adapters.sql.migrate import migrate
from tests.vtn.protocols.vtn_bench import Bench, running_bench


@pytest.fixture
async def bench(tmp_path: Path, now: datetime) -> AsyncIterator[Bench]:
    await migrate(f"sqlite:///{tmp_path / 'vtn.db'}")
    async with running_bench(tmp_path / "vtn.db", now) as bench:
        yield bench
