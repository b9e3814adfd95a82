"""The meters of devices that a utility knows one by one: means over what was asked, and how each stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.report import Quality, ReportRequest
from openadr_ven.application.device_metering import DEVICES, KEPT, READINGS_MAX, DeviceMeters, DeviceNow
from openadr_ven.application.observation import Observation
from openadr_ven.domain.held import WantedReport
from openadr_ven.fleet.columns import DeviceClass
from openadr_ven.gateways.contract import TelemetryFlag, TelemetryFrame, telemetry_rows
from tests.ven.fleet.small import small_fleet

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
FLEET = small_fleet()
BATTERY = int(np.flatnonzero(FLEET.device_class == DeviceClass.BATTERY)[0])
SOLAR = int(np.flatnonzero(FLEET.device_class == DeviceClass.SOLAR_INVERTER)[0])
ALARM = 1 << 9


class Town:
    """A battery and an inverter that are one device, and another battery."""

    def __init__(self) -> None:
        self.now = NOW
        self.seen = Observation(FLEET, baseline_s=10, started_s=NOW.timestamp())
        rows = {"home": np.array([BATTERY, SOLAR]), "other": np.array([BATTERY + 4])}
        self.meters = DeviceMeters(seen=self.seen, devices=rows)

    def second(self, count: int = 1, *, rows: tuple[int, ...] = (BATTERY, SOLAR), **said: int) -> None:
        flags = int(TelemetryFlag.ONLINE) | said.get("flags", 0)
        for _ in range(count):
            for row in rows:
                frame = TelemetryFrame(
                    gateway=FLEET.gateway_names[FLEET.gateway[row]], telemetry_sequence=1, measured_at=self.now,
                    command_sequence=0,
                    rows=telemetry_rows([FLEET.slot[row]], [said.get("watts", 100)], [0.5], [np.nan], [flags]),
                )  # fmt: skip
                assert not self.seen.receive(frame, now=self.now)
            self.meters.look(self.now)
            self.now += SECOND


def a_wish(starts_at: datetime = NOW) -> WantedReport:
    request = ReportRequest(
        id="devices-60", specifier_id=DEVICES, r_ids=(), granularity=MINUTE, report_back=MINUTE, starts_at=starts_at,
        duration=None,
    )  # fmt: skip
    return WantedReport(request=request, reported_until=starts_at)


def test_a_reading_is_the_mean_of_all_that_a_device_is() -> None:
    town = Town()
    town.second(30, watts=100)
    town.second(29, watts=300)
    assert list(town.meters.due(a_wish(), now=town.now)) == []
    town.second(1, watts=300)
    (made,) = town.meters.due(a_wish(), now=town.now)
    (reading,) = made.readings
    assert (reading.r_id, reading.quality) == ("home", Quality.GOOD)
    assert reading.value == pytest.approx(400.0)
    assert (reading.starts_at, reading.duration, made.wanted.reported_until) == (NOW, MINUTE, town.now)


def test_what_was_heard_in_part_is_estimated_and_what_was_not_heard_has_no_reading() -> None:
    town = Town()
    town.second(60, rows=(BATTERY,))
    town.second(120, rows=())
    first, _, last = town.meters.due(a_wish(), now=town.now)
    assert [(one.r_id, one.quality) for one in first.readings] == [("home", Quality.ESTIMATED)]
    assert last.readings == ()


def test_it_reaches_no_further_back_than_is_kept_and_many_devices_are_several_reports() -> None:
    town = Town()
    many = {f"d{number}": np.array([BATTERY]) for number in range(READINGS_MAX + 1)}
    town.meters = DeviceMeters(seen=town.seen, devices=many)
    town.second(60)
    longer_ago = a_wish(NOW - timedelta(days=1))
    reached = list(town.meters.due(longer_ago, now=town.now))[-1].wanted.reported_until
    assert town.now - MINUTE < reached <= town.now
    assert len([one for one in town.meters.due(longer_ago, now=town.now) if one.readings]) <= KEPT // MINUTE
    parts = list(town.meters.due(a_wish(), now=town.now))
    assert [len(one.readings) for one in parts] == [READINGS_MAX, 1]
    assert [one.wanted.reported_until for one in parts] == [NOW, town.now]


def test_how_a_device_stands() -> None:
    town = Town()
    assert town.meters.now("home", town.now) == DeviceNow(online=False)
    town.second(1, flags=int(TelemetryFlag.OVERRIDE) | ALARM << 5)
    found = town.meters.now("home", town.now)
    assert (found.online, found.overridden, found.alarms, found.available_w) == (True, True, ALARM, 0.0)
    town.second(1)
    found = town.meters.now("home", town.now)
    assert (found.overridden, found.alarms) == (False, 0)
    assert found.charge == pytest.approx(0.5)
    assert found.available_w is not None
    # For a quarter of an hour it gives what it is rated for, and draws nothing.
    assert found.available_w > float(FLEET.export_max_w[BATTERY])
    assert replace(found, charge=None, available_w=None) == DeviceNow(online=True)
