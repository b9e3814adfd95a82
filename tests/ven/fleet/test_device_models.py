"""What devices do: physics keeps its own limits, whatever it is told, and headroom promises no more than it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_ven.dispatch.plan import plan_round
from openadr_ven.fleet import thermostat, water_heater
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mode
from openadr_ven.fleet.headroom import headroom, reachable
from openadr_ven.fleet.model import SOC_DRIFT, Outlook, Tick
from openadr_ven.fleet.physics import released, step
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C, evening, fleet_of, only_class

BATTERY, TWO_WAY, ONE_WAY = DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER
SIZE = 60


def lived(
    fleet: Fleet,
    state: FleetState,
    *,
    mode: int,
    setpoint_w: Floats | float = 0.0,
    hours: float,
    dt_s: float = 60.0,
    seed: int = 2,
) -> list[FleetState]:
    """The fleet's states over some hours under one order."""
    rng = np.random.default_rng(seed)
    modes = np.full(fleet.size, mode, dtype=np.uint8)
    setpoints_w = np.broadcast_to(np.asarray(setpoint_w, dtype=np.float64), fleet.size)
    states = [state]
    for number in range(round(hours * 3600 / dt_s)):
        now_s = EVENING_S + 60 + (number + 1) * dt_s
        tick = Tick(now_s=now_s, dt_s=dt_s, outdoor_c=OUTDOOR_C, sunlight=0.4, rng=rng)
        states.append(step(fleet, states[-1], mode=modes, setpoint_w=setpoints_w, tick=tick))
    return states


def everybody(fleet: Fleet) -> tuple[FleetState, Floats]:
    state, _ = evening(fleet)
    state = replace(state, plugged=np.ones(fleet.size, dtype=np.bool_))
    after = lived(fleet, state, mode=Mode.RELEASE, hours=1 / 60, dt_s=60.0)[-1]
    return after, after.power_w


class TestBattery:
    @settings(max_examples=40)
    @given(
        setpoints_w=st.lists(st.floats(-20e3, 20e3), min_size=1, max_size=12),
        dt_s=st.sampled_from([1.0, 60.0, 900.0]),
        seed=st.integers(0, 100),
    )
    def test_it_never_goes_below_its_reserve_nor_beyond_full(
        self, setpoints_w: list[float], dt_s: float, seed: int
    ) -> None:
        fleet = only_class(SIZE, BATTERY, seed=seed)
        state, _ = evening(fleet, seed=seed)
        for setpoint_w in setpoints_w:
            state = lived(fleet, state, mode=Mode.SETPOINT, setpoint_w=setpoint_w, hours=5 * dt_s / 3600, dt_s=dt_s)[-1]
            assert (state.soc >= fleet.reserve - 1e-9).all()
            assert (state.soc <= 1.0 + 1e-9).all()
            assert (state.power_w <= fleet.import_max_w + 1e-9).all()
            assert (-state.power_w <= fleet.export_max_w + 1e-9).all()

    def test_a_round_trip_costs_both_efficiencies(self) -> None:
        fleet = only_class(SIZE, BATTERY)
        state, _ = evening(fleet)
        state = replace(state, soc=np.full(SIZE, 0.6))
        after = lived(fleet, state, mode=Mode.SETPOINT, setpoint_w=-1_000.0, hours=1)[-1]
        fed_wh = (0.6 - after.soc) * fleet.energy_wh * fleet.discharge_efficiency
        assert fed_wh == pytest.approx(np.full(SIZE, 1_000.0))
        back = lived(fleet, after, mode=Mode.SETPOINT, setpoint_w=1_000.0, hours=1)[-1]
        assert back.soc - after.soc == pytest.approx(1_000.0 * fleet.charge_efficiency / fleet.energy_wh)

    def test_it_rests_when_it_is_let_go(self) -> None:
        fleet = only_class(SIZE, BATTERY)
        state, _ = evening(fleet)
        assert (lived(fleet, state, mode=Mode.RELEASE, hours=0.1)[-1].power_w == 0.0).all()

    def test_a_promise_is_kept_for_its_whole_horizon_above_the_floor(self) -> None:
        fleet = only_class(SIZE, BATTERY)
        state, baseline_w = evening(fleet)
        state = replace(state, soc=np.linspace(0.2, 1.0, SIZE))
        found = headroom(fleet, state, baseline_w, Outlook(now_s=EVENING_S, horizon_s=7_200.0, soc_floor=0.3))
        last = lived(fleet, state, mode=Mode.SETPOINT, setpoint_w=baseline_w - found.relief_w, hours=2)
        assert baseline_w - last[-1].power_w == pytest.approx(found.relief_w, abs=1.0)
        drained = found.relief_w > 0.0
        assert (last[-1].soc[drained] >= 0.3 + SOC_DRIFT - 1e-9).all()
        assert not drained[state.soc < 0.35].any()

    def test_what_it_feeds_already_counts_against_its_rating(self) -> None:
        fleet = only_class(SIZE, BATTERY)
        state, _ = evening(fleet)
        outlook = Outlook(now_s=EVENING_S, horizon_s=60.0)
        found = headroom(fleet, state, np.full(SIZE, -2_000.0), outlook)
        assert found.relief_w == pytest.approx(fleet.export_max_w - 2_000.0)


