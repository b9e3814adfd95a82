"""The correction loop: steady for every delay, quick when a vendor falls silent, fair to who follows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from openadr_ven.dispatch.plan import Plan, plan_round
from openadr_ven.dispatch.trim import Trim, failing, given_w, next_trim, pools
from openadr_ven.domain.records import from_record, to_record
from openadr_ven.fleet.columns import DeviceClass, Fleet, FleetState, Floats, Mask, Mode
from openadr_ven.fleet.model import Outlook, Tick
from openadr_ven.fleet.physics import step
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C, evening, fleet_of

TARGET_W = 600_000.0
ALL_FOLLOW = (0.9, 0.1, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Run:
    true_w: Floats
    """Delivered, by second."""
    plans: list[Plan]
    trims: list[Trim]


def run(
    fleet: Fleet,
    *,
    seconds: int,
    delay_s: int = 1,
    follows: Callable[[int], Floats] = lambda _second: np.ones(1),
    silent: Callable[[int], Mask] = lambda _second: np.zeros(1, dtype=np.bool_),
    restart_at: int | None = None,
) -> Run:
    """The whole loop, once a second: devices act on the last commands, telemetry comes ``delay_s`` late."""
    rng = np.random.default_rng(5)
    truth, baseline_w = all_at_home(fleet)
    history, heard = [truth], truth
    trim = Trim()
    plans: list[Plan] = []
    trims: list[Trim] = []
    true_w: list[float] = []
    mode, setpoint_w = np.zeros(fleet.size, dtype=np.uint8), np.zeros(fleet.size)
    relief_w, available_w = np.zeros(fleet.size), 0.0
    for second in range(seconds):
        now_s = EVENING_S + 61 + second
        acts = np.where(silent(second), Mode.RELEASE, mode).astype(np.uint8)
        partial_w = baseline_w - follows(second) * (baseline_w - setpoint_w)
        tick = Tick(now_s=now_s, dt_s=1.0, outdoor_c=OUTDOOR_C, sunlight=0.15, rng=rng)
        truth = step(fleet, truth, mode=acts, setpoint_w=partial_w, tick=tick)
        true_w.append(float((baseline_w - truth.power_w).sum()))
        history.append(truth)
        heard = _heard(heard, history[max(0, len(history) - delay_s)], now_s, silent(second))
        if second == restart_at:
            trim = from_record(Trim, to_record(trim))
        given = given_w(trim, fleet, heard, baseline_w=baseline_w, relief_w=relief_w, now_s=now_s)
        trim = next_trim(
            trim, fleet, target_w=TARGET_W, relief_w=relief_w, given=given,
            available_w=available_w, delay_s=float(delay_s - 1), tick_s=1.0, now_s=now_s,
        )  # fmt: skip
        plan = plan_round(
            fleet, heard, baseline_w, TARGET_W + trim.correction_w,
            outlook=Outlook(now_s=now_s, horizon_s=600.0, soc_floor=0.2),
            held_before=plans[-1].mode == Mode.SHED if plans else None, excluded=failing(trim, fleet),
        )  # fmt: skip
        mode, setpoint_w = plan.mode, plan.setpoint_w.astype(np.float64)
        relief_w, available_w = plan.relief_w, plan.available_w
        plans.append(plan)
        trims.append(trim)
    return Run(true_w=np.array(true_w), plans=plans, trims=trims)


def all_at_home(fleet: Fleet) -> tuple[FleetState, Floats]:
    """Every vehicle plugged in and charging, and that as the baseline."""
    state, _ = evening(fleet)
    state = replace(state, plugged=np.ones(fleet.size, dtype=np.bool_))
    tick = Tick(now_s=EVENING_S + 61, dt_s=1.0, outdoor_c=OUTDOOR_C, rng=np.random.default_rng(3))
    state = step(fleet, state, mode=np.zeros(fleet.size, dtype=np.uint8), setpoint_w=np.zeros(fleet.size), tick=tick)
    return state, state.power_w


def _heard(before: FleetState, sample: FleetState, now_s: float, silent: Mask) -> FleetState:
    """Telemetry of who is not silent replaces what was known."""
    quiet = np.broadcast_to(silent, sample.power_w.shape)
    return replace(
        sample,
        power_w=np.where(quiet, before.power_w, sample.power_w),
        soc=np.where(quiet, before.soc, sample.soc),
        heard_at_s=np.where(quiet, before.heard_at_s, now_s),
    )


def test_a_fleet_that_follows_needs_no_correction() -> None:
    result = run(fleet_of(400, mix=ALL_FOLLOW), seconds=60)
    assert np.abs(result.true_w[2:] / TARGET_W - 1.0).max() < 0.01
    assert abs(result.trims[-1].correction_w) < 0.01 * TARGET_W


@pytest.mark.parametrize("delay_s", [1, 3, 5])
@pytest.mark.parametrize("gives", [0.6, 1.2])
def test_a_fleet_that_gives_another_share_is_brought_to_the_target_without_overshoot(
    delay_s: int, gives: float
) -> None:
    result = run(fleet_of(400, mix=ALL_FOLLOW), seconds=110, delay_s=delay_s, follows=lambda _second: np.full(1, gives))
    assert result.true_w[-20:].mean() == pytest.approx(TARGET_W, rel=0.02)
    start_w = result.true_w[3]
    beyond_w = (result.true_w[2:] - TARGET_W) * np.sign(TARGET_W - start_w)
    assert beyond_w.max() < 0.05 * TARGET_W


def test_a_vendor_that_falls_silent_is_made_up_for_in_seconds() -> None:
    """Its devices go home at once; five seconds later the others have taken over, and stay within 5 %."""
    fleet = fleet_of(500, mix=ALL_FOLLOW, vendors=6)
    lost = fleet.vendor == 2
    none = np.zeros(fleet.size, dtype=np.bool_)
    result = run(fleet, seconds=110, silent=lambda second: lost if second >= 40 else none)
    error = result.true_w / TARGET_W - 1.0
    assert error[41] < -0.05, "the fault is felt"
    assert np.abs(error[46:]).max() < 0.05
    assert np.abs(error[60:]).max() < 0.02
    assert (result.plans[-1].mode[lost] == Mode.RELEASE).all()


def test_a_silent_vendor_that_comes_back_is_used_again() -> None:
    fleet = fleet_of(500, mix=ALL_FOLLOW, vendors=6)
    lost = fleet.vendor == 2
    none = np.zeros(fleet.size, dtype=np.bool_)
    result = run(fleet, seconds=90, silent=lambda second: lost if 30 <= second < 50 else none)
    assert (result.plans[45].mode[lost] == Mode.RELEASE).all()
    assert (result.plans[-1].relief_w[lost] > 0.0).any()
    assert np.abs(result.true_w[60:] / TARGET_W - 1.0).max() < 0.05


def test_a_vendor_that_is_connected_and_does_not_follow_is_left_out() -> None:
    fleet = fleet_of(500, mix=ALL_FOLLOW, vendors=6)
    stubborn = fleet.vendor == 3
    result = run(fleet, seconds=90, follows=lambda _second: np.where(stubborn, 0.0, 1.0))
    assert failing(result.trims[-1], fleet)[stubborn].any()
    assert not failing(result.trims[-1], fleet)[~stubborn].any()
    assert result.plans[-1].relief_w[stubborn].sum() < 0.1 * result.plans[2].relief_w[stubborn].sum()
    assert np.abs(result.true_w[60:] / TARGET_W - 1.0).max() < 0.03


def test_who_was_left_out_gets_another_chance_after_a_while() -> None:
    fleet = fleet_of(50, mix=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0), vendors=1)
    size = len(DeviceClass)
    trim = Trim(ratio=(0.29,) + (1.0,) * (size - 1), left_out=(True,) + (False,) * (size - 1))
    seconds = 0
    while failing(trim, fleet).any() and seconds < 7_200:
        trim = next_trim(
            trim, fleet, target_w=1e5, relief_w=np.zeros(50), given=np.zeros(50),
            available_w=0.0, delay_s=1.0, tick_s=1.0, now_s=float(seconds),
        )  # fmt: skip
        seconds += 1
    assert 600 < seconds < 3_600


def test_a_restart_in_the_middle_changes_nothing() -> None:
    fleet = fleet_of(300, mix=ALL_FOLLOW)
    straight = run(fleet, seconds=40, follows=lambda _second: np.full(1, 0.8))
    restarted = run(fleet, seconds=40, follows=lambda _second: np.full(1, 0.8), restart_at=25)
    assert np.array_equal(straight.true_w, restarted.true_w)


def test_a_target_on_the_move_is_not_corrected() -> None:
    fleet = fleet_of(50, mix=ALL_FOLLOW)
    trim = Trim()
    for second in range(20):
        trim = next_trim(
            trim, fleet, target_w=50_000.0 * second, relief_w=np.zeros(50), given=np.zeros(50),
            available_w=1e9, delay_s=1.0, tick_s=1.0, now_s=float(second),
        )  # fmt: skip
    assert trim.correction_w == 0.0


def test_correction_does_not_wind_up_beyond_what_there_is() -> None:
    fleet = fleet_of(50, mix=ALL_FOLLOW)
    trim = Trim()
    for second in range(500):
        trim = next_trim(
            trim, fleet, target_w=100_000.0, relief_w=np.full(50, 2_000.0), given=np.full(50, 1_000.0),
            available_w=120_000.0, delay_s=1.0, tick_s=1.0, now_s=float(second),
        )  # fmt: skip
    assert trim.correction_w == 20_000.0
    assert len(trim.asked) <= 31
    ended = next_trim(
        trim, fleet, target_w=0.0, relief_w=np.zeros(50), given=np.zeros(50),
        available_w=0.0, delay_s=1.0, tick_s=1.0, now_s=500.0,
    )  # fmt: skip
    assert ended.correction_w == 0.0


def test_a_missing_sample_is_held_then_fades_to_what_is_asked() -> None:
    fleet = fleet_of(2, mix=ALL_FOLLOW)
    state, _ = evening(fleet)
    state = replace(state, power_w=np.full(2, -1_000.0), heard_at_s=np.full(2, 100.0))
    seen = [
        given_w(Trim(), fleet, state, baseline_w=np.zeros(2), relief_w=np.array([0.0, 400.0]), now_s=now_s).tolist()
        for now_s in (100.0, 103.0, 104.0, 120.0)
    ]
    assert seen[0] == seen[1] == [1_000.0, 1_000.0]
    assert seen[2] == pytest.approx([1_000.0 / np.e, 400.0 + 600.0 / np.e])
    assert seen[3] == pytest.approx([0.0, 400.0], abs=1e-3)


def test_who_was_never_heard_gives_nothing() -> None:
    fleet = fleet_of(3, mix=ALL_FOLLOW)
    given = given_w(
        Trim(), fleet, FleetState.unheard(3), baseline_w=np.full(3, 500.0), relief_w=np.zeros(3), now_s=100.0
    )
    assert given.tolist() == [0.0, 0.0, 0.0]


def test_pools_are_a_vendors_devices_of_one_class() -> None:
    fleet = fleet_of(200)
    same = pools(fleet)[:, None] == pools(fleet)[None, :]
    expected = (fleet.vendor[:, None] == fleet.vendor) & (fleet.device_class[:, None] == fleet.device_class)
    assert np.array_equal(same, expected)
