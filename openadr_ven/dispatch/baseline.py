"""Meter-before: what devices took just before an event was known is what they would have taken.

It suits batteries and events of minutes. Baselines for hours and for settlement are rules of
programmes and live with settlement.
"""

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet.columns import Floats, over_chunks

WINDOW_S = 60.0
Samples = NDArray[np.floating]


def meter_before(sampled_at_s: Floats, power_w: Samples, before_s: float, *, window_s: float = WINDOW_S) -> Floats:
    """Each device's mean power over the window that ends at ``before_s``.

    ``power_w`` is samples by devices, NaN where a device gave none. Without a sample in the window its
    last one before it counts; without any, it took nothing, so nothing can be promised of it.
    """
    inside = np.flatnonzero((sampled_at_s <= before_s) & (sampled_at_s > before_s - window_s))
    earlier = np.flatnonzero(sampled_at_s <= before_s - window_s)
    earlier = earlier[np.argsort(-sampled_at_s[earlier], kind="stable")]
    mean_w = np.empty(power_w.shape[1])

    def look(part: slice) -> None:
        # Nearly all have every sample: their sums say so by being numbers, and nobody else is looked at closely.
        total_w = np.zeros(part.stop - part.start)
        for place in inside:
            total_w += power_w[place, part]
        mean_w[part] = total_w / max(inside.size, 1)
        lacking = np.flatnonzero(~np.isfinite(total_w)) if inside.size else np.arange(total_w.size)
        rows = lacking + part.start
        if rows.size:
            mean_w[rows] = _with_gaps(power_w[:, rows][inside], power_w[:, rows][earlier])

    over_chunks(look, mean_w.size)
    return mean_w


def _with_gaps(inside_w: Samples, earlier_w: Samples) -> Floats:
    """The mean of those samples that there are; where there are none, the first of the earlier ones that there is."""
    known = np.isfinite(inside_w)
    count = known.sum(axis=0)
    mean_w = np.where(known, inside_w, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(count, 1)
    for one in earlier_w:
        known_now = (count == 0) & np.isfinite(one)
        mean_w[known_now] = one[known_now]
        count += known_now
    return np.asarray(mean_w)
