"""A body that loses heat to its surroundings, first order: houses and water tanks alike."""

import numpy as np

from openadr_ven.fleet.columns import Fleet, Floats, Rows
from openadr_ven.fleet.model import HOUR_S


def time_constant_s(fleet: Fleet, rows: Rows) -> Floats:
    return fleet.resistance_c_per_w[rows] * fleet.capacity_wh_per_c[rows] * HOUR_S


def relaxed(from_c: Floats, final_c: Floats, time_constant: Floats, dt_s: float) -> Floats:
    """The temperature after a step towards where it would end."""
    result: Floats = final_c + (from_c - final_c) * np.exp(-dt_s / time_constant)
    return result


def cools_to_in_s(from_c: Floats, limit_c: Floats, final_c: Floats, time_constant: Floats) -> Floats:
    """The same downwards: cooling is warming upside down."""
    return warms_to_in_s(-from_c, -limit_c, -final_c, time_constant)


def warms_to_in_s(from_c: Floats, limit_c: Floats, final_c: Floats, time_constant: Floats) -> Floats:
    """Seconds until a body that warms reaches a limit; 0 if it is past it, infinite if it never will be."""
    left_c, beyond_c = np.maximum(limit_c - from_c, 0.0), final_c - limit_c
    reached_s = time_constant * np.log1p(left_c / np.where(beyond_c > 0.0, beyond_c, 1.0))
    return np.where(left_c > 0.0, np.where(beyond_c > 0.0, reached_s, np.inf), 0.0)
