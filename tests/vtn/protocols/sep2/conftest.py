"""A 2030.5 server to talk to."""

import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.vtn.protocols.sep2.bridge_bench import Operator
from tests.vtn.protocols.sep2.sep2_bench import Client, Sep2Bench, running_server


@pytest.fixture
async def sep2(tmp_path: Path, empty_database: Path, now: datetime) -> AsyncIterator[Sep2Bench]:
    file = tmp_path / "vtn.db"
    shutil.copy(empty_database, file)
    async with running_server(file, now) as bench:
        yield bench


@pytest.fixture
async def operator(sep2: Sep2Bench) -> Operator:
    operator = Operator(sep2)
    await operator.program()
    return operator


@pytest.fixture
async def told(sep2: Sep2Bench) -> Client:
    client = await sep2.enrol("one")
    await sep2.device("one")
    return client
