"""Which reports of usage are due, when, and what is in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.report import Quality, ReportRequest
from openadr_ven.application.observation import Observation
from openadr_ven.application.offered import OfferedLog, SetpointLog
from openadr_ven.application.report_offers import USAGE
from openadr_ven.application.reporting import (
    KEPT,
    PATIENCE,
    START_UP,
    BaselineSpan,
    DueReport,
    Meter,
    Metered,
    due_reports,
    first_moment,
    readings_of,
)
from openadr_ven.domain.held import WantedReport
from tests.ven.application.test_observation import a_frame, hear
from tests.ven.application.world import a_fleet

SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
FLEET = a_fleet(79)


def a_request(**changes: object) -> ReportRequest:
    request = ReportRequest(
        id="r", specifier_id=USAGE, r_ids=("power", "baseline"), granularity=SECOND, report_back=5 * SECOND,
        starts_at=NOW, duration=None,
    )  # fmt: skip
    return replace(request, **changes)  # type: ignore[arg-type]


def wanted(**changes: object) -> WantedReport:
    return WantedReport(request=a_request(**changes), reported_until=NOW)


def measured(seconds: int, *, watts: float = 2.0) -> Observation:
    """A second before the start is heard of too, as in life."""
    seen = Observation(FLEET, baseline_s=10, started_s=NOW.timestamp())
    for second in range(-1, seconds):
        hear(seen, FLEET, NOW + second * SECOND, watts)
    return seen


def due(
    one: WantedReport,
    seen: Observation,
    now: datetime,
    *,
    spans: list[BaselineSpan] | None = None,
    started_at: datetime = NOW - timedelta(minutes=1),
) -> list[DueReport]:
    silent_w = np.zeros(len(FLEET.gateway_names))
    meter = Meter(seen=seen, spans=spans or [], silent_w=silent_w, started_at=started_at)
    return list(due_reports(one, meter, now=now))


@pytest.mark.openadr20b("R324", "R-12")
def test_a_report_is_made_as_soon_as_everybody_has_measured_past_its_end() -> None:
    assert due(wanted(), measured(5), NOW + 5 * SECOND) == []
    (report,) = due(wanted(), measured(6), NOW + 5 * SECOND)
    assert report.wanted.reported_until == NOW + 5 * SECOND
    assert len(report.readings) == 10
    assert [one.starts_at for one in report.readings[::2]] == [NOW + n * SECOND for n in range(5)]
    assert {one.quality for one in report.readings} == {Quality.GOOD}
    assert not report.finished


def test_who_falls_silent_is_not_waited_for() -> None:
    now = NOW
    seen = measured(4)
    other = FLEET.gateway_names[0]
    for second in range(4, 8):
        seen.receive(a_frame(FLEET, other, now + second * SECOND, 2.0), now=now + second * SECOND)
    assert due(wanted(), seen, now + 6 * SECOND) == []
    (report,) = due(wanted(), seen, now + 7 * SECOND)
    assert [one.quality for one in report.readings[::2]] == [Quality.GOOD] * 4 + [Quality.ESTIMATED]
    assert report.readings[-1].cause == "Last Usable Value"


@pytest.mark.openadr20b("R318", "R-20")
def test_what_a_broker_may_still_bring_is_waited_for_but_not_for_ever() -> None:
    seen = measured(4)  # and then nothing from anybody
    assert due(wanted(), seen, NOW + 5 * SECOND + PATIENCE - SECOND) == []
    (report, *_) = due(wanted(), seen, NOW + 5 * SECOND + PATIENCE)
    assert (report.readings[-1].quality, report.readings[-1].cause) == (Quality.BAD, "Comm Failure")


def test_after_a_start_every_gateway_is_waited_for() -> None:
    started_at = NOW + 60 * SECOND
    seen = Observation(FLEET, baseline_s=10, started_s=0.0)

    def due_at(now: datetime) -> int:
        return len(due(wanted(), seen, now, started_at=started_at))

    for second in range(61):  # one gateway's queue has come in whole
        seen.receive(a_frame(FLEET, FLEET.gateway_names[0], NOW + second * SECOND, 2.0), now=started_at)
    assert due_at(started_at + SECOND) == 0
    for second in range(31):  # the other's by half
        seen.receive(a_frame(FLEET, FLEET.gateway_names[1], NOW + second * SECOND, 2.0), now=started_at + SECOND)
    assert due_at(started_at + SECOND) == 6
    now = started_at + START_UP
    seen.receive(a_frame(FLEET, FLEET.gateway_names[0], now, 2.0), now=now)
    assert due_at(now) == 13  # the other has fallen silent again


def test_a_gap_is_made_up_in_order() -> None:
    reports = due(wanted(), measured(21), NOW + 21 * SECOND)
    assert [one.wanted.reported_until for one in reports] == [NOW + n * SECOND for n in (5, 10, 15, 20)]


def test_the_baseline_is_the_events_while_there_is_one_and_the_meters_otherwise() -> None:
    span = BaselineSpan(starts_at=NOW + SECOND, ends_at=NOW + 3 * SECOND, power_w=99.0)
    (report,) = due(wanted(), measured(6), NOW + 5 * SECOND, spans=[span])
    baseline = [one.value for one in report.readings if one.r_id == "baseline"]
    power = [one.value for one in report.readings if one.r_id == "power"]
    assert baseline == [power[0], 99.0, 99.0, power[3], power[4]]
    (coarse,) = due(wanted(granularity=5 * SECOND), measured(6), NOW + 5 * SECOND, spans=[span])
    assert coarse.readings[1].value == pytest.approx(np.mean(baseline))


@pytest.mark.openadr20b("R342")
def test_energy_is_power_over_its_interval() -> None:
    (report,) = due(wanted(granularity=5 * SECOND, r_ids=("power", "energy")), measured(6), NOW + 5 * SECOND)
    power, energy = report.readings
    assert power.value == pytest.approx(2.0 * FLEET.size)
    assert power.duration == 5 * SECOND
    assert energy.value == pytest.approx(power.value * 5 / 3600)


@pytest.mark.openadr20b("R325", "R-12")
def test_a_duration_ends_it_and_cuts_the_last_report() -> None:
    reports = due(wanted(duration=12 * SECOND), measured(30), NOW + 30 * SECOND)
    assert [one.finished for one in reports] == [False, False, True]
    assert len(reports[-1].readings) == 2 * 2
    assert reports[-1].wanted.reported_until == NOW + 12 * SECOND


@pytest.mark.openadr20b("R324", "R337", "R-11")
def test_one_shot_is_the_newest_second_at_once() -> None:
    (report,) = due(wanted(granularity=ZERO, report_back=ZERO), measured(30), NOW + 30 * SECOND)
    assert report.finished
    assert [(one.r_id, one.starts_at, one.duration) for one in report.readings] == [
        ("power", NOW + 28 * SECOND, SECOND),
        ("baseline", NOW + 28 * SECOND, SECOND),
    ]
    assert {one.quality for one in report.readings} == {Quality.GOOD}


@pytest.mark.openadr20b("R318", "R337", "R-20")
def test_one_shot_of_a_fleet_that_nobody_hears_is_bad_and_at_once_too() -> None:
    seen = Observation(FLEET, baseline_s=10, started_s=NOW.timestamp())
    (report,) = due(wanted(granularity=ZERO, report_back=ZERO), seen, NOW + 0.5 * SECOND)
    assert {(one.quality, one.starts_at) for one in report.readings} == {(Quality.BAD, NOW - SECOND)}


@pytest.mark.openadr20b("R345", "R-25")
def test_one_more_after_a_cancel_is_one_more() -> None:
    reports = due(replace(wanted(), last_one=True), measured(30), NOW + 30 * SECOND)
    assert [one.finished for one in reports] == [True]


def test_what_nobody_kept_is_not_reported() -> None:
    long_ago = replace(wanted(), reported_until=NOW - timedelta(days=1))
    reports = due(long_ago, measured(3), NOW)
    assert reports[0].readings[0].starts_at >= NOW - timedelta(hours=1)


def a_day_of(*watts: float) -> Observation:
    """Each gateway's devices take so much, second after second."""
    seen = Observation(FLEET, baseline_s=10, started_s=NOW.timestamp())
    for second, power_w in enumerate(watts):
        hear(seen, FLEET, NOW + second * SECOND, power_w)
    return seen


