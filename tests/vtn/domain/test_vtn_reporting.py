"""What is asked for is what was offered; delivered power is baseline minus meter; silence is seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.report import Quality, Reading
from openadr_vtn.domain.reporting import (
    OfferedReport,
    RequestedReport,
    TelemetryWish,
    delivered,
    gaps,
    late_by,
    received,
    requests_for,
)
from tests.vtn.samples import an_offer

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def asked_for(*offers: OfferedReport, wish: TelemetryWish | None = None) -> list[RequestedReport]:
    numbers = count()
    return list(requests_for(offers, wish or TelemetryWish(), new_id=lambda: f"r{next(numbers)}", now=NOW))


def a_reading(second: int, value: float = 1.0, *, length: int = 1, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(
        r_id="power", starts_at=NOW + second * SECOND, duration=length * SECOND, value=value, quality=quality
    )


def with_rates(least: int, most: int) -> OfferedReport:
    offered = an_offer()
    points = tuple(
        replace(point, min_period=least * SECOND, max_period=most * SECOND) for point in offered.offer.data_points
    )
    return replace(offered, offer=replace(offered.offer, data_points=points))


def named(report_name: str) -> OfferedReport:
    return replace(an_offer(), offer=replace(an_offer().offer, report_name=report_name))


def test_all_telemetry_of_usage_is_asked_for_for_ever() -> None:
    (requested,) = asked_for(an_offer())
    request = requested.request
    assert (request.r_ids, request.starts_at, request.duration) == (("power", "baseline"), NOW, None)
    assert (request.granularity, request.report_back) == (5 * SECOND, 5 * SECOND)


def test_nothing_is_asked_of_an_offer_without_points_or_of_history() -> None:
    history = named("HISTORY_USAGE")
    empty = replace(an_offer(), offer=replace(an_offer().offer, data_points=()))
    assert asked_for(empty, history) == []


def test_how_resources_stand_is_asked_for_as_often_as_is_wished() -> None:
    offered = named("TELEMETRY_STATUS")
    assert asked_for(offered) == []
    (requested,) = asked_for(offered, wish=TelemetryWish(status_back=timedelta(minutes=1)))
    assert requested.request.granularity == requested.request.report_back == timedelta(minutes=1)


def test_points_that_have_no_rate_in_common_are_asked_for_one_by_one() -> None:
    fine, coarse = with_rates(1, 5).offer.data_points[0], with_rates(60, 900).offer.data_points[1]
    mixed = replace(an_offer(), offer=replace(an_offer().offer, data_points=(fine, coarse)))
    assert [(one.request.r_ids, one.request.granularity) for one in asked_for(mixed)] == [
        (("power",), 5 * SECOND),
        (("baseline",), 60 * SECOND),
    ]


@pytest.mark.openadr20b("R300", "R317", "R-13")
@given(st.integers(1, 900), st.integers(0, 900), st.integers(1, 60), st.integers(1, 600))
def test_what_is_asked_for_lies_within_the_offer(least: int, more: int, granularity: int, back: int) -> None:
    """2.0b R317: min period ≤ granularity ≤ report back, and whole intervals in a report."""
    wish = TelemetryWish(granularity=granularity * SECOND, report_back=back * SECOND)
    (requested,) = asked_for(with_rates(least, least + more), wish=wish)
    request = requested.request
    assert least * SECOND <= request.granularity <= (least + more) * SECOND
    assert request.report_back >= max(request.granularity, wish.report_back)
    assert request.report_back % request.granularity == timedelta(0)


def test_lateness_is_what_is_beyond_half_a_period() -> None:
    (requested,) = asked_for(an_offer())
    assert late_by(requested, NOW + 7 * SECOND) == timedelta(0)
    assert late_by(requested, NOW + 10 * SECOND) == 2.5 * SECOND
    fresh = received(requested, [a_reading(0, length=5)], NOW + 10 * SECOND)
    assert fresh.covered_until == NOW + 5 * SECOND
    assert late_by(fresh, NOW + 17 * SECOND) == timedelta(0)
    assert late_by(fresh, NOW + 27.5 * SECOND) == 10 * SECOND


def test_a_report_that_has_ended_is_late_no_more() -> None:
    (requested,) = asked_for(an_offer())
    ended = replace(requested, request=replace(requested.request, duration=10 * SECOND))
    complete = received(ended, [a_reading(0, length=10)], NOW + 11 * SECOND)
    assert late_by(complete, NOW + 1000 * SECOND) == timedelta(0)
    assert late_by(ended, NOW + 1000 * SECOND) > timedelta(0)


def test_a_resend_does_not_move_coverage_back() -> None:
    (requested,) = asked_for(an_offer())
    fresh = received(requested, [a_reading(60)], NOW)
    assert received(fresh, [a_reading(0)], NOW).covered_until == NOW + 61 * SECOND


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], [(0, 10)]),
        ([a_reading(0, length=10)], []),
        ([a_reading(4, length=2)], [(0, 4), (6, 10)]),
        ([a_reading(-5, length=8), a_reading(2, length=3)], [(5, 10)]),
        ([a_reading(0, length=5), a_reading(5, length=5, quality=Quality.BAD)], [(5, 10)]),
        ([a_reading(20)], [(0, 10)]),
    ],
)
def test_gaps_are_what_no_usable_reading_covers(readings: list[Reading], expected: list[tuple[int, int]]) -> None:
    found = list(gaps(readings, NOW, NOW + 10 * SECOND))
    assert found == [(NOW + start * SECOND, NOW + end * SECOND) for start, end in expected]


@given(st.lists(st.tuples(st.integers(-5, 25), st.integers(1, 9)), max_size=12))
def test_gaps_and_readings_tile_the_time(placed: list[tuple[int, int]]) -> None:
    covered = {second for start, length in placed for second in range(start, start + length)} & set(range(20))
    found = gaps([a_reading(start, length=length) for start, length in placed], NOW, NOW + 20 * SECOND)
    open_seconds = {
        second for start, end in found for second in range(int((start - NOW) / SECOND), int((end - NOW) / SECOND))
    }
    assert open_seconds == set(range(20)) - covered


def test_delivered_is_baseline_minus_meter_where_both_are_good() -> None:
    metered = [a_reading(0, 7e6), a_reading(1, 2e6), a_reading(2, 3e6, quality=Quality.BAD), a_reading(3, 1e6)]
    baseline = [a_reading(0, 7e6), a_reading(1, 7e6), a_reading(2, 7e6), a_reading(3, 7e6, quality=Quality.BAD)]
    assert [(one.starts_at, one.delivered_w) for one in delivered(metered, baseline)] == [
        (NOW, 0.0),
        (NOW + SECOND, 5e6),
    ]
