"""What the tests of the shell share: the laboratory, and every faulty certificate of it."""

from datetime import UTC, datetime

import pytest

from tests.core.shell.lab import FAULTS, Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(folder=tmp_path_factory.mktemp("lab"), now=datetime.now(UTC))


@pytest.fixture(params=sorted(FAULTS))
def fault(request: pytest.FixtureRequest) -> str:
    """Each name of a fault in turn."""
    return str(request.param)