@pytest.mark.openadr20b("R317", "R-14")
def test_on_change_tells_each_change_and_that_there_was_none() -> None:
    on_change = wanted(granularity=ZERO, r_ids=("power", "energy"))
    seen = a_day_of(2, 2, 3, 3.0001, 2, *[2] * 6)
    first, second = due(on_change, seen, NOW + 10 * SECOND)
    told = [(one.starts_at, one.duration, one.quality) for one in first.readings if one.r_id == "power"]
    assert told == [
        (NOW, 2 * SECOND, Quality.GOOD),
        (NOW + 2 * SECOND, 2 * SECOND, Quality.GOOD),
        (NOW + 4 * SECOND, SECOND, Quality.GOOD),
    ]
    (power, energy) = second.readings
    assert (power.starts_at, power.duration, power.quality) == (NOW + 5 * SECOND, 5 * SECOND, Quality.UNCHANGED)
    assert power.value == pytest.approx(2.0 * FLEET.size)
    # Whatever changes or not, no energy is lost.
    total = sum(one.value for one in (*first.readings, *second.readings) if one.r_id == "energy")
    assert total == pytest.approx((2 + 2 + 3 + 3.0001 + 2 + 5 * 2) * FLEET.size / 3600)
    assert energy.quality is Quality.UNCHANGED


