"""Which profiles a fleet can serve: the top-k rule against a linear program, and levelling against both."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from openadr_ven.dispatch.capability import (
    DURATIONS_S,
    Capability,
    CapabilityModel,
    can_serve,
    derate,
    energy_within_wh,
    flat_w,
)
from openadr_ven.dispatch.clear import Offers, clear, relief_at
from openadr_ven.dispatch.cohorts import flat_with_turns_w
from openadr_ven.fleet.columns import DeviceClass, Floats, Mask
from openadr_ven.fleet.headroom import headroom
from openadr_ven.fleet.model import HOT_DAY_C, HOUR_S, Headroom, Outlook
from openadr_ven.fleet.physics import evening_state
from openadr_ven.fleet.population import populate
from openadr_ven.fleet.thermostat import answer
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C

SLOT_S = 900.0
SLOT_H = SLOT_S / HOUR_S


def storage(seed: int) -> tuple[Floats, Floats, Floats]:
    """A few batteries, and a profile that is about as hard as they can take."""
    rng = np.random.default_rng(seed)
    size, slots = int(rng.integers(3, 14)), int(rng.integers(2, 9))
    power_w = rng.choice([3_300.0, 5_000.0, 7_600.0, 11_500.0], size)
    energy_wh = power_w * rng.uniform(0.05, slots * SLOT_H * 1.2, size)
    profile_w = rng.uniform(0.0, 1.0, slots) * power_w.sum() * rng.uniform(0.3, 1.0)
    return power_w, energy_wh, profile_w


def solvable(power_w: Floats, energy_wh: Floats, profile_w: Floats) -> bool:
    """Whether any dispatch serves the profile, by linear programming over device and slot."""
    size, slots = power_w.size, profile_w.size
    found = linprog(
        np.zeros(size * slots),
        A_ub=np.kron(np.eye(size), np.ones((1, slots))) * SLOT_H,
        b_ub=energy_wh,
        A_eq=np.kron(np.ones((1, size)), np.eye(slots)),
        b_eq=profile_w,
        bounds=[(0.0, power) for power in np.repeat(power_w, slots)],
        method="highs",
    )
    return bool(found.status == 0)


def levelled(power_w: Floats, energy_wh: Floats, profile_w: Floats) -> bool:
    """Whether levelling the time that is left serves the profile, one slot at a time, blind to the next."""
    left_wh = energy_wh.copy()
    for target_w in profile_w:
        upper_w = np.minimum(power_w, left_wh / SLOT_H)
        if target_w > upper_w.sum() * (1.0 + 1e-9):
            return False
        offers = Offers.of(-left_wh / power_w, power_w / SLOT_H, upper_w)
        left_wh = np.maximum(left_wh - relief_at(offers, clear(offers, target_w)) * SLOT_H, 0.0)
    return True


@pytest.mark.parametrize("seed", range(150))
def test_the_rule_the_program_and_levelling_agree(seed: int) -> None:
    power_w, energy_wh, profile_w = storage(seed)
    expected = solvable(power_w, energy_wh, profile_w)
    assert can_serve(profile_w, SLOT_S, power_w, energy_wh) == expected
    assert levelled(power_w, energy_wh, profile_w) == expected


def test_both_answers_are_tried() -> None:
    answers = {solvable(*storage(seed)) for seed in range(150)}
    assert answers == {True, False}


def test_the_flat_curve_falls_from_power_to_energy() -> None:
    power_w, endurance_s = np.array([5_000.0, 10_000.0]), np.array([7_200.0, 3_600.0])
    headroom = Headroom(relief_w=power_w, power_w=power_w, endurance_s=endurance_s)
    assert flat_w(headroom, [900.0, 3_600.0, 7_200.0, 14_400.0]).tolist() == [15_000.0, 15_000.0, 10_000.0, 5_000.0]


def test_what_lasts_for_ever_is_flat_for_ever() -> None:
    power_w = np.array([1_000.0])
    headroom = Headroom(relief_w=power_w, power_w=power_w, endurance_s=np.array([np.inf]))
    assert flat_w(headroom, [1e9]).tolist() == [1_000.0]


def test_energy_within_a_time() -> None:
    assert energy_within_wh(np.array([1_000.0, 2_000.0]), np.array([250.0, 1e6]), 1_800.0) == 1_250.0


FLEET = populate(20_000, rng=np.random.default_rng(3))
STATE = evening_state(FLEET, now_s=EVENING_S, outdoor_c=OUTDOOR_C, rng=np.random.default_rng(1))
EVERY = np.ones(FLEET.size, dtype=np.bool_)
MODEL = CapabilityModel(FLEET)


def now(usable: Mask = EVERY, **more: Any) -> Capability:
    return MODEL.now(STATE, usable, now_s=EVENING_S, **more)


def test_every_way_of_adding_it_up_gives_the_same() -> None:
    found = now()
    total_w = found.by_class.sum(axis=0)
    assert found.by_feeder.sum(axis=0) == pytest.approx(total_w)
    assert found.by_latency.sum(axis=0) == pytest.approx(total_w)
    assert found.flat_w == pytest.approx(total_w)
    assert (np.diff(total_w) <= 1e-6).all(), "nothing lasts longer by being asked for longer"


def test_storage_is_exact_device_by_device() -> None:
    rows = FLEET.rows_of(DeviceClass.BATTERY)
    outlook = Outlook(now_s=EVENING_S, horizon_s=60.0, outdoor_c=OUTDOOR_C)
    could = headroom(FLEET.take(rows), STATE.take(rows), STATE.power_w[rows], outlook)
    assert now().by_class[DeviceClass.BATTERY] == pytest.approx(flat_w(could, DURATIONS_S))


def test_houses_are_what_turns_hold() -> None:
    houses = answer(FLEET, FLEET.rows_of(DeviceClass.THERMOSTAT), HOT_DAY_C)
    found = now().by_class[DeviceClass.THERMOSTAT]
    for place in (0, 3, 5):
        assert found[place] == pytest.approx(flat_with_turns_w(houses, DURATIONS_S[place]), rel=1e-6)


def test_who_cannot_be_asked_adds_nothing() -> None:
    batteries = FLEET.device_class == DeviceClass.BATTERY
    found = now(~batteries)
    assert (found.by_class[DeviceClass.BATTERY] == 0.0).all()
    assert found.devices == FLEET.size - batteries.sum()
    assert (now(np.zeros(FLEET.size, dtype=np.bool_)).flat_w == 0.0).all()


def test_what_comes_soon_is_told_apart() -> None:
    found = now()
    quick = FLEET.latency_s <= 10.0
    assert found.within_w[0] == pytest.approx(now(quick).flat_w[0], rel=0.02)
    assert list(found.within_w) == sorted(found.within_w)
    assert found.within_w[-1] < found.flat_w[0]


def test_the_network_is_the_most_that_can_be_promised() -> None:
    found = now(network_w=1e6)
    assert found.flat_w.max() == 1e6
    assert found.by_class.sum() > 1e6


class TestFirm:
    def test_nothing_is_firm_before_nine_events(self) -> None:
        assert derate([0.9] * 8) is None
        assert now(ratios=[0.9] * 8).firm_w is None

    def test_nine_events_give_the_worst_of_them(self) -> None:
        assert derate([0.95, 0.7, *[0.99] * 7]) == 0.7
        found = now(ratios=[0.8] * 9)
        assert found.firm_w is not None
        assert found.firm_w == pytest.approx(0.8 * found.flat_w)

    def test_no_promise_is_more_than_all_or_less_than_nothing(self) -> None:
        assert derate([1.3] * 20) == 1.0
        assert derate([-0.1] * 20) == 0.0

    def test_the_held_out_half_keeps_the_promise_nine_times_in_ten(self) -> None:
        """With vendors' outages in common, as they come: no bell curve, and no independence of devices."""
        rng = np.random.default_rng(0)
        kept = []
        for _ in range(2_000):
            shocks = (rng.random(60) < 0.08) * rng.uniform(0.1, 0.4, 60)
            ratios = np.clip(0.92 - 0.05 * rng.random(60) - shocks, 0.0, 1.0)
            promise = derate(ratios[:30].tolist())
            assert promise is not None
            kept.append(float((ratios[30:] >= promise).mean()))
        assert 0.88 <= np.mean(kept) <= 0.95

    def test_independent_devices_would_promise_too_much(self) -> None:
        """A hundred thousand coins hardly ever miss their mean; vendors do."""
        assert 1.2816 * np.sqrt(0.89 * 0.11 / 100_000) < 0.0013
