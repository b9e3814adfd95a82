"""What the fleet is good for: the most relief it can hold flat, by duration, and which profiles it can serve.

Exact for storage that is not recharged within the event and that no network limit binds (max-flow
min-cut; the discrete twin of the E-p transform of Evans, Tindemans and Angeli, 2020). With binding
limits or vehicles that leave it is an upper bound.
"""

from collections.abc import Sequence

import numpy as np

from openadr_ven.fleet.columns import Floats
from openadr_ven.fleet.model import HOUR_S, Headroom


def energy_within_wh(power_w: Floats, energy_wh: Floats, duration_s: float) -> float:
    """The most energy that can leave in a time, each device at its power until it is empty."""
    return float(np.minimum(energy_wh, power_w * duration_s / HOUR_S).sum())


def flat_w(headroom: Headroom, durations_s: Sequence[float]) -> Floats:
    """The most relief that can be held flat over each duration."""
    return np.array(
        [
            float(np.minimum(headroom.power_w, headroom.power_w * headroom.endurance_s / duration_s).sum())
            for duration_s in durations_s
        ]
    )


def can_serve(profile_w: Floats, slot_s: float, power_w: Floats, energy_wh: Floats) -> bool:
    """Whether any dispatch serves the profile: its k largest slots never need more than k slots can give."""
    largest_wh = np.cumsum(np.sort(profile_w)[::-1]) * slot_s / HOUR_S
    reach_wh = [energy_within_wh(power_w, energy_wh, slot_s * count) for count in range(1, profile_w.size + 1)]
    return bool((largest_wh <= np.array(reach_wh) * (1.0 + 1e-12)).all())
