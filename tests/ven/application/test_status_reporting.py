"""How the fleet's resources stand: what is said of them, when, and what if nothing is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.report import Control, Quality, ReportRequest, ResourceStatus
from openadr_ven.application.report_offers import STATUS, STATUS_PERIOD, resources_of
from openadr_ven.application.reporting import DueReport
from openadr_ven.application.status_reporting import PLACEHOLDER, Resources, StatusLog, due_statuses
from openadr_ven.domain.held import StatusSample, WantedReport
from openadr_ven.fleet.columns import DeviceClass, FleetState
from tests.ven.application.world import a_fleet

SECOND = timedelta(seconds=1)
ZERO = timedelta(0)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
FLEET = a_fleet(60)
RESOURCES = Resources(fleet=FLEET, names=resources_of(FLEET, "fleet"))
BATTERIES = FLEET.device_class == DeviceClass.BATTERY
ALL = np.ones(FLEET.size, dtype=np.bool_)


def state(*, power_w: float = 0.0) -> FleetState:
    return replace(FleetState.unheard(FLEET.size), power_w=np.full(FLEET.size, power_w))


def stands(online: bool = True, override: bool = False, capacity: float = 0.5) -> ResourceStatus:
    controls = dict(PLACEHOLDER.controls)
    controls[Control.CAPACITY] = replace(controls[Control.CAPACITY], current=capacity)
    return ResourceStatus(online=online, manual_override=override, controls=controls)


def log_of(*statuses: ResourceStatus) -> StatusLog:
    """A sample each period, from now on."""
    return StatusLog(
        StatusSample(at=NOW + number * STATUS_PERIOD, statuses={"fleet": one}) for number, one in enumerate(statuses)
    )


def wanted(**changes: object) -> WantedReport:
    request = ReportRequest(
        id="r", specifier_id=STATUS, r_ids=("fleet",), granularity=STATUS_PERIOD, report_back=3 * STATUS_PERIOD,
        starts_at=NOW, duration=None,
    )  # fmt: skip
    return WantedReport(request=replace(request, **changes), reported_until=NOW)  # type: ignore[arg-type]


def due(one: WantedReport, log: StatusLog, periods: float) -> list[DueReport]:
    return list(due_statuses(one, log, now=NOW + periods * STATUS_PERIOD))


def test_resources_are_the_fleet_and_its_classes() -> None:
    assert RESOURCES.names[0] == "fleet"
    assert "fleet-battery" in RESOURCES.names
    assert len(RESOURCES.names) == 1 + np.unique(FLEET.device_class).size


@pytest.mark.openadr20b("R510", "R331")
def test_online_is_heard_and_override_is_everybodys() -> None:
    half = ALL.copy()
    half[::2] = False
    taken_back = replace(state(), override=BATTERIES)
    found = RESOURCES.statuses(taken_back, half, np.zeros(FLEET.size))
    assert {(one.online, one.manual_override) for name, one in found.items() if name != "fleet-battery"} == {
        (True, False)
    }
    assert (found["fleet-battery"].online, found["fleet-battery"].manual_override) == (True, True)
    silent = RESOURCES.statuses(taken_back, ~ALL, np.zeros(FLEET.size))
    assert {(one.online, one.manual_override) for one in silent.values()} == {(False, False)}


@pytest.mark.openadr20b("R331", "R334")
def test_controls_tell_how_much_of_its_rating_a_resource_takes() -> None:
    found = RESOURCES.statuses(state(power_w=100.0), ALL, np.full(FLEET.size, 200.0))
    capacity, offset = (found["fleet-battery"].controls[kind] for kind in (Control.CAPACITY, Control.PERCENT_OFFSET))
    import_w, export_w = FLEET.import_max_w[BATTERIES].sum(), FLEET.export_max_w[BATTERIES].sum()
    rating_w = max(import_w, export_w)
    assert capacity.current == pytest.approx(100.0 * BATTERIES.sum() / rating_w)
    assert capacity.normal == pytest.approx(2 * capacity.current)
    assert capacity.minimum == pytest.approx(-export_w / rating_w)
    assert capacity.maximum == pytest.approx(import_w / rating_w)
    assert offset.current == pytest.approx(-50.0)
    assert offset.normal == 0.0
    assert {tuple(one.controls) for one in found.values()} == {tuple(PLACEHOLDER.controls)}


@pytest.mark.openadr20b("R324", "R334", "R-12", "R-21")
def test_periodic_status_is_what_was_seen_last_at_each_moment() -> None:
    log = log_of(stands(), stands(online=False), stands(override=True), stands())
    assert due(wanted(), log, 2.9) == []
    (report,) = due(wanted(), log, 3)
    assert [one.at for one in report.statuses] == [NOW + number * STATUS_PERIOD for number in range(3)]
    assert [(one.status.online, one.status.manual_override) for one in report.statuses] == [
        (True, False), (False, False), (True, True),
    ]  # fmt: skip
    assert {one.quality for one in report.statuses} == {Quality.GOOD}
    assert not report.finished


@pytest.mark.openadr20b("R318", "R334", "R-20", "R-21")
def test_what_nobody_saw_is_a_placeholder_of_the_same_shape() -> None:
    (report,) = due(wanted(r_ids=("fleet", "fleet-battery")), log_of(stands()), 3)
    fleet, battery = report.statuses[:2]
    assert (fleet.quality, battery.quality, battery.cause) == (Quality.GOOD, Quality.BAD, "Not Connected")
    assert set(battery.status.controls) == set(fleet.status.controls)
    assert report.statuses[-2].quality is Quality.BAD  # the last that was seen is too long ago by then


@pytest.mark.openadr20b("R317", "R-14")
def test_on_change_tells_each_change_and_that_there_was_none() -> None:
    log = log_of(stands(), stands(capacity=0.5001), stands(online=False), *[stands(online=False)] * 4)
    first, second = due(wanted(granularity=ZERO), log, 6)
    assert [(one.at, one.status.online) for one in first.statuses] == [
        (NOW, True), (NOW + 2 * STATUS_PERIOD, False),
    ]  # fmt: skip
    (unchanged,) = second.statuses
    assert (unchanged.at, unchanged.status.online, unchanged.quality) == (
        NOW + 3 * STATUS_PERIOD, False, Quality.UNCHANGED,
    )  # fmt: skip


@pytest.mark.openadr20b("R324", "R337", "R-11")
def test_one_shot_is_how_it_stands() -> None:
    (report,) = due(wanted(granularity=ZERO, report_back=ZERO), log_of(stands(), stands(online=False)), 1.05)
    (status,) = report.statuses
    assert (status.at, status.status.online, report.finished) == (NOW + STATUS_PERIOD, False, True)


@pytest.mark.openadr20b("R325", "R345", "R-12", "R-25")
def test_it_ends_with_its_duration_or_one_after_a_cancel() -> None:
    log = log_of(*[stands()] * 20)
    assert [one.finished for one in due(wanted(duration=4 * STATUS_PERIOD), log, 19)] == [False, True]
    assert [one.finished for one in due(replace(wanted(), last_one=True), log, 19)] == [True]


@pytest.mark.openadr20b("R510")
def test_an_hour_is_kept_which_is_more_than_a_hundred_points() -> None:
    log = StatusLog()
    for number in range(1_000):
        at = NOW + number * STATUS_PERIOD
        assert log.is_due(at)
        assert not log.is_due(at - SECOND) or number == 0
        log.add(StatusSample(at=at, statuses={}))
    assert len(log.between(NOW, NOW + timedelta(days=1))) == 360
