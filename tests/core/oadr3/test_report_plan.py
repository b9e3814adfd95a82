"""Which reports an event asks for: each diagram of the User Guide's 7.5 and 8.7 is a case."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from openadr_core.oadr3.layout import Layout, lay_out
from openadr_core.oadr3.messages import Interval, IntervalPeriod, ReportDescriptor
from openadr_core.oadr3.report_plan import due_reports, planned_report
from openadr_core.oadr3.times import Length, Sentinel

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2030, 7, 1, tzinfo=UTC)
HOURLY = IntervalPeriod(start=MIDNIGHT, duration=HOUR)
LONG_BEFORE, LONG_AFTER = MIDNIGHT - timedelta(days=30), MIDNIGHT + timedelta(days=30)


def hourly(number: int, *, duration: Length | None = None) -> Layout:
    intervals = [Interval(id=index, payloads=()) for index in range(number)]
    return lay_out(intervals, period=HOURLY, duration=duration, obtained_at=LONG_BEFORE, draw=0.0)


def asked(**said: object) -> ReportDescriptor:
    return ReportDescriptor(payload_type="USAGE", **said)  # type: ignore[arg-type]


def plan(layout: Layout, descriptor: ReportDescriptor, *, most: int = 10) -> list[tuple[float, list[int]]]:
    """Of each report, the hour after midnight when it is due, and the ids it covers."""
    found = due_reports(layout, descriptor, obtained_at=LONG_BEFORE, since=LONG_BEFORE, until=LONG_AFTER)
    return [((one.due_at - MIDNIGHT) / HOUR, [placed.id for placed in one.intervals]) for one in islice(found, most)]


DIAGRAMS = [
    pytest.param(4, asked(), [(4, [0, 1, 2, 3])], id="all, historical"),
    pytest.param(4, asked(historical=False), [(0, [0, 1, 2, 3])], id="all, forecast"),
    pytest.param(5, asked(start_interval=1, num_intervals=3), [(4, [1, 2, 3])], id="subset"),
    pytest.param(
        6,
        asked(start_interval=1, num_intervals=2, frequency=2, repeat=3),
        [(2, [0, 1]), (4, [2, 3]), (6, [4, 5])],
        id="periodic",
    ),
    pytest.param(
        5,
        asked(start_interval=0, num_intervals=3, frequency=1, repeat=3, historical=False),
        [(0, [0, 1, 2]), (1, [1, 2, 3]), (2, [2, 3, 4])],
        id="rolling",
    ),
    # The table's own examples.
    pytest.param(10, asked(start_interval=5), [(10, [5, 6, 7, 8, 9])], id="the last five"),
    pytest.param(
        10,
        asked(frequency=2, repeat=5),
        [(2, [0, 1]), (4, [2, 3]), (6, [4, 5]), (8, [6, 7]), (10, [8, 9])],
        id="five sets of two",
    ),
    pytest.param(10, asked(num_intervals=3), [(10, [7, 8, 9])], id="three, up to the end"),
    pytest.param(4, asked(frequency=0), [], id="ad hoc"),
]


@pytest.mark.parametrize(("number", "descriptor", "expected"), DIAGRAMS)
@pytest.mark.openadr3("R8.1", "R8.2", "C13")
def test_the_diagrams(number: int, descriptor: ReportDescriptor, expected: list[tuple[float, list[int]]]) -> None:
    assert plan(hourly(number), descriptor) == expected


def test_a_looping_event_is_reported_lap_by_lap() -> None:
    looping = hourly(3, duration=Sentinel.FOR_EVER)
    assert plan(looping, asked(), most=3) == [(3, [0, 1, 2]), (6, [0, 1, 2]), (9, [0, 1, 2])]


def test_implied_intervals_carry_a_rolling_forecast_for_ever() -> None:
    layout = lay_out([], period=HOURLY, duration=None, obtained_at=LONG_BEFORE, draw=0.0)
    forecast = asked(start_interval=0, num_intervals=48, historical=False, frequency=1, repeat=-1)
    found = plan(layout, forecast, most=3)
    assert [due for due, _ in found] == [0, 1, 2]
    assert [ids for _, ids in found] == [list(range(start, start + 48)) for start in range(3)]


def test_repeating_for_ever_ends_with_the_event() -> None:
    assert plan(hourly(5), asked(frequency=2, repeat=-1)) == [(2, [0, 1]), (4, [2, 3]), (5, [4])]


@pytest.mark.openadr3("R8.2")
def test_a_late_reader_makes_the_latest_missed_report_at_once_and_no_older_one() -> None:
    descriptor = asked(frequency=1, repeat=-1)
    noon = MIDNIGHT + timedelta(hours=12, minutes=30)
    found = due_reports(hourly(24), descriptor, obtained_at=noon, since=noon - timedelta(seconds=1), until=noon + HOUR)
    assert [placed.id for report in found for placed in report.intervals] == [11, 12]
    later = due_reports(hourly(24), descriptor, obtained_at=noon, since=noon, until=noon + HOUR)
    assert [report.number for report in later] == [12]


def test_reports_that_have_been_made_for_decades_are_found_at_once() -> None:
    layout = lay_out([], period=HOURLY, duration=None, obtained_at=LONG_BEFORE, draw=0.0)
    forecast = asked(start_interval=0, num_intervals=2, historical=False, frequency=1, repeat=-1)
    since = MIDNIGHT + timedelta(days=20_000, minutes=1)
    found = list(due_reports(layout, forecast, obtained_at=LONG_BEFORE, since=since, until=since + HOUR))
    assert [report.number for report in found] == [20_000 * 24 + 1]


def test_an_endless_interval_has_no_end_to_report_at_but_a_beginning() -> None:
    intervals = [Interval(id=0, payloads=(), period=IntervalPeriod(start=MIDNIGHT, duration=Sentinel.FOR_EVER))]
    layout = lay_out(intervals, period=None, duration=None, obtained_at=LONG_BEFORE, draw=0.0)
    assert planned_report(layout, asked(), 0) is None
    assert plan(layout, asked(historical=False)) == [(0, [0])]
