"""Meter-before: the minute before an event was known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_ven.dispatch.baseline import meter_before

NAN = float("nan")


def test_the_mean_of_the_window_and_nothing_else() -> None:
    at_s = np.arange(0.0, 100.0, 10.0)
    power_w = np.column_stack((at_s, np.full(10, 7.0)))
    assert meter_before(at_s, power_w, 80.0, window_s=30.0).tolist() == [70.0, 7.0]


def test_a_device_with_gaps_counts_what_it_gave() -> None:
    at_s = np.array([10.0, 20.0, 30.0])
    power_w = np.array([[NAN, 1.0], [4.0, NAN], [6.0, 3.0]])
    assert meter_before(at_s, power_w, 30.0).tolist() == [5.0, 2.0]


def test_without_a_sample_in_the_window_the_last_one_counts() -> None:
    at_s = np.array([0.0, 10.0, 500.0])
    power_w = np.array([[1.0, NAN], [2.0, NAN], [NAN, NAN]])
    assert meter_before(at_s, power_w, 500.0).tolist() == [2.0, 0.0]


def test_samples_after_the_moment_do_not_count() -> None:
    assert meter_before(np.array([0.0, 10.0]), np.array([[1.0], [99.0]]), 5.0).tolist() == [1.0]


@given(seed=st.integers(0, 2**32 - 1), before_s=st.floats(-5.0, 45.0), window_s=st.sampled_from([1.0, 7.0, 60.0]))
def test_it_is_what_its_words_say(seed: int, before_s: float, window_s: float) -> None:
    """Second by second, for a ring of samples with gaps in it and seconds in any order."""
    rng = np.random.default_rng(seed)
    at_s = rng.permutation(40)[:20].astype(np.float64)
    power_w = rng.normal(0.0, 4e3, (20, 30)).astype(np.float32)
    power_w[rng.random((20, 30)) < rng.choice([0.0, 0.1, 0.9])] = NAN
    found = meter_before(at_s, power_w, before_s, window_s=window_s)
    for device, mean_w in enumerate(found.tolist()):
        own_w = power_w[:, device]
        given_w = dict(zip(at_s[np.isfinite(own_w)].tolist(), own_w[np.isfinite(own_w)].tolist(), strict=True))
        inside = [watts for at, watts in given_w.items() if before_s - window_s < at <= before_s]
        earlier = [at for at in given_w if at <= before_s - window_s]
        expected_w = sum(inside) / len(inside) if inside else given_w[max(earlier)] if earlier else 0.0
        assert mean_w == pytest.approx(expected_w)
