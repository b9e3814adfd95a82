"""What every device model is given, and what it gives back. The models are the modules beside this one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet.columns import Floats

HOUR_S = 3600.0
DAY_S = 86_400.0

HOT_DAY_C = 35.0
"""Outdoors, when no weather is known: houses warm fast, so less is promised."""
SOC_DRIFT = 0.05
"""LiFePO4's voltage is flat from 20 to 90 %, so a state of charge is off by this much until a full charge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long relief is wanted, and under which conditions."""

    now_s: float
    horizon_s: float
    """Relief must last this long."""
    soc_floor: float = 0.0
    """The programme's own reserve; the owner's counts as well."""
    outdoor_c: float = HOT_DAY_C


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Headroom:
    """What each row could give, were it asked: watts of net import less than its baseline."""

    relief_w: Floats
    """Sustained over the horizon."""
    power_w: Floats
    """At this moment, were energy no object."""
    endurance_s: Floats
    """How long ``power_w`` would last; infinite if for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One step of the physics: its weather, and its dice."""

    now_s: float
    """At its end."""
    dt_s: float
    outdoor_c: float = HOT_DAY_C
    sunlight: float = 0.0
    """Share of an inverter's rating that the sun would give."""
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orders:
    """What rows were told last."""

    mode: NDArray[np.uint8]
    setpoint_w: Floats
    """Where the mode is SETPOINT; anything elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """Where rows are after a step; their power is the mean over it."""

    power_w: Floats
    soc: Floats
    temperature_c: Floats
