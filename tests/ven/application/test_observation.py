"""Telemetry lands in the second in which it was measured, whenever it is heard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.report import Quality
from openadr_ven.application.observation import Observation
from openadr_ven.application.reporting import Meter
from openadr_ven.fleet.columns import DeviceClass, Fleet, gateways
from openadr_ven.gateways.contract import TelemetryFlag, TelemetryFrame, telemetry_rows
from tests.ven.application.world import a_fleet

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
BASELINE_S = 10


@pytest.fixture
def fleet() -> Fleet:
    return a_fleet(80)


@pytest.fixture
def seen(fleet: Fleet) -> Observation:
    return Observation(fleet, baseline_s=BASELINE_S, started_s=NOW.timestamp())


def a_frame(
    fleet: Fleet,
    gateway: str,
    at: datetime,
    power_w: float,
    *,
    slots: int | None = None,
    flags: int = TelemetryFlag.ONLINE,
    sequence: int = 0,
) -> TelemetryFrame:
    behind = gateways(fleet).rows(fleet.gateway_names.index(gateway)).size
    slot = np.arange(behind if slots is None else slots)
    full = np.full(slot.size, power_w)
    return TelemetryFrame(
        gateway=gateway, telemetry_sequence=1, measured_at=at, command_sequence=sequence,
        rows=telemetry_rows(slot, full, full * 0 + 0.5, full * np.nan, np.full(slot.size, flags)),
    )  # fmt: skip


def hear(seen: Observation, fleet: Fleet, at: datetime, power_w: float, *, now: datetime | None = None) -> None:
    for name, behind in zip(fleet.gateway_names, np.bincount(fleet.gateway), strict=False):
        if behind:
            seen.receive(a_frame(fleet, name, at, power_w), now=now or at)


def nothing(fleet: Fleet) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.zeros(len(fleet.gateway_names))


def test_a_row_is_what_its_newest_sample_says(seen: Observation, fleet: Fleet) -> None:
    name = fleet.gateway_names[0]
    rows = gateways(fleet).rows(0)
    seen.receive(a_frame(fleet, name, NOW, 5.0, sequence=7), now=NOW)
    seen.receive(a_frame(fleet, name, NOW - SECOND, 9.0, sequence=6), now=NOW + SECOND)  # late, and older
    assert (seen.state.power_w[rows] == 5.0).all()
    assert (seen.sequence[rows] == 7).all()
    assert (seen.state.soc[rows] == 0.5).all()


def test_a_sample_that_comes_late_still_counts_for_its_second(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 5.0)
    hear(seen, fleet, NOW - 3 * SECOND, 9.0, now=NOW + SECOND)
    past = int(NOW.timestamp())
    power_w, share = seen.fleet_power_w(past - 3, silent_w=nothing(fleet))
    assert power_w == pytest.approx(9.0 * fleet.size)
    assert share == 1.0
    # The second after it was not measured: the fleet went on as before, as far as anybody knows.
    assert seen.fleet_power_w(past - 2, silent_w=nothing(fleet)) == (power_w, 0.0)
    assert seen.fleet_power_w(past - 4, silent_w=nothing(fleet)) == (0.0, 0.0)


def test_strangers_are_not_taken_in(seen: Observation, fleet: Fleet) -> None:
    alien = a_frame(fleet, fleet.gateway_names[0], NOW, 1.0)
    assert seen.receive(alien, now=NOW) == ""
    assert seen.receive(replace(alien, gateway="nobody"), now=NOW) == "no gateway of ours"
    fault = seen.receive(a_frame(fleet, fleet.gateway_names[0], NOW, 1.0, slots=500), now=NOW)
    assert fault == "slots of no device of ours"


def test_a_clock_ahead_wipes_nobodys_past(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 1.0)
    ahead = a_frame(fleet, fleet.gateway_names[0], NOW + 47 * SECOND, 1.0)
    assert seen.receive(ahead, now=NOW) == "measured in the future"
    assert seen.has_measured_before(NOW + SECOND)


def test_a_meter_beyond_its_device_is_not_believed(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 1.0)
    before_w = seen.state.power_w.copy()
    wild = a_frame(fleet, fleet.gateway_names[0], NOW + SECOND, 5e6)
    assert seen.receive(wild, now=NOW + SECOND) == "implausible power"
    assert np.array_equal(seen.state.power_w, before_w)


def test_only_a_vehicle_can_be_unplugged(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 1.0)
    vehicle = np.isin(fleet.device_class, (DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER))
    assert not seen.state.plugged[vehicle].any()
    assert seen.state.plugged[~vehicle].all()
    seen.receive(a_frame(fleet, fleet.gateway_names[0], NOW + SECOND, 1.0, flags=int(TelemetryFlag.PLUGGED)), now=NOW)
    assert seen.state.plugged[gateways(fleet).rows(0)].all()


def test_a_silent_row_is_no_longer_live(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 1.0)
    assert seen.live(NOW + 2 * SECOND).all()
    assert not seen.live(NOW + 4 * SECOND).any()
    # Old samples that come all at once, from a broker that kept them, make nothing live.
    hear(seen, fleet, NOW + SECOND, 1.0, now=NOW + 60 * SECOND)
    assert not seen.live(NOW + 60 * SECOND).any()


def test_a_baseline_is_the_mean_of_the_window_before(seen: Observation, fleet: Fleet) -> None:
    for second in range(30):
        hear(seen, fleet, NOW + second * SECOND, float(second))
    baseline_w = seen.meter_before(NOW + 20 * SECOND)
    assert baseline_w == pytest.approx(np.full(fleet.size, np.mean(range(11, 21))))


@pytest.mark.parametrize(
    ("heard", "quality"), [(range(5), Quality.GOOD), (range(1), Quality.ESTIMATED), ((), Quality.BAD)]
)
def test_an_interval_says_how_well_it_is_known(seen: Observation, fleet: Fleet, heard: range, quality: Quality) -> None:
    for second in heard:
        hear(seen, fleet, NOW + second * SECOND, 2.0)
    silent_w = seen.by_gateway(np.full(fleet.size, 1.0))
    measured = Meter(seen=seen, spans=(), silent_w=silent_w, started_at=NOW).over(NOW, NOW + 5 * SECOND)
    assert measured.quality is quality
    # Three seconds of silence are taken for more of the same.
    known = min(len(heard) + 3, 5) if heard else 0
    assert measured.power_w == pytest.approx(fleet.size * (2.0 * known + 1.0 * (5 - known)) / 5)


def test_what_was_stored_comes_back_and_only_once(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 3.0)
    hear(seen, fleet, NOW + SECOND, 4.0)
    stored = seen.unsaved()
    assert [one.at for one in stored] == [NOW, NOW + SECOND]
    assert seen.unsaved() == stored  # until it is said that they are safe
    seen.saved(stored)
    assert seen.unsaved() == []
    again = Observation(fleet, baseline_s=BASELINE_S, started_s=NOW.timestamp())
    again.restore(stored)
    second = int(NOW.timestamp())
    assert again.fleet_power_w(second, silent_w=nothing(fleet)) == seen.fleet_power_w(second, silent_w=nothing(fleet))
    smaller = Observation(a_fleet(200), baseline_s=BASELINE_S, started_s=NOW.timestamp())
    smaller.restore(stored)  # another fleet's: of no use
    assert smaller.fleet_power_w(second, silent_w=nothing(a_fleet(200)))[1] == 0.0


def test_who_is_heard_is_waited_for_and_who_is_silent_is_not(seen: Observation, fleet: Fleet) -> None:
    assert not seen.has_heard_all()
    assert not seen.has_caught_up(NOW, now=NOW)  # nobody is there to wait for, or to believe
    hear(seen, fleet, NOW, 1.0)
    assert seen.has_heard_all()
    assert seen.has_caught_up(NOW, now=NOW)
    later = NOW + 10 * SECOND
    seen.receive(a_frame(fleet, fleet.gateway_names[0], later, 1.0), now=later)
    assert seen.has_caught_up(later, now=later)  # the other has been silent too long
    seen.receive(a_frame(fleet, fleet.gateway_names[1], NOW + SECOND, 1.0), now=later)
    assert not seen.has_caught_up(later, now=later)  # it is back, and brings what it has measured meanwhile


def test_a_skipped_second_goes_on_as_before_and_silence_does_not(seen: Observation, fleet: Fleet) -> None:
    hear(seen, fleet, NOW, 3.0)
    second = int(NOW.timestamp())
    measured_w, _ = seen.fleet_power_w(second, silent_w=nothing(fleet))
    assert measured_w == pytest.approx(3.0 * fleet.size)
    assert seen.fleet_power_w(second + 1, silent_w=nothing(fleet)) == (measured_w, 0.0)
    assert seen.fleet_power_w(second + 4, silent_w=nothing(fleet)) == (0.0, 0.0)
