"""Whole devices: fair draws whose sum is right, however many there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.rounding import not_beyond, sample, within
from openadr_ven.fleet.columns import Floats, Mask

seeds = st.integers(0, 2**32 - 1)
uniforms = st.floats(0.0, 1.0, exclude_max=True)


def shares_and_sizes(seed: int, size: int = 200) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    share = np.clip(rng.uniform(-0.2, 1.2, size), 0.0, 1.0)
    return share, rng.gamma(4.0, 400.0, size)


def drawn(share: Floats, size_w: Floats, uniform: float) -> Mask:
    """By device, whatever their order."""
    order = np.argsort(size_w, kind="stable")
    chosen = np.zeros(share.size, dtype=np.bool_)
    chosen[order] = sample(share[order], uniform)
    return chosen


@given(seed=seeds, uniform=uniforms)
def test_the_sum_misses_by_less_than_twice_the_largest(seed: int, uniform: float) -> None:
    share, size_w = shares_and_sizes(seed)
    error_w = float((size_w * (drawn(share, size_w, uniform) - share)).sum())
    assert abs(error_w) < 2.0 * size_w.max()


@given(seed=seeds, uniform=uniforms)
def test_certain_devices_are_shed_and_impossible_ones_are_not(seed: int, uniform: float) -> None:
    share, size_w = shares_and_sizes(seed)
    shed = drawn(share, size_w, uniform)
    assert shed[share == 1.0].all()
    assert not shed[share == 0.0].any()


def test_each_device_is_shed_as_often_as_its_share_says() -> None:
    share, size_w = shares_and_sizes(4, 50)
    draws = 4_000
    grid = (np.arange(draws) + 0.5) / draws
    often = np.mean([drawn(share, size_w, uniform) for uniform in grid], axis=0)
    assert often == pytest.approx(share, abs=1.5 / draws)


@given(seed=seeds)
def test_choosing_within_limits_only_drops_devices(seed: int) -> None:
    share, size_w = shares_and_sizes(seed)
    shed = drawn(share, size_w, 0.5)
    starts = np.arange(0, 200, 5)
    level = Level(starts=starts, limit_w=np.random.default_rng(seed).uniform(0.0, 6_000.0, starts.size))
    kept = within(shed, size_w, (level,))
    assert not (kept & ~shed).any()
    carried_w = np.add.reduceat(np.where(kept, size_w, 0.0), starts)
    assert (carried_w <= level.limit_w + 1e-6).all()
    untouched = np.add.reduceat(np.where(shed, size_w, 0.0), starts) <= level.limit_w
    assert np.array_equal(kept[np.repeat(untouched, 5)], shed[np.repeat(untouched, 5)])


@given(seed=seeds, uniform=uniforms)
def test_a_choice_beyond_the_target_loses_at_most_two_devices(seed: int, uniform: float) -> None:
    share, size_w = shares_and_sizes(seed)
    shed = drawn(share, size_w, uniform)
    target_w = float((size_w * share).sum())
    kept = not_beyond(shed, size_w, target_w)
    assert float(size_w[kept].sum()) <= target_w + 1e-6
    assert (shed & ~kept).sum() <= 2
    assert not (kept & ~shed).any()
    if float(size_w[shed].sum()) <= target_w:
        assert np.array_equal(kept, shed)
