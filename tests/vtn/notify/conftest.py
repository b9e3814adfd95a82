"""Certificates for receivers and brokers."""

from datetime import UTC, datetime

import pytest

from tests.core.shell.lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))
