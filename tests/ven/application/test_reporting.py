"""Which reports are due, when, and what is in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.report import Quality, ReportRequest
from openadr_ven.application.observation import Observation
from openadr_ven.application.reporting import PATIENCE, START_UP, BaselineSpan, DueReport, due_reports
from openadr_ven.domain.held import WantedReport
from tests.ven.application.test_observation import a_frame, hear
from tests.ven.application.world import a_fleet

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
FLEET = a_fleet(79)


def wanted(**changes: object) -> WantedReport:
    request = ReportRequest(
        id="r", specifier_id="fleet_usage", r_ids=("power", "baseline"), granularity=SECOND, report_back=5 * SECOND,
        starts_at=NOW, duration=None,
    )  # fmt: skip
    return WantedReport(request=replace(request, **changes), reported_until=NOW)  # type: ignore[arg-type]


def measured(seconds: int, *, watts: float = 2.0) -> Observation:
    """A second before the start is heard of too, as in life."""
    seen = Observation(FLEET, baseline_s=10, started_s=NOW.timestamp())
    for second in range(-1, seconds):
        hear(seen, FLEET, NOW + second * SECOND, watts)
    return seen


def due(
    one: WantedReport, seen: Observation, now: datetime, *, spans: list[BaselineSpan] | None = None
) -> list[DueReport]:
    silent_w = np.zeros(len(FLEET.gateway_names))
    started_at = NOW - timedelta(minutes=1)
    return list(due_reports(one, seen, spans=spans or [], silent_w=silent_w, started_at=started_at, now=now))


@pytest.mark.openadr20b("R317", "R324", "R-12", "R-13")
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


@pytest.mark.openadr20b("R318", "R-20")
def test_what_a_broker_may_still_bring_is_waited_for_but_not_for_ever() -> None:
    seen = measured(4)  # and then nothing from anybody
    assert due(wanted(), seen, NOW + 5 * SECOND + PATIENCE - SECOND) == []
    (report, *_) = due(wanted(), seen, NOW + 5 * SECOND + PATIENCE)
    assert report.readings[-1].quality is Quality.BAD


def test_after_a_start_every_gateway_is_waited_for() -> None:
    started_at = NOW + 60 * SECOND
    seen = Observation(FLEET, baseline_s=10, started_s=0.0)

    def due_at(now: datetime) -> int:
        silent_w = np.zeros(len(FLEET.gateway_names))
        return len(list(due_reports(wanted(), seen, spans=[], silent_w=silent_w, started_at=started_at, now=now)))

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


@pytest.mark.parametrize("granularity", [timedelta(0), 5 * SECOND])
def test_one_value_a_report_is_its_mean(granularity: timedelta) -> None:
    (report,) = due(wanted(granularity=granularity, r_ids=("power",)), measured(6), NOW + 5 * SECOND)
    (reading,) = report.readings
    assert reading.duration == 5 * SECOND
    assert reading.value == pytest.approx(2.0 * FLEET.size)


@pytest.mark.openadr20b("R325", "R-12")
def test_a_duration_ends_it() -> None:
    reports = due(wanted(duration=10 * SECOND), measured(30), NOW + 30 * SECOND)
    assert [one.finished for one in reports] == [False, True]


@pytest.mark.openadr20b("R324", "R-11")
def test_one_shot_is_one_report() -> None:
    reports = due(wanted(report_back=timedelta(0)), measured(30), NOW + 30 * SECOND)
    assert [one.finished for one in reports] == [True]


@pytest.mark.openadr20b("R345", "R-25")
def test_one_more_after_a_cancel_is_one_more() -> None:
    reports = due(replace(wanted(), last_one=True), measured(30), NOW + 30 * SECOND)
    assert [one.finished for one in reports] == [True]


def test_what_nobody_kept_is_not_reported() -> None:
    long_ago = replace(wanted(), reported_until=NOW - timedelta(days=1))
    reports = due(long_ago, measured(3), NOW)
    assert reports[0].readings[0].starts_at >= NOW - timedelta(hours=1)
