"""What every test may use."""

import os
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


WAITING_WORKERS = 2
"""Beyond one for each core: many tests wait, for sockets, for servers to start and for real clocks."""


def pytest_xdist_auto_num_workers() -> int:
    return (os.cpu_count() or 1) + WAITING_WORKERS


@pytest.fixture
def now() -> datetime:
    """A fixed moment: pure code is told the time."""
    return datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
