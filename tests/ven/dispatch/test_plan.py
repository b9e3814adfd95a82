"""A round: the target met as far as it can be, within every limit, and what is missing charged to its cause."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_ven.dispatch.book import offer_book
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Cause, plan_from, plan_round, relief_to_commands, transformer_loading
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mode, texts
from openadr_ven.fleet.model import Outlook
from tests.ven.fleet.synthetic import EVENING_S, MIX, evening, fleet_of, only_class

SIZE = 400
FLEET = fleet_of(SIZE)
STATE, BASELINE_W = evening(FLEET)
NOW_S = EVENING_S + 60
OUTLOOK = Outlook(now_s=NOW_S, horizon_s=900.0, soc_floor=0.2)
LEVELS = network(FLEET, BASELINE_W)


def available_w(fleet: Fleet, state: FleetState, baseline_w: Floats, levels: tuple[Level, ...] = ()) -> float:
    return offer_book(fleet, state, baseline_w, outlook=OUTLOOK, levels=levels).most_w


AVAILABLE_W = available_w(FLEET, STATE, BASELINE_W, LEVELS)


@settings(max_examples=60)
@given(
    fraction=st.floats(0.0, 1.3),
    uniform=st.floats(0.0, 0.999),
    policy=st.sampled_from(sorted(POLICIES)),
    seed=st.integers(0, 5),
)
def test_the_target_is_met_within_every_limit(fraction: float, uniform: float, policy: str, seed: int) -> None:
    fleet = fleet_of(SIZE, seed=seed)
    state, baseline_w = evening(FLEET) if seed == 0 else evening(fleet, seed=seed)
    levels = network(fleet, baseline_w)
    most_w = available_w(fleet, state, baseline_w, levels)
    plan = plan_round(
        fleet, state, baseline_w, fraction * most_w,
        outlook=OUTLOOK, levels=levels, policy=POLICIES[policy], uniform=uniform,
    )  # fmt: skip
    whole_w = 2.0 * fleet.import_max_w[fleet.discrete()].max()
    assert plan.available_w == pytest.approx(most_w)
    assert abs(plan.planned_w - min(fraction, 1.0) * most_w) <= (1e-6 * most_w if 0.1 < fraction < 0.8 else whole_w * 5)
    for level in levels:
        assert (np.add.reduceat(plan.relief_w, level.starts) <= level.limit_w * (1.0 + 1e-9) + 1e-6).all()
    if fraction > 0.0:
        asked_w = fraction * most_w
        assert plan.shortfall_w == pytest.approx(max(asked_w - plan.planned_w, 0.0), abs=5.0)


def test_a_round_is_a_function_of_its_arguments() -> None:
    plans = [plan_round(FLEET, STATE, BASELINE_W, 5e5, outlook=OUTLOOK, levels=LEVELS, uniform=0.3) for _ in range(2)]
    assert np.array_equal(plans[0].setpoint_w, plans[1].setpoint_w)
    assert np.array_equal(plans[0].mode, plans[1].mode)


def test_equal_rows_in_another_order_give_equal_commands() -> None:
    """Sorting a fleet file differently changes no device's command (continuous devices; draws depend on order)."""
    fleet = fleet_of(200, mix=(0.8, 0.2, 0.0, 0.0, 0.0, 0.0))
    state, baseline_w = evening(fleet)
    one = plan_round(fleet, state, baseline_w, 2e5, outlook=OUTLOOK)
    order = np.random.default_rng(0).permutation(200)
    other = plan_round(fleet.take(order), state.take(order), baseline_w[order], 2e5, outlook=OUTLOOK)
    assert other.relief_w == pytest.approx(one.relief_w[order], rel=1e-9, abs=1e-3)


def test_nothing_wanted_releases_everybody() -> None:
    book = offer_book(FLEET, STATE, BASELINE_W, outlook=OUTLOOK, levels=LEVELS)
    for target_w in (0.0, -1e6):  # a book of relief knows nothing of extra load
        plan = plan_from(book, FLEET, BASELINE_W, target_w)
        assert (plan.mode == Mode.RELEASE).all()
        assert plan.shortfall_w == 0.0


def test_commands_say_absolute_power_or_shed() -> None:
    fleet = fleet_of(7, mix=MIX).take(np.arange(7))
    fleet = replace(fleet, device_class=np.array(list(DeviceClass), dtype=np.uint8))
    relief_w = np.array([2_000.0, 3_000.0, 7_200.0, 3_500.0, 0.0, 0.4, 30e3])
    baseline_w = np.array([500.0, 7_200.0, 7_200.0, 3_500.0, -900.0, 400.0, 40e3])
    mode, setpoint_w = relief_to_commands(fleet, baseline_w, relief_w)
    told = [Mode.SETPOINT, Mode.SETPOINT, Mode.SHED, Mode.SHED, Mode.RELEASE, Mode.RELEASE, Mode.SETPOINT]
    assert mode.tolist() == told
    assert setpoint_w.tolist() == [-1_500.0, 4_200.0, 0.0, 0.0, 0.0, 0.0, 10e3]
    assert mode.itemsize + setpoint_w.itemsize == 5


