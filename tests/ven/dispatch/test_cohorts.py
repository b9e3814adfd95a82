"""Houses in turns: against a simulation of every compressor, and against everybody at once."""

from dataclasses import replace

import numpy as np
import pytest

from openadr_ven.dispatch.cohorts import (
    NO_STORAGE,
    REBOUND_SHARE,
    SLOT_S,
    TAIL_SLOTS,
    Schedule,
    Storage,
    flat_with_turns_w,
    schedule,
)
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats, Mode
from openadr_ven.fleet.model import Tick
from openadr_ven.fleet.physics import evening_state, step
from openadr_ven.fleet.thermostat import Answer, answer
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C, only_class

SIZE, EVENT_SLOTS, STEP_S = 4_000, 16, 30.0


def a_suburb(seed: int = 2) -> Fleet:
    """Houses as different as houses are."""
    rng = np.random.default_rng(seed)
    return replace(
        only_class(SIZE, DeviceClass.THERMOSTAT, seed=seed),
        resistance_c_per_w=rng.lognormal(np.log(2e-3), 0.2, SIZE),
        capacity_wh_per_c=rng.lognormal(np.log(6e3), 0.25, SIZE),
        cop=rng.uniform(2.8, 4.0, SIZE),
        import_max_w=rng.lognormal(np.log(3.5e3), 0.2, SIZE),
        gain_w=rng.uniform(300.0, 1_200.0, SIZE),
    )


SUBURB = a_suburb()
HOUSES = answer(SUBURB, np.arange(SIZE), OUTDOOR_C)


def simulated_w(fleet: Fleet, turns: Schedule | None, slots: int) -> Floats:
    """Mean power by slot, every compressor with its own hysteresis, after two hours that level their cycles."""
    rng = np.random.default_rng(9)
    state = evening_state(fleet, now_s=EVENING_S, outdoor_c=OUTDOOR_C, rng=rng)
    power_w = []
    warm_up = round(2 * 3600 / STEP_S)
    for count in range(warm_up + round(slots * SLOT_S / STEP_S)):
        second = (count - warm_up) * STEP_S
        mode = np.zeros(fleet.size, dtype=np.uint8)
        if turns is not None and second >= 0.0:
            mode[turns.raised_at(second)] = Mode.SHED
        tick = Tick(now_s=EVENING_S + second, dt_s=STEP_S, outdoor_c=OUTDOOR_C, rng=rng)
        state = step(fleet, state, mode=mode, setpoint_w=np.zeros(fleet.size), tick=tick)
        if second >= 0.0:
            power_w.append(float(state.power_w.sum()))
    return np.asarray(np.array(power_w).reshape(slots, -1).mean(axis=1))


NORMAL_W = simulated_w(SUBURB, None, EVENT_SLOTS + TAIL_SLOTS)


def test_the_closed_form_of_a_house_is_what_compressors_do() -> None:
    """Two hours raised, then let go at once: within eight hundredths of a kilowatt of each home, every quarter hour."""
    slots = 8 + TAIL_SLOTS
    at_once = Schedule(
        begins_s=np.zeros(SIZE), ends_s=np.full(SIZE, 8 * SLOT_S), promised_w=np.zeros(0), short_w=np.zeros(0)
    )
    relief_w = (NORMAL_W[:slots] - simulated_w(SUBURB, at_once, slots)) / SIZE
    promised_w = HOUSES.relief_after(8 * SLOT_S, SLOT_S, slots).mean(axis=0)
    assert relief_w[:8] == pytest.approx(promised_w[:8], abs=80.0)
    assert relief_w[8:].sum() == pytest.approx(promised_w[8:].sum(), rel=0.25)


def test_turns_hold_what_everybody_at_once_cannot() -> None:
    at_once_w = HOUSES.relief_after(EVENT_SLOTS * SLOT_S, SLOT_S, EVENT_SLOTS).sum(axis=0)
    flat_w = flat_with_turns_w(HOUSES, EVENT_SLOTS * SLOT_S)
    assert flat_w > 1.2 * at_once_w.min()
    turns = schedule(HOUSES, np.full(EVENT_SLOTS, flat_w))
    assert turns.short_w.max() < 1e-3 * flat_w
    assert turns.promised_w[:EVENT_SLOTS] == pytest.approx(np.full(EVENT_SLOTS, flat_w), rel=1e-3)
    more = schedule(HOUSES, np.full(EVENT_SLOTS, 1.05 * flat_w))
    assert more.short_w.sum() > 0.0


