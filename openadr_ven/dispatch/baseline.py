"""Meter-before: what devices took just before an event was known is what they would have taken.

It suits batteries and events of minutes. Baselines for hours and for settlement are rules of
programmes and live with settlement.
"""

import numpy as np

from openadr_ven.fleet.columns import Floats

WINDOW_S = 60.0


def meter_before(sampled_at_s: Floats, power_w: Floats, before_s: float, *, window_s: float = WINDOW_S) -> Floats:
    """Each device's mean power over the window that ends at ``before_s``.

    ``power_w`` is samples by devices, NaN where a device gave none. Without a sample in the window its
    last one before it counts; without any, it took nothing, so nothing can be promised of it.
    """
    known = np.isfinite(power_w) & (sampled_at_s <= before_s)[:, None]
    inside = known & (sampled_at_s > before_s - window_s)[:, None]
    count = inside.sum(axis=0)
    total_w = np.where(inside, power_w, 0.0).sum(axis=0)
    when = np.where(known, sampled_at_s[:, None], -np.inf)
    last_w = np.take_along_axis(power_w, when.argmax(axis=0)[None, :], axis=0)[0]
    fallback_w = np.where(known.any(axis=0), last_w, 0.0)
    return np.where(count > 0, total_w / np.maximum(count, 1), fallback_w)
