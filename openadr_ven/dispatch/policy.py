"""Who is asked first: a policy is a cost and a slope per device, and clearing does the rest.

proportional   every device gives the same share of its headroom
merit          the cheapest first, by what their owners ask
endurance      those that can go on longest first, levelling the time that is left: it serves every
               profile that any policy could serve, without knowing it in advance (Evans, Tindemans,
               Angeli, 2019, for storage without network limits)
wear           batteries pay for their cycles, comfort and departures for their owners' patience: at
               each price, what is best for the households
rotation       those first who have given least of what they allow in a season
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from openadr_ven.dispatch.clear import Offers
from openadr_ven.fleet.columns import DeviceClass, Fleet, Floats
from openadr_ven.fleet.model import HOUR_S, Headroom

SLOT_MIN_S = 300.0
"""Levelling over less would swing whole devices on one per cent of noise in a state of charge."""
ENDURANCE_MAX_H = 24.0
"""Longer is as good as for ever, and an infinite price cannot be searched."""
MERIT_SPREAD = 1e-6
"""How far prices may part within one device, as a share of the fleet's spread: small, or the order blurs."""
CYCLE_COST_PER_KWH = 0.07
"""LiFePO4: 6,000 cycles from 400 per kWh of replacement."""
BURDEN_SPREAD = 0.05
"""A device gives all it has to those who have used up this much more of their season."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Occasion:
    """What a policy may look at besides the devices."""

    horizon_s: float
    """Seconds that remain."""
    burden: Floats | None = None
    """By row, how much of what its owner allows in a season is used up (``terms.burden``); None for nothing."""


Policy = Callable[[Fleet, Headroom, Occasion], Offers]


def proportional(fleet: Fleet, headroom: Headroom, _occasion: Occasion) -> Offers:
    """The same share of its headroom from every device."""
    return Offers.of(np.zeros(fleet.size), headroom.relief_w, headroom.relief_w)


def merit(fleet: Fleet, headroom: Headroom, _occasion: Occasion) -> Offers:
    """The cheapest ask first."""
    cost = np.nan_to_num(fleet.ask_per_kwh)
    spread = max(float(np.ptp(cost)) if cost.size else 0.0, 1e-3)
    return Offers.of(cost, headroom.relief_w / (MERIT_SPREAD * spread), headroom.relief_w)


def endurance(_fleet: Fleet, headroom: Headroom, occasion: Occasion) -> Offers:
    """The longest-lasting first; prices are hours, negative."""
    cost = headroom.endurance_s * (-1.0 / HOUR_S)
    np.maximum(cost, -ENDURANCE_MAX_H, out=cost)
    slot_h = max(occasion.horizon_s, SLOT_MIN_S) / HOUR_S
    return Offers.of(cost, headroom.power_w * (1.0 / slot_h), headroom.relief_w)


def wear(fleet: Fleet, headroom: Headroom, _occasion: Occasion) -> Offers:
    """What an owner asks, plus what a cycle takes out of a battery, shared out as costs rise."""
    stores = np.isin(fleet.device_class, (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL))
    cost = np.nan_to_num(fleet.ask_per_kwh) + CYCLE_COST_PER_KWH * stores
    return Offers.of(cost, headroom.relief_w / CYCLE_COST_PER_KWH, headroom.relief_w)


def rotation(fleet: Fleet, headroom: Headroom, occasion: Occasion) -> Offers:
    """The least burdened first; prices are shares of a season's allowance."""
    used = np.zeros(fleet.size) if occasion.burden is None else occasion.burden
    return Offers.of(used, headroom.relief_w / BURDEN_SPREAD, headroom.relief_w)


def blend(weights: Mapping[Policy, float], spans: Mapping[Policy, float]) -> Policy:
    """Several policies at once, each weighed against its span of prices, since their units differ.

    A span is the same whoever is in the fleet: parts of one that are looked at apart must agree.

    Costs add up, and slopes harmonically: the sum of costs that rise in a straight line rises in one too.
    """

    def blended(fleet: Fleet, headroom: Headroom, occasion: Occasion) -> Offers:
        cost, steepness = np.zeros(fleet.size), np.zeros(fleet.size)
        for policy, weight in weights.items():
            offers = policy(fleet, headroom, occasion)
            scale = weight / spans[policy]
            cost += scale * offers.cost
            with np.errstate(divide="ignore"):
                steepness += np.where(offers.slope > 0.0, scale / offers.slope, 0.0)
        slope = np.divide(1.0, steepness, out=np.zeros(fleet.size), where=steepness > 0.0)
        return Offers.of(cost, slope, headroom.relief_w)

    return blended


SPANS: dict[Policy, float] = {endurance: ENDURANCE_MAX_H, rotation: 1.0}
"""From one end of a policy's prices to the other: hours that are left, and a season's allowance."""
POLICIES: dict[str, Policy] = {
    "proportional": proportional, "merit": merit, "endurance": endurance, "wear": wear, "rotation": rotation,
    "fair endurance": blend({endurance: 0.5, rotation: 0.5}, SPANS),
}  # fmt: skip
"""By the name that a setting uses."""
DEFAULT_POLICY = "endurance"


def shares(headroom: Headroom, target_w: float) -> Floats:
    """Proportional relief without network limits, in closed form: what a simple aggregator does."""
    total_w = float(headroom.relief_w.sum())
    return headroom.relief_w * (min(1.0, max(0.0, target_w) / total_w) if total_w > 0.0 else 0.0)