class TestShortfall:
    def test_no_headroom(self) -> None:
        most_w = available_w(FLEET, STATE, BASELINE_W)
        state = replace(STATE, plugged=np.ones(SIZE, dtype=np.bool_))
        all_w = available_w(FLEET, state, BASELINE_W)
        plan = plan_round(FLEET, state, BASELINE_W, all_w + 1e6, outlook=OUTLOOK)
        assert all_w >= most_w
        assert plan.shortfall_by_cause == {Cause.NO_HEADROOM: pytest.approx(1e6)}

    def test_network_limit(self) -> None:
        most_w = available_w(FLEET, STATE, BASELINE_W)
        plan = plan_round(FLEET, STATE, BASELINE_W, most_w, outlook=OUTLOOK, levels=LEVELS)
        assert most_w > AVAILABLE_W
        assert plan.shortfall_by_cause[Cause.NETWORK_LIMIT] == pytest.approx(most_w - AVAILABLE_W)

    def test_offline(self) -> None:
        fleet = only_class(100, DeviceClass.BATTERY)
        state, baseline_w = evening(fleet)
        all_w = available_w(fleet, state, baseline_w)
        silent = np.arange(100) < 40
        quiet = replace(state, heard_at_s=np.where(silent, NOW_S - 3.5, state.heard_at_s))
        plan = plan_round(fleet, quiet, baseline_w, all_w, outlook=OUTLOOK)
        lost_w = all_w - available_w(fleet, quiet, baseline_w)
        assert lost_w > 0.0
        assert plan.shortfall_by_cause == {Cause.OFFLINE: pytest.approx(lost_w)}
        assert (plan.mode[silent] == Mode.RELEASE).all()

    def test_envelope(self) -> None:
        plan = plan_round(FLEET, STATE, BASELINE_W, 2e5, outlook=OUTLOOK, levels=LEVELS, asked_w=3e5)
        assert plan.shortfall_by_cause == {Cause.ENVELOPE: pytest.approx(1e5)}
        assert plan.planned_w == pytest.approx(2e5)

    def test_several_causes_add_up(self) -> None:
        kept = np.arange(SIZE) % 3 == 0
        plan = plan_round(FLEET, STATE, BASELINE_W, 9e6, outlook=OUTLOOK, levels=LEVELS, asked_w=9.5e6, withheld=kept)
        assert (plan.mode[kept] == Mode.RELEASE).all()
        assert set(plan.shortfall_by_cause) == set(Cause)
        assert plan.shortfall_w == pytest.approx(9.5e6 - plan.planned_w)


def wholes(fleet: Fleet, state: FleetState, target_w: float, **more: object) -> np.ndarray:
    plan = plan_round(fleet, state, BASELINE_W, target_w, outlook=OUTLOOK, levels=LEVELS,
                      policy=POLICIES["proportional"], **more)  # type: ignore[arg-type]  # fmt: skip
    return np.asarray(plan.mode == Mode.SHED)


class TestWholeDevices:
    def test_they_stay_while_others_can_close_the_gap(self) -> None:
        before = wholes(FLEET, STATE, 0.5 * AVAILABLE_W)
        after = wholes(FLEET, STATE, 0.52 * AVAILABLE_W, held_before=before)
        assert before.any()
        assert np.array_equal(after, before)

    def test_without_memory_they_would_not(self) -> None:
        assert not np.array_equal(wholes(FLEET, STATE, 0.5 * AVAILABLE_W), wholes(FLEET, STATE, 0.52 * AVAILABLE_W))

    def test_they_move_when_the_others_cannot(self) -> None:
        before = wholes(FLEET, STATE, 0.3 * AVAILABLE_W)
        after = wholes(FLEET, STATE, AVAILABLE_W, held_before=before)
        assert after.sum() > before.sum()

    def test_they_are_let_go_when_too_much(self) -> None:
        before = wholes(FLEET, STATE, AVAILABLE_W)
        plan = plan_round(FLEET, STATE, BASELINE_W, 50_000.0, outlook=OUTLOOK, levels=LEVELS, held_before=before)
        assert plan.planned_w == pytest.approx(50_000.0)

    def test_alone_they_come_within_two_of_the_target(self) -> None:
        fleet = only_class(300, DeviceClass.THERMOSTAT)
        state, baseline_w = evening(fleet)
        plan = plan_round(fleet, state, baseline_w, 1e5, outlook=OUTLOOK, uniform=0.7)
        assert abs(plan.planned_w - 1e5) < 2.0 * fleet.import_max_w.max()
        assert set(np.unique(plan.mode)) == {Mode.RELEASE, Mode.SHED}


def test_a_fleet_that_was_never_heard_is_planned_without_and_without_complaint() -> None:
    plan = plan_round(FLEET, FleetState.unheard(SIZE), np.full(SIZE, 1_000.0), 5e5, outlook=OUTLOOK, levels=LEVELS)
    assert (plan.mode == Mode.RELEASE).all()
    assert plan.shortfall_w == pytest.approx(5e5)
    assert plan.shortfall_by_cause[Cause.OFFLINE] > 0.0


def test_excluded_devices_are_left_alone() -> None:
    excluded = FLEET.vendor == 1
    plan = plan_round(FLEET, STATE, BASELINE_W, AVAILABLE_W, outlook=OUTLOOK, levels=LEVELS, excluded=excluded)
    assert (plan.relief_w[excluded] == 0.0).all()
    assert plan.shortfall_w > 0.0


def test_loading_counts_either_direction() -> None:
    fleet = replace(fleet_of(10), transformer=np.zeros(10, dtype=np.uint32), transformer_names=texts(["T"]))
    fleet = replace(fleet, transformer_limit_w=np.array([50_000.0]))
    assert transformer_loading(fleet, np.full(10, -10_000.0), np.array([25_000.0])).tolist() == [1.5]
    assert transformer_loading(fleet, np.full(10, 1_000.0), np.array([15_000.0])).tolist() == [0.5]
