"""Typed fields: what the schema's patterns let through is given one meaning."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import LocalProtocolError, SchemaViolation
from openadr_core.xml.fields import boolean_of, date_time_of, date_time_text, duration_of, duration_text, float_of
from openadr_core.xml.parse import Element, parse


def holding(text: str) -> Element:
    return parse(f"<x>{text}</x>".encode())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0S", 0),
        ("P", 0),
        ("PT", 0),
        ("PT5S", 5),
        ("PT1H30M", 5400),
        ("P1DT1S", 86401),
        ("5W", 35 * 86400),
        ("-PT4M", -240),
        ("+PT4M", 240),
        ("P1Y", 365 * 86400),
        ("P2M", 60 * 86400),
        (" PT5S ", 5),
    ],
)
def test_a_duration_means_one_thing(text: str, seconds: int) -> None:
    assert duration_of(holding(text)) == timedelta(seconds=seconds)


@pytest.mark.openadr20b("R1", "E5")
@pytest.mark.parametrize("text", ["PT1.5S", "1 hour", "PT5X", f"P{'9' * 30}D", f"PT{'9' * 40}S"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SchemaViolation):
        duration_of(holding(text))


@given(st.integers(-(10**9), 10**9))
def test_durations_come_back(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert duration_of(holding(duration_text(length))) == length


@pytest.mark.openadr20b("R1", "E5")
def test_a_duration_has_whole_seconds() -> None:
    # R1.
    with pytest.raises(LocalProtocolError):
        duration_text(timedelta(milliseconds=1500))


@pytest.mark.openadr20b("R1", "E4")
@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (Hypothesis wants it naive)
def test_times_come_back(moment: datetime) -> None:
    text = date_time_text(moment)
    assert text.endswith("Z")
    assert date_time_of(holding(text)) == moment


@pytest.mark.parametrize("text", ["2026-02-30T00:00:00Z", "26-01-01T00:00:00Z", "2026-01-01T24:30:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SchemaViolation):
        date_time_of(holding(text))


@pytest.mark.openadr20b("R1", "E4")
def test_a_time_without_z_is_utc() -> None:
    # Interpretation: the pattern allows it, and R1 knows only UTC.
    assert date_time_of(holding("2026-07-15T18:30:00.25")) == datetime(2026, 7, 15, 18, 30, 0, 250_000, tzinfo=UTC)


def test_a_naive_time_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        date_time_text(datetime(2026, 7, 15))  # noqa: DTZ001


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("true", True), (" false ", False)])
def test_four_spellings_of_a_boolean(text: str, value: bool) -> None:
    assert boolean_of(holding(text)) is value


def test_xsd_spells_infinity_its_own_way() -> None:
    assert float_of(holding("-INF")) == float("-inf")
