"""Which profiles a fleet can serve: the top-k rule against a linear program, and levelling against both."""

import numpy as np
import pytest
from scipy.optimize import linprog

from openadr_ven.dispatch.capability import can_serve, energy_within_wh, flat_w
from openadr_ven.dispatch.clear import Offers, clear, relief_at
from openadr_ven.fleet.columns import Floats
from openadr_ven.fleet.model import HOUR_S, Headroom

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