def test_in_simulation_the_turns_keep_their_promise_and_nothing_snaps_back() -> None:
    flat_w = 0.9 * flat_with_turns_w(HOUSES, EVENT_SLOTS * SLOT_S)
    turns = schedule(HOUSES, np.full(EVENT_SLOTS, flat_w), uniform=0.3)
    relief_w = NORMAL_W - simulated_w(SUBURB, turns, EVENT_SLOTS + TAIL_SLOTS)
    # The first slot fills while houses begin one by one; storage covers it where there is any.
    assert relief_w[1:EVENT_SLOTS].min() > 0.8 * flat_w
    assert relief_w[:EVENT_SLOTS].mean() == pytest.approx(flat_w, rel=0.08)
    normal_w = float(HOUSES.draw_w.sum())
    assert relief_w.min() > -(REBOUND_SHARE + 0.05) * normal_w
    at_once = replace(turns, begins_s=np.zeros(SIZE), ends_s=np.full(SIZE, EVENT_SLOTS * SLOT_S))
    snapped_w = NORMAL_W - simulated_w(SUBURB, at_once, EVENT_SLOTS + TAIL_SLOTS)
    assert snapped_w.min() < 2.0 * relief_w.min()


def test_storage_and_houses_do_more_together_than_apart() -> None:
    storage = Storage(power_w=np.array([2e6, 1e6]), energy_wh=np.array([2e6, 4e6]))
    apart_w = flat_with_turns_w(HOUSES, EVENT_SLOTS * SLOT_S) + 1.5e6
    together_w = flat_with_turns_w(HOUSES, EVENT_SLOTS * SLOT_S, storage=storage)
    assert together_w >= apart_w * (1.0 - 1e-6)
    none_w = flat_with_turns_w(replace_draw(0.0), 3600.0, storage=storage)
    assert none_w == pytest.approx(3e6)


def replace_draw(share: float) -> Answer:
    return replace(HOUSES, draw_w=share * HOUSES.draw_w, saved_w=share * HOUSES.saved_w)


@pytest.mark.parametrize("uniform", [0.0, 0.37, 0.99])
def test_no_more_than_a_twentieth_begins_within_ten_seconds(uniform: float) -> None:
    """Security T04: starts, and ends, are spread; the draw moves who begins when, not how many."""
    flat_w = 0.5 * flat_with_turns_w(HOUSES, EVENT_SLOTS * SLOT_S)
    turns = schedule(
        HOUSES, np.full(EVENT_SLOTS, flat_w), uniform=uniform, start_window_s=900.0, release_window_s=900.0
    )  # fmt: skip
    for moments_s in (turns.begins_s, turns.ends_s):
        moments = np.sort(moments_s[np.isfinite(moments_s)])
        together = np.searchsorted(moments, moments + 10.0) - np.arange(moments.size)
        assert moments.size > 0.1 * SIZE
        assert together.max() <= 0.05 * SIZE
    assert np.nanmax(turns.ends_s) <= EVENT_SLOTS * SLOT_S


def test_the_same_event_gives_the_same_turns() -> None:
    one, same, other = (schedule(HOUSES, np.full(8, 1e6), uniform=draw) for draw in (0.2, 0.2, 0.7))
    assert np.array_equal(one.begins_s, same.begins_s, equal_nan=True)
    assert not np.array_equal(one.begins_s, other.begins_s, equal_nan=True)


def test_a_profile_is_followed_and_rest_is_rest() -> None:
    profile_w = np.array([0.0, 0.0, 1e6, 2e6, 2e6, 1e6, 0.0, 0.0])
    turns = schedule(HOUSES, profile_w)
    assert (turns.promised_w[: profile_w.size] >= profile_w - 1e3).all()
    assert np.isnan(turns.begins_s).mean() > 0.2
    nobody = schedule(HOUSES, np.zeros(8))
    assert np.isnan(nobody.begins_s).all()


def test_few_houses_and_none() -> None:
    few = answer(SUBURB, np.arange(3), OUTDOOR_C)
    assert flat_with_turns_w(few, 3600.0) > 0.0
    none = answer(SUBURB, np.arange(0), OUTDOOR_C)
    assert flat_with_turns_w(none, 3600.0, storage=Storage(power_w=np.array([5e3]), energy_wh=np.array([1e3]))) == (
        pytest.approx(1e3)
    )
    assert schedule(none, np.full(4, 1e3), storage=NO_STORAGE).short_w == pytest.approx(np.full(4, 1e3))
