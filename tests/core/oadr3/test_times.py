"""Moments and lengths, both ways, and the sentinels."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.oadr3.times import (
    Months,
    Sentinel,
    later,
    length_text,
    moment_text,
    parse_fixed_length,
    parse_length,
    parse_start,
)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 1)))  # noqa: DTZ001  # the strategy's own rule
def test_a_moment_comes_back(moment: datetime) -> None:
    assert parse_start(moment_text(moment)) == moment


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10_000)))
def test_a_length_comes_back(length: timedelta) -> None:
    assert parse_length(length_text(length)) == length


@pytest.mark.openadr3("C10")
@pytest.mark.parametrize(
    "text",
    ["0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z", "0001-01-01T00:00Z"],
)
def test_the_beginning_of_time_is_now(text: str) -> None:
    assert parse_start(text) is Sentinel.NOW


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2030-07-01T18:30:00", "with an offset"),
        ("2030-07-01", "with an offset"),
        ("20300701T183000Z", "with an offset"),
        ("2030-W27-1T00:00:00Z", "with an offset"),
        ("2030-02-30T00:00:00Z", "calendar"),
        ("2030-07-01T18:30:60Z", "calendar"),
        ("0001-01-01T00:00:00+14:00", "calendar"),
        ("", "with an offset"),
    ],
)
def test_no_start(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_start(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT0S", 0), ("PT15M", 900), ("P1DT1H", 90_000), ("P2W", 1_209_600), ("PT0.5S", 0.5), ("PT120S", 120)],
)
def test_lengths(text: str, seconds: float) -> None:
    assert parse_length(text) == timedelta(seconds=seconds)


def test_for_ever() -> None:
    assert parse_length("P9999Y") is Sentinel.FOR_EVER
    assert parse_length("P9999Y0M0DT0H0M0S") is Sentinel.FOR_EVER


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "15M", "-PT1S", "PT-1S", "PT1S ", "PT1H1H", "p1d", "PT١S"])
def test_no_length(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_length(text)


@pytest.mark.parametrize("text", ["P1M", "P1Y", "P9998Y"])
def test_a_month_has_no_fixed_length(text: str) -> None:
    with pytest.raises(ValueError, match="in days"):
        parse_fixed_length(text)


@pytest.mark.parametrize(
    ("since", "text", "until"),
    [
        ("2031-07-01T12:00:00Z", "P1Y", "2032-07-01T12:00:00Z"),
        ("2032-02-29T12:00:00Z", "P1Y", "2033-02-28T12:00:00Z"),
        ("2031-01-31T00:00:00Z", "P1M", "2031-02-28T00:00:00Z"),
        ("2031-11-30T23:00:00Z", "P1Y2M3DT2H", "2033-02-03T01:00:00Z"),
        ("2031-07-01T12:00:00Z", "P1W", "2031-07-08T12:00:00Z"),
    ],
)
def test_the_calendar_says_how_long_a_month_is(since: str, text: str, until: str) -> None:
    """R7.5, in UTC."""
    at, length = parse_start(since), parse_length(text)
    assert isinstance(at, datetime)
    assert not isinstance(length, Sentinel)
    assert later(at, length) == parse_start(until)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.integers(0, 1200))  # noqa: DTZ001
def test_months_on_is_that_many_months_on(at: datetime, months: int) -> None:
    there = later(at, Months(months=months, beyond=timedelta()))
    assert (there.year * 12 + there.month) - (at.year * 12 + at.month) == months
    assert there.day == at.day or (there + timedelta(days=1)).month != there.month


def test_the_calendar_ends() -> None:
    with pytest.raises(OverflowError):
        later(datetime(2030, 1, 1, tzinfo=UTC), Months(months=12 * 9000, beyond=timedelta()))
