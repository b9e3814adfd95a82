"""Zones and summer times, as Time tells them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from openadr_vtn.domain.sep2.zone import zone_facts


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


SYDNEY = (36_000, 3600, at(2026, 10, 3, 16), at(2027, 4, 3, 16))


@pytest.mark.parametrize(
    ("name", "now", "facts"),
    [
        ("UTC", at(2026, 7, 1), (0, 0, 0, 0)),
        ("Australia/Brisbane", at(2026, 12, 1), (36_000, 0, 0, 0)),
        ("Australia/Sydney", at(2026, 7, 1), SYDNEY),
        ("Australia/Sydney", at(2026, 12, 1), SYDNEY),
        ("Australia/Sydney", SYDNEY[2], SYDNEY),
        ("Australia/Sydney", SYDNEY[3] - 1, SYDNEY),
        ("America/Los_Angeles", at(2026, 7, 1), (-28_800, 3600, at(2026, 3, 8, 10), at(2026, 11, 1, 9))),
    ],
)
def test_the_summer_time_that_is_or_comes_next(name: str, now: int, facts: tuple[int, int, int, int]) -> None:
    assert zone_facts(ZoneInfo(name), now) == facts