# -- where reports begin and end -------------------------------------------------------


@pytest.mark.openadr20b("R324", "R325", "R341", "R-12")
@given(
    back_s=st.integers(1, 3_600),
    offset_s=st.integers(-100_000, 100_000),
    fraction=st.integers(0, 999_999),
    duration_s=st.none() | st.integers(1, 10_000),
)
def test_reports_lie_on_the_grid_that_was_asked_for(
    back_s: int, offset_s: int, fraction: int, duration_s: int | None
) -> None:
    """The first begins at dtstart; where nothing is kept of that any more, with the report that would be under way."""
    starts_at = NOW + offset_s * SECOND + timedelta(microseconds=fraction)
    request = a_request(report_back=back_s * SECOND, starts_at=starts_at, duration=duration_s and duration_s * SECOND)
    first = first_moment(request, NOW)
    whole = starts_at.replace(microsecond=0)
    assert (first - whole) % request.report_back == ZERO
    assert first >= whole
    if whole >= NOW - KEPT:
        assert first == whole
    else:
        assert first <= NOW < first + request.report_back


@pytest.mark.openadr20b("R316", "R325", "R-18")
@given(
    back_s=st.integers(2, 9),
    steps=st.integers(1, 3),
    duration_s=st.none() | st.integers(1, 20),
    now_s=st.integers(0, 28),
    on_change=st.booleans(),
)
def test_reports_tile_the_time_without_gap_or_overlap(
    back_s: int, steps: int, duration_s: int | None, now_s: int, on_change: bool
) -> None:
    one = wanted(
        granularity=ZERO if on_change else max(back_s // steps, 1) * SECOND,
        report_back=back_s * SECOND,
        duration=duration_s and duration_s * SECOND,
        r_ids=("power",),
    )
    reports = due(one, MEASURED, NOW + now_s * SECOND)
    at = NOW
    for report in reports:
        for reading in report.readings:
            assert reading.starts_at == at
            assert reading.duration > ZERO
            at += reading.duration
        assert report.wanted.reported_until == at
    end_s = now_s // back_s * back_s
    if duration_s is not None and now_s >= duration_s:
        end_s = duration_s
    assert at == NOW + end_s * SECOND
    assert bool(reports and reports[-1].finished) == (duration_s is not None and now_s >= duration_s)


MEASURED = measured(30)


def test_what_the_fleet_could_be_asked_for_is_told_as_it_was_looked_at() -> None:
    log = OfferedLog()
    assert log.at(NOW) == {}
    log.add(NOW, {"available": 5e6})
    log.add(NOW + 60 * SECOND, {"available": 4e6})
    seen = [log.at(NOW + seconds * SECOND).get("available") for seconds in (-1, 1, 61)]
    assert seen == [None, 5e6, 4e6]
    assert log.at(NOW + 600 * SECOND) == {}, "nobody looked for ten minutes"


def test_the_setpoint_is_the_mean_of_what_was_held() -> None:
    log = SetpointLog()
    start_s = int(NOW.timestamp())
    assert log.mean_w(start_s, start_s + 10) is None
    log.add(NOW, 100.0)
    log.add(NOW + 5 * SECOND, 100.0)
    log.add(NOW + 6 * SECOND, 200.0)
    log.add(NOW + 8 * SECOND, None)
    assert log.mean_w(start_s, start_s + 10) == pytest.approx((6 * 100.0 + 2 * 200.0) / 8)
    assert log.mean_w(start_s + 8, start_s + 10) is None


@pytest.mark.parametrize(("seen", "told"), [({"available": 7e6}, (7e6, Quality.GOOD)), ({}, (0.0, Quality.BAD))])
def test_a_report_of_it_says_whether_anybody_looked(seen: dict[str, float], told: tuple[float, Quality]) -> None:
    metered = Metered(power_w=1.0, baseline_w=2.0, quality=Quality.GOOD, seen=seen)
    request = wanted(r_ids=("available", "power", "setpoint")).request
    available, power, setpoint = readings_of(request, NOW, SECOND, metered)
    assert (available.value, available.quality) == told
    assert (power.value, power.quality) == (1.0, Quality.GOOD)
    assert setpoint.quality is Quality.MISSING, "the fleet is free"
    held = readings_of(request, NOW, SECOND, replace(metered, setpoint_w=5.0))[2]
    assert (held.value, held.quality) == (5.0, Quality.GOOD)