class TestVehicles:
    @pytest.mark.parametrize("device_class", [TWO_WAY, ONE_WAY])
    @pytest.mark.parametrize(("mode", "setpoint_w"), [(Mode.SHED, 0.0), (Mode.SETPOINT, -7_200.0), (Mode.RELEASE, 0.0)])
    def test_they_are_ready_at_departure_whatever_they_are_told(
        self, device_class: DeviceClass, mode: Mode, setpoint_w: float
    ) -> None:
        fleet = only_class(SIZE, device_class)
        state, _ = everybody(fleet)
        ready = lived(fleet, state, mode=mode, setpoint_w=setpoint_w, hours=12.45)[-1]
        assert (ready.soc >= fleet.target_soc - 0.01).all()

    def test_discharge_stops_at_the_reserve(self) -> None:
        fleet = only_class(SIZE, TWO_WAY)
        state, _ = everybody(fleet)
        states = lived(fleet, state, mode=Mode.SETPOINT, setpoint_w=-7_200.0, hours=8)
        assert min((one.soc - fleet.reserve).min() for one in states) >= -1e-9

    def test_only_what_can_be_made_good_is_offered(self) -> None:
        fleet = only_class(SIZE, TWO_WAY)
        state, baseline_w = everybody(fleet)
        leaving = replace(fleet, departure_s=np.full(SIZE, (EVENING_S + 3_600.0) % 86_400.0))
        full = replace(state, soc=leaving.target_soc)
        outlook = Outlook(now_s=EVENING_S, horizon_s=1_800.0)
        found = headroom(leaving, full, np.zeros(SIZE), outlook)
        recharged_w = leaving.import_max_w * leaving.charge_efficiency * leaving.discharge_efficiency
        assert found.relief_w == pytest.approx(np.minimum(recharged_w, leaving.export_max_w))
        hungry = replace(state, soc=np.full(SIZE, 0.4))
        assert (headroom(leaving, hungry, baseline_w, outlook).relief_w == 0.0).all()

    def test_charging_that_can_wait_is_relief(self) -> None:
        fleet = only_class(SIZE, ONE_WAY)
        state, baseline_w = everybody(fleet)
        found = headroom(fleet, state, baseline_w, Outlook(now_s=EVENING_S, horizon_s=7_200.0))
        assert (found.relief_w == baseline_w).all()
        assert (baseline_w > 0.0).any()
        shed = lived(fleet, state, mode=Mode.SHED, hours=2)[-1]
        assert (shed.power_w == 0.0).all()

    def test_away_they_do_nothing(self) -> None:
        fleet = fleet_of(SIZE, mix=(0.0, 0.5, 0.5, 0.0, 0.0, 0.0))
        state, _ = evening(fleet)
        away = replace(state, plugged=np.zeros(SIZE, dtype=np.bool_))
        assert (lived(fleet, away, mode=Mode.RELEASE, hours=0.1)[-1].power_w == 0.0).all()
        assert not reachable(away, EVENING_S + 60).any()


class TestThermostat:
    def test_comfort_holds_through_a_long_event(self) -> None:
        fleet = only_class(SIZE, DeviceClass.THERMOSTAT)
        state, _ = evening(fleet, minutes=30)
        states = lived(fleet, state, mode=Mode.SHED, hours=6, dt_s=20.0)
        warmest_c = np.max([one.temperature_c for one in states], axis=0)
        assert (warmest_c <= fleet.setpoint_c + fleet.comfort_c + fleet.deadband_c).all()

    def test_the_closed_form_agrees_with_the_simulation(self) -> None:
        """When the compressor first runs again: when the house passes its warmest by half a deadband."""
        fleet = only_class(SIZE, DeviceClass.THERMOSTAT)
        state, _ = evening(fleet, minutes=30)
        rows = np.arange(SIZE)
        raised = replace(fleet, comfort_c=fleet.comfort_c + fleet.deadband_c / 2.0)
        expected_s = thermostat.off_for_s(raised, state, rows, OUTDOOR_C)
        states = lived(fleet, state, mode=Mode.SHED, hours=3, dt_s=5.0)[1:]
        running = np.array([one.power_w > 0.0 for one in states])
        first_s = (running.argmax(axis=0) + 1) * 5.0
        came = running.any(axis=0)
        assert came.sum() > SIZE / 2
        assert first_s[came] == pytest.approx(expected_s[came], abs=10.0)

    def test_after_that_the_warmer_house_still_needs_less(self) -> None:
        fleet = only_class(200, DeviceClass.THERMOSTAT)
        state, _ = evening(fleet, minutes=30)
        before_w = np.mean([s.power_w.sum() for s in lived(fleet, state, mode=Mode.RELEASE, hours=11, dt_s=30.0)])
        states = lived(fleet, state, mode=Mode.SHED, hours=14, dt_s=30.0)
        late_w = np.mean([s.power_w.sum() for s in states[-11 * 120 :]])
        saved_w = (fleet.comfort_c / (fleet.resistance_c_per_w * fleet.cop)).sum()
        assert before_w - late_w == pytest.approx(saved_w, rel=0.1)

    def test_the_natural_cycle_has_the_expected_duty(self) -> None:
        fleet = only_class(400, DeviceClass.THERMOSTAT)
        _, baseline_w = evening(fleet, minutes=30)
        expected_w = fleet.import_max_w * thermostat.duty(fleet, np.arange(400), OUTDOOR_C)
        assert baseline_w.sum() == pytest.approx(expected_w.sum(), rel=0.03)

    def test_a_house_that_never_warms_stays_off_for_ever(self) -> None:
        fleet = only_class(SIZE, DeviceClass.THERMOSTAT)
        state, _ = evening(fleet)
        assert np.isinf(thermostat.off_for_s(fleet, state, np.arange(SIZE), 20.0)).all()
        warm = replace(state, temperature_c=np.full(SIZE, 40.0))
        assert (thermostat.off_for_s(fleet, warm, np.arange(SIZE), OUTDOOR_C) == 0.0).all()


