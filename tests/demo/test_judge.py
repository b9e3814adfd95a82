"""The judge of the demo, on records whose verdict is known: it must be able to say no."""

import numpy as np
import pytest

from demo.judge import (
    Series,
    delivered_w,
    interval_errors,
    seconds_to_ninety_percent,
    seconds_to_released,
    tracking,
)

TARGET_W = 5e6
POSTED_S = 1_000.0
STOPPED_S = POSTED_S + 110


def record(
    *, ramp_s: float = 5.0, lost_share: float = 0.0, lost_at_s: float = 40.0, lost_for_s: float = 60.0
) -> tuple[Series, Series]:
    """A minute of baseline, a ramp to the target, a loss in the middle, a release of 10 s after Stop."""
    time_s = np.arange(POSTED_S - 70, POSTED_S + 160)
    since_s = time_s - POSTED_S
    share = np.clip(since_s / ramp_s, 0, 1)
    share = np.where((since_s > lost_at_s) & (since_s <= lost_at_s + lost_for_s), share - lost_share, share)
    share = np.where(time_s > STOPPED_S, np.clip(1 - (time_s - STOPPED_S) / 10, 0, 1), share)
    return time_s, 2e6 - share * TARGET_W


def errors_of(time_s: Series, power_w: Series, faults_s: tuple[float, ...] = ()) -> list[tuple[float, float, bool]]:
    relief_w = delivered_w(time_s, power_w, POSTED_S)
    return interval_errors(time_s, relief_w, posted_s=POSTED_S, until_s=STOPPED_S, target_w=TARGET_W, faults_s=faults_s)


def test_a_faithful_record_keeps_the_promise() -> None:
    time_s, power_w = record()
    relief_w = delivered_w(time_s, power_w, POSTED_S)
    assert seconds_to_ninety_percent(time_s, relief_w, POSTED_S, TARGET_W) == 5
    assert seconds_to_released(time_s, relief_w, STOPPED_S, TARGET_W) == 10
    errors = errors_of(time_s, power_w)
    assert len(errors) == 20
    assert tracking(errors).kept


def test_a_loss_that_is_not_made_good_breaks_it() -> None:
    verdict = tracking(errors_of(*record(lost_share=0.1)))
    assert not verdict.kept
    assert "-10" in verdict.seen


@pytest.mark.parametrize(("lost_for_s", "kept"), [(14.0, True), (30.0, False)])
def test_a_fault_excuses_fifteen_seconds_and_no_more(lost_for_s: float, kept: bool) -> None:
    time_s, power_w = record(lost_share=0.5, lost_for_s=lost_for_s)
    assert tracking(errors_of(time_s, power_w, (POSTED_S + 40,))).kept is kept


def test_what_never_comes_takes_for_ever() -> None:
    time_s, power_w = record()
    power_w = np.full_like(power_w, 2e6)
    relief_w = delivered_w(time_s, power_w, POSTED_S)
    assert seconds_to_ninety_percent(time_s, relief_w, POSTED_S, TARGET_W) == float("inf")


def test_power_that_never_returns_is_not_released() -> None:
    time_s, power_w = record()
    power_w = np.where(time_s > STOPPED_S, 2e6 - TARGET_W, power_w)
    relief_w = delivered_w(time_s, power_w, POSTED_S)
    assert seconds_to_released(time_s, relief_w, STOPPED_S, TARGET_W) == float("inf")


def test_a_record_with_a_hole_is_not_within_tolerance() -> None:
    time_s, power_w = record()
    kept = (time_s < POSTED_S + 20) | (time_s > POSTED_S + 30)
    assert not tracking(errors_of(time_s[kept], power_w[kept])).kept


def test_nothing_judged_is_nothing_kept() -> None:
    assert not tracking([]).kept
