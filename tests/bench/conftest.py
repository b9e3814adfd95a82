"""Benchmarks keep their tables until the run ends, so that they stand together and whole whatever pytest prints."""

import pytest

from tests.bench.tables import Table, machine

TABLES = pytest.StashKey[list[Table]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLES] = []


@pytest.fixture
def tables(pytestconfig: pytest.Config) -> list[Table]:
    """Where a benchmark puts what it found."""
    return pytestconfig.stash[TABLES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    shown = config.stash[TABLES]
    if shown:
        terminalreporter.section("benchmarks")
        terminalreporter.write_line(f"{machine()}\n")
        for table in shown:
            terminalreporter.write_line(table.text() + "\n")