class TestWaterHeater:
    def test_the_tank_stays_warm_enough(self) -> None:
        fleet = only_class(SIZE, DeviceClass.WATER_HEATER)
        state, _ = evening(fleet, minutes=30)
        states = lived(fleet, state, mode=Mode.SHED, hours=12, dt_s=30.0)
        coolest_c = np.min([one.temperature_c for one in states], axis=0)
        assert (coolest_c >= fleet.setpoint_c - fleet.comfort_c - fleet.deadband_c).all()

    def test_how_long_it_lasts(self) -> None:
        fleet = only_class(SIZE, DeviceClass.WATER_HEATER)
        state, _ = evening(fleet, minutes=30)
        expected_s = water_heater.off_for_s(fleet, state, np.arange(SIZE))
        coolest_c = fleet.setpoint_c - fleet.comfort_c
        states = lived(fleet, state, mode=Mode.SHED, hours=8, dt_s=30.0)
        first_s = (np.array([one.temperature_c <= coolest_c for one in states]).argmax(axis=0)) * 30.0
        assert first_s == pytest.approx(expected_s, rel=0.1)


class TestSolar:
    def test_it_feeds_and_can_be_held_back(self) -> None:
        fleet = only_class(SIZE, DeviceClass.SOLAR_INVERTER)
        state, baseline_w = evening(fleet)
        free = lived(fleet, state, mode=Mode.RELEASE, hours=0.1)[-1]
        assert (free.power_w <= 0.0).all()
        assert free.power_w.sum() == pytest.approx(-0.4 * fleet.export_max_w.sum(), rel=0.01)
        held = lived(fleet, state, mode=Mode.SETPOINT, setpoint_w=-500.0, hours=0.1)[-1]
        assert held.power_w == pytest.approx(np.full(SIZE, -500.0))
        assert headroom(fleet, state, baseline_w, Outlook(now_s=EVENING_S, horizon_s=60.0)).relief_w.sum() == 0.0


def test_what_is_planned_for_continuous_devices_is_what_comes() -> None:
    fleet = fleet_of(300, mix=(0.8, 0.2, 0.0, 0.0, 0.0, 0.0))
    state, baseline_w = everybody(fleet)
    outlook = Outlook(now_s=EVENING_S + 120, horizon_s=3_600.0, soc_floor=0.2)
    plan = plan_round(fleet, state, baseline_w, 5e5, outlook=outlook)
    rng = np.random.default_rng(0)
    for second in range(1, 3_601, 60):
        tick = Tick(now_s=EVENING_S + 120 + second, dt_s=60.0, outdoor_c=OUTDOOR_C, rng=rng)
        state = step(fleet, state, mode=plan.mode, setpoint_w=plan.setpoint_w, tick=tick)
        commanded = plan.mode == Mode.SETPOINT
        assert (baseline_w - state.power_w)[commanded].sum() == pytest.approx(plan.planned_w, rel=1e-6)


def test_stepping_is_reproducible() -> None:
    fleet = fleet_of(200)
    one, other = evening(fleet), evening(fleet)
    assert np.array_equal(one[0].power_w, other[0].power_w)
    mode, setpoint_w = released(200)
    assert not mode.any()
    assert not setpoint_w.any()


@pytest.mark.parametrize("field", ["online", "plugged"])
def test_unreachable_devices(field: str) -> None:
    state, _ = evening(fleet_of(20))
    state = replace(state, plugged=np.ones(20, dtype=np.bool_))
    now_s = EVENING_S + 60
    assert reachable(state, now_s).all()
    silent = replace(state, heard_at_s=state.heard_at_s.copy())
    silent.heard_at_s[0] -= 3.1
    assert reachable(silent, now_s).tolist() == [False] + [True] * 19
    # When nobody is heard it is we who are deaf: that says nothing about the devices.
    assert reachable(state, now_s + 60.0).all()
    gone: dict[str, Any] = {field: np.zeros(20, dtype=np.bool_)}
    assert not reachable(replace(state, **gone), now_s).any()
    assert not reachable(replace(state, override=np.ones(20, dtype=np.bool_)), now_s).any()
