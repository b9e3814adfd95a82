"""Meter-before: the minute before an event was known."""

import numpy as np

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
