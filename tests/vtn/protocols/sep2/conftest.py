"""A 2030.5 server to talk to."""

import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.vtn.protocols.sep2.sep2_bench import Sep2Bench, running_server


@pytest.fixture
async def sep2(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[Sep2Bench]:
    file = tmp_path / "vtn.db"
    shutil.copy(empty_database, file)
    async with running_server(file, now) as bench:
        yield bench
