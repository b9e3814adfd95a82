"""The fleet's past: each step as it is over, the gaps too; and what of it is told to whoever asks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from openadr_core.model.report import Quality, ReportRequest
from openadr_ven.application.history_reporting import due_steps, history_readings, span_of, step_of
from openadr_ven.application.report_offers import HISTORY, HISTORY_STEP
from openadr_ven.application.reporting import PATIENCE, Meter
from openadr_ven.domain.held import HistoryStep
from tests.ven.application.test_reporting import FLEET, NOW, SECOND, ZERO, measured

DAY = timedelta(days=1)
REQUEST = ReportRequest(
    id="r", specifier_id=HISTORY, r_ids=("power", "energy", "baseline"), granularity=ZERO, report_back=ZERO,
    starts_at=NOW - DAY, duration=None, history=True,
)  # fmt: skip


def steps_until(seconds: int, *, kept: timedelta = DAY, heard: int = 700) -> list[HistoryStep]:
    seen = measured(min(seconds, heard))
    meter = Meter(seen=seen, spans=(), silent_w=seen.by_gateway(FLEET.import_max_w * 0), started_at=NOW)
    return list(due_steps(NOW, meter, kept=kept, now=NOW + seconds * SECOND))


@pytest.mark.openadr20b("R510")
def test_a_step_is_written_when_it_is_over() -> None:
    assert step_of(NOW + 299 * SECOND) == NOW
    assert steps_until(299) == []
    assert [one.starts_at for one in steps_until(601)] == [NOW, NOW + HISTORY_STEP]
    (step, *_) = steps_until(601)
    assert step.power_w == step.baseline_w == pytest.approx(2.0 * FLEET.size)
    assert step.quality is Quality.GOOD


def test_what_nobody_measured_is_a_step_that_says_so() -> None:
    found = steps_until(900 + int(PATIENCE.total_seconds()), heard=301)
    assert [one.quality for one in found] == [Quality.GOOD, Quality.ESTIMATED, Quality.BAD]


def test_no_step_is_written_that_would_be_dropped_at_once() -> None:
    found = steps_until(3 * 86_400, kept=timedelta(hours=1), heard=10)
    assert len(found) == 11  # the newest may be measured yet


@pytest.mark.openadr20b("R317", "R325", "R-15")
def test_history_is_all_since_its_start_or_the_stretch_that_is_asked_for() -> None:
    hour = timedelta(hours=1)
    assert span_of(REQUEST, kept=30 * DAY, now=NOW) == (NOW - DAY, NOW)
    assert span_of(REQUEST, kept=hour, now=NOW) == (NOW - hour, NOW)
    partial = replace(REQUEST, starts_at=NOW - hour, duration=hour / 2)
    assert span_of(partial, kept=DAY, now=NOW) == (NOW - hour, NOW - hour / 2)
    assert span_of(replace(partial, duration=DAY), kept=DAY, now=NOW) == (NOW - hour, NOW)


@pytest.mark.openadr20b("R318", "R342", "R-15", "R-20")
def test_each_step_has_a_reading_for_each_point_and_nothing_is_a_bad_one() -> None:
    step = HistoryStep(starts_at=NOW, power_w=1200.0, baseline_w=2400.0, quality=Quality.ESTIMATED)
    readings = history_readings(REQUEST, [step], NOW)
    assert [(one.r_id, one.value) for one in readings] == [("power", 1200.0), ("energy", 100.0), ("baseline", 2400.0)]
    assert {(one.starts_at, one.duration, one.quality) for one in readings} == {(NOW, HISTORY_STEP, Quality.ESTIMATED)}
    nothing = history_readings(REQUEST, [], NOW + SECOND)
    assert {(one.starts_at, one.quality) for one in nothing} == {(NOW + SECOND, Quality.BAD)}
