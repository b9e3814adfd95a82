"""The correction loop at the edge of stability: where it must not go, and how far from there it stays."""

import numpy as np
import pytest

from openadr_ven.dispatch.trim import ACTUATION_S, GAIN, SETTLE_S, Trim, next_trim
from openadr_ven.fleet.columns import Floats
from tests.ven.fleet.synthetic import fleet_of


def boundary(ticks: float) -> float:
    """Of an integrator with so many ticks of delay: stable below."""
    return float(2.0 * np.sin(np.pi / (2.0 * (2.0 * ticks + 1.0))))


def ringing(gain: float, ticks: int, rounds: int = 4_000) -> float:
    """How far from its target an integral loop with a delay is at the end, having begun one off."""
    outputs = [0.0] * (ticks + 1)
    command = 0.0
    for _ in range(rounds):
        command += gain * (1.0 - outputs[-1 - ticks])
        outputs.append(command)
    return float(np.abs(np.array(outputs[-50:]) - 1.0).max())


@pytest.mark.parametrize("ticks", [1, 2, 3, 5, 8])
def test_the_boundary_is_where_the_formula_says(ticks: int) -> None:
    assert ringing(0.98 * boundary(ticks), ticks) < 1e-2
    assert ringing(1.02 * boundary(ticks), ticks) > 1.0


@pytest.mark.parametrize("ticks", [1, 2, 3, 5, 8, 20, 60])
def test_our_gain_is_a_third_of_it_at_most(ticks: int) -> None:
    assert GAIN / ticks <= boundary(ticks) / 3.0 * 1.2


FLEET = fleet_of(200, mix=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
TARGET_W, AVAILABLE_W = 200e3, 900e3


def delivered_by(trim_delay_s: float, ratio: float, *, noise: float = 0.0, silent: float = 0.0) -> Floats:
    """A fleet that gives a share of what it is asked for, seen late; ``silent`` of it never answers at all."""
    rng = np.random.default_rng(3)
    trim, asked_w, given_w = Trim(), [], []
    answers = np.where(np.arange(FLEET.size) < silent * FLEET.size, 0.0, ratio)
    each = np.full(FLEET.size, 1.0 / FLEET.size)
    for second in range(240):
        asked_w.append(TARGET_W + trim.correction_w)
        acted = max(0, len(asked_w) - 1 - int(ACTUATION_S))
        given_w.append(asked_w[acted] * float((each * answers).sum()) * (1.0 + noise * rng.normal()))
        seen = max(0, len(given_w) - 1 - int(trim_delay_s))
        relief_w = each * asked_w[-1]
        share = given_w[seen] / max(float((each * answers).sum()), 1e-9)
        trim = next_trim(
            trim, FLEET, target_w=TARGET_W, relief_w=relief_w, given=each * answers * share,
            available_w=AVAILABLE_W, delay_s=trim_delay_s, tick_s=1.0, now_s=float(second),
        )  # fmt: skip
    return np.array(given_w)


@pytest.mark.parametrize("delay_s", [0.0, 1.0, 3.0, 5.0, 10.0])
@pytest.mark.parametrize("ratio", [0.7, 0.85, 1.15])
def test_late_telemetry_is_corrected_slower_and_never_rings(delay_s: float, ratio: float) -> None:
    given_w = delivered_by(delay_s, ratio)
    assert given_w[-1] == pytest.approx(TARGET_W, rel=0.01)
    settled = given_w[int(SETTLE_S + delay_s) :]
    beyond = settled.max() - TARGET_W if ratio < 1.0 else TARGET_W - settled.min()
    assert beyond <= 0.02 * TARGET_W


def test_a_third_that_never_answers_is_made_up_for() -> None:
    given_w = delivered_by(1.0, 1.0, silent=0.3)
    assert given_w[5] == pytest.approx(0.7 * TARGET_W, rel=0.1)
    assert given_w[-1] == pytest.approx(TARGET_W, rel=0.01)
    assert given_w.max() <= 1.02 * TARGET_W


def test_noise_is_not_amplified() -> None:
    given_w = delivered_by(1.0, 0.85, noise=0.01)
    assert given_w[-60:].mean() == pytest.approx(TARGET_W, rel=0.01)
    assert given_w[-60:].std() < 0.02 * TARGET_W
