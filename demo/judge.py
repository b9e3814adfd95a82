"""The demo's promises, judged from the independent meter's record: pure functions over its numbers.

Delivered is baseline less metered, the baseline being each device's mean power over the 60 s
before the operator's POST (meter-before): the same rule as the VEN's, on other people's numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BASELINE_S = 60.0
INTERVAL_S = 5.0
SETTLE_S = 10.0
"""From the POST to the first interval that must be within tolerance."""
FAULT_GRACE_S = 15.0
TOLERANCE = 0.05
NINETY_PERCENT = 0.9

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One thing the demo said it would do, and what was seen."""

    text: str
    kept: bool
    seen: str


def delivered_w(time_s: Series, power_w: Series, posted_s: float) -> Series:
    """Relief at each sample: the mean power of the minute before the POST, less the power now."""
    before = (time_s > posted_s - BASELINE_S) & (time_s <= posted_s)
    return np.asarray(power_w[before].mean() - power_w, dtype=np.float64)


def seconds_to_ninety_percent(time_s: Series, relief_w: Series, posted_s: float, target_w: float) -> float:
    """From the POST to the first sample at 90 % of the target; infinite if it never came."""
    reached = np.flatnonzero((time_s >= posted_s) & (relief_w >= NINETY_PERCENT * target_w))
    return float(time_s[reached[0]] - posted_s) if reached.size else float("inf")


def interval_errors(
    time_s: Series, relief_w: Series, *, posted_s: float, until_s: float, target_w: float, faults_s: Sequence[float]
) -> list[tuple[float, float, bool]]:
    """How each 5-s interval from 10 s after the POST went.

    Returns its start in seconds after the POST, its mean error as a share of the target, and whether
    a fault at most 15 s before excuses it.
    """
    found = []
    start_s = posted_s + SETTLE_S
    while start_s + INTERVAL_S <= until_s:
        inside = (time_s > start_s) & (time_s <= start_s + INTERVAL_S)
        error = float(relief_w[inside].mean() / target_w - 1.0) if inside.any() else float("nan")
        excused = any(fault_s - INTERVAL_S < start_s < fault_s + FAULT_GRACE_S for fault_s in faults_s)
        found.append((start_s - posted_s, error, excused))
        start_s += INTERVAL_S
    return found


def seconds_to_released(time_s: Series, relief_w: Series, stopped_s: float, target_w: float) -> float:
    """From Stop to the first sample after which relief stays within tolerance of nothing; infinite if never."""
    after = time_s >= stopped_s
    held = np.flatnonzero(after & (np.abs(relief_w) > TOLERANCE * target_w))
    if not held.size:
        return 0.0
    last = held[-1]
    return float(time_s[last + 1] - stopped_s) if last + 1 < time_s.size else float("inf")


def tracking(errors: list[tuple[float, float, bool]]) -> Promise:
    """Within 5 % of the target in every interval that no fault excuses."""
    judged = [(at_s, error) for at_s, error, excused in errors if not excused]
    broken = [(at_s, error) for at_s, error in judged if not abs(error) <= TOLERANCE]
    worst = max((abs(error) for _, error in judged), default=float("nan"))
    seen = f"{len(judged) - len(broken)} of {len(judged)} intervals, worst {worst:.1%}"
    if broken:
        seen += "; out: " + ", ".join(f"+{at_s:.0f} s {error:+.1%}" for at_s, error in broken)
    text = f"within {TOLERANCE:.0%} of the target in every {INTERVAL_S:.0f}-s interval, but for 15 s after a fault"
    return Promise(text=text, kept=bool(judged) and not broken, seen=seen)
