"""The harness's own reading of durations, against the arithmetic it stands for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.durations import seconds_of

counts = st.integers(min_value=0, max_value=99_999)


@given(days=counts, hours=counts, minutes=counts, seconds=counts)
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert seconds_of(f"P{days}DT{hours}H{minutes}M{seconds}S") == expected
    assert seconds_of(f"-P{days}DT{hours}H{minutes}M{seconds}S") == -expected


@pytest.mark.parametrize("text", ["", "10", "PT1.5S", "P1Y", "1h", "PT1M30"])
def test_what_is_no_duration_equals_nothing(text: str) -> None:
    assert math.isnan(seconds_of(text))


@pytest.mark.parametrize("text", ["P", "PT", "PT0S", "P0D"])
def test_nothing_is_written_in_several_ways(text: str) -> None:
    assert seconds_of(text) == 0
