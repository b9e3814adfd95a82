"""Pauses double from the first to the longest; what is left to chance follows from a key."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openadr_vtn.domain.pace import Pace

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


@given(times=st.integers(1, 10_000), key=st.text(max_size=9), jitter=st.floats(0, 0.5))
def test_every_pause_is_the_doubled_one_but_for_its_jitter(times: int, key: str, jitter: float) -> None:
    pace = Pace(first_s=2, longest_s=60, jitter=jitter)
    pause_s = (pace.next_at(NOW, times, key) - NOW).total_seconds()
    meant_s = min(2 * 2 ** min(times - 1, 9), 60)
    assert abs(pause_s - meant_s) <= meant_s * jitter + 1e-6
    assert pace.next_at(NOW + timedelta(hours=1), times, key) - pace.next_at(NOW, times, key) == timedelta(hours=1)


def test_keys_are_spread_over_all_that_the_jitter_allows() -> None:
    pace = Pace(first_s=10, longest_s=10, jitter=0.1)
    pauses = sorted((pace.next_at(NOW, 1, f"party-{number}") - NOW).total_seconds() for number in range(400))
    assert 9 <= pauses[0] < 9.1
    assert 10.9 < pauses[-1] <= 11
    assert 9.8 < sum(pauses) / len(pauses) < 10.2
