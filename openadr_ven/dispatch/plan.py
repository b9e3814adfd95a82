"""One round of dispatch: from a target in watts to a command for every device, and what falls short and why.

A round depends on its arguments alone, so the same telemetry gives the same commands, after a
restart too. Continuous devices take up every change; devices that are shed whole stay as they are
until the continuous ones cannot close the gap, so nobody's compressor follows a control loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.caps import Level, capped
from openadr_ven.dispatch.clear import Offers, clear, relief_at
from openadr_ven.dispatch.policy import Policy, endurance
from openadr_ven.dispatch.rounding import not_beyond, sample, within
from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mask, Mode
from openadr_ven.fleet.headroom import HORIZON_MIN_S, headroom, only, reachable
from openadr_ven.fleet.model import Headroom, Outlook

COMMAND_MIN_W = 1.0
"""Less relief than this is no command: meters of homes do not see it."""
CLOSE_ENOUGH = 1e-9


class Cause(StrEnum):
    """Why watts are missing."""

    ENVELOPE = "envelope"
    """The safety envelope allows less than was asked, or not yet."""
    NETWORK_LIMIT = "network_limit"
    """Transformers or feeders are full."""
    OFFLINE = "offline"
    """Devices that could have given it are silent, unplugged, or taken back by their owners."""
    NO_HEADROOM = "no_headroom"
    """The fleet has no more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Commands for every device of the fleet, and what they should add up to."""

    relief_w: Floats
    mode: NDArray[np.uint8]
    setpoint_w: NDArray[np.float32]
    price: float
    """Where the fleet cleared, in the policy's unit."""
    planned_w: float
    """What the commands add up to: what should be delivered, not what was."""
    available_w: float
    """The most that could have been planned, within the network's limits."""
    shortfall_w: float
    shortfall_by_cause: Mapping[Cause, float]


def plan_round(
    fleet: Fleet,
    state: FleetState,
    baseline_w: Floats,
    target_w: float,
    *,
    outlook: Outlook,
    levels: tuple[Level, ...] = (),
    policy: Policy = endurance,
    uniform: float = 0.5,
    asked_w: float | None = None,
    shed_before: Mask | None = None,
    excluded: Mask | None = None,
) -> Plan:
    """Share ``target_w`` (what the guard admitted) over the fleet.

    ``levels`` are the network's limits, ``uniform`` the event's one draw for devices that are shed
    whole, ``asked_w`` what the guard was asked to admit, ``shed_before`` what the last round shed, and
    ``excluded`` devices that are not to be used (``trim.failing``). A target below nothing counts as
    nothing: extra load is no relief.
    """
    target_w = max(target_w, 0.0)
    could = _headroom(fleet, state, baseline_w, outlook)
    reached = reachable(state, outlook.now_s)
    if excluded is not None:
        reached &= ~excluded
    can = only(could, reached)
    offers = capped(policy(fleet, can, outlook.horizon_s), levels)
    most_w = float(relief_at(offers, np.inf).sum())
    relief_w, price = _share(
        offers,
        levels,
        min(target_w, most_w),
        discrete=fleet.discrete(),
        shed_before=shed_before,
        uniform=uniform,
    )
    planned_w = float(relief_w.sum())
    short = _shortfall(
        asked_w=target_w if asked_w is None else asked_w,
        target_w=target_w,
        planned_w=planned_w,
        most_w=most_w,
        can_w=float(can.relief_w.sum()),
        could_w=float(could.relief_w.sum()),
    )
    mode, setpoint_w = relief_to_commands(fleet, baseline_w, relief_w)
    return Plan(
        relief_w=relief_w,
        mode=mode,
        setpoint_w=setpoint_w,
        price=price,
        planned_w=planned_w,
        available_w=most_w,
        shortfall_w=sum(short.values()),
        shortfall_by_cause=short,
    )


def available_w(
    fleet: Fleet,
    state: FleetState,
    baseline_w: Floats,
    *,
    outlook: Outlook,
    levels: tuple[Level, ...] = (),
    excluded: Mask | None = None,
) -> float:
    """The most relief that the fleet could sustain over the horizon, within the network's limits."""
    reached = reachable(state, outlook.now_s)
    if excluded is not None:
        reached &= ~excluded
    can = only(_headroom(fleet, state, baseline_w, outlook), reached)
    return float(relief_at(capped(endurance(fleet, can, outlook.horizon_s), levels), np.inf).sum())


def relief_to_commands(
    fleet: Fleet, baseline_w: Floats, relief_w: Floats
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """What each device is told: its mode, and its net power where it takes a setpoint."""
    asked = relief_w >= COMMAND_MIN_W
    mode = np.where(asked, np.where(fleet.discrete(), Mode.SHED, Mode.SETPOINT), Mode.RELEASE).astype(np.uint8)
    setpoint_w = np.where(mode == Mode.SETPOINT, baseline_w - relief_w, 0.0).astype(np.float32)
    return mode, setpoint_w


def transformer_loading(fleet: Fleet, power_w: Floats, load_w: Floats) -> Floats:
    """Net power through each transformer, either way, as a share of its rating, by transformer code.

    ``load_w`` is everything behind it that is not in the fleet.
    """
    through_w = np.bincount(fleet.transformer, weights=power_w, minlength=load_w.size) + load_w
    return np.abs(through_w) / fleet.transformer_limit_w


def _headroom(fleet: Fleet, state: FleetState, baseline_w: Floats, outlook: Outlook) -> Headroom:
    return headroom(fleet, state, baseline_w, replace(outlook, horizon_s=max(outlook.horizon_s, HORIZON_MIN_S)))


def _share(
    offers: Offers,
    levels: tuple[Level, ...],
    target_w: float,
    *,
    discrete: Mask,
    shed_before: Mask | None,
    uniform: float,
) -> tuple[Floats, float]:
    """Relief per device, and the price. Whole devices keep their state if the others can close the gap."""
    if shed_before is not None and target_w > 0.0:
        kept = within(shed_before & discrete, offers.upper_w, levels)
        relief_w, price = _around(offers, levels, target_w, discrete, kept)
        if abs(float(relief_w.sum()) - target_w) <= CLOSE_ENOUGH * target_w:
            return relief_w, price
    price = clear(offers, target_w)
    relief_w = relief_at(offers, price)
    share = np.divide(relief_w, offers.upper_w, out=np.zeros(relief_w.size), where=discrete & (offers.upper_w > 0.0))
    drawn = sample(share, offers.upper_w, uniform)
    if np.array_equal(drawn, share > 0.0) and bool((share[drawn] >= 1.0).all()):
        return relief_w, price
    drawn = within(drawn, offers.upper_w, levels)
    if (offers.upper_w[~discrete] > 0.0).any():
        drawn = not_beyond(drawn, offers.upper_w, target_w)
    return _around(offers, levels, target_w, discrete, drawn)


def _around(
    offers: Offers, levels: tuple[Level, ...], target_w: float, discrete: Mask, shed: Mask
) -> tuple[Floats, float]:
    """What the continuous devices add to these shed ones to reach the target."""
    shed_w = np.where(shed, offers.upper_w, 0.0)
    left = tuple(
        Level(starts=level.starts, limit_w=np.maximum(level.limit_w - np.add.reduceat(shed_w, level.starts), 0.0))
        for level in levels
    )
    continuous = capped(Offers.of(offers.cost, offers.slope, np.where(discrete, 0.0, offers.upper_w)), left)
    price = clear(continuous, target_w - float(shed_w.sum()))
    return relief_at(continuous, price) + shed_w, price


def _shortfall(
    *, asked_w: float, target_w: float, planned_w: float, most_w: float, can_w: float, could_w: float
) -> dict[Cause, float]:
    """What is missing, each watt charged to the first cause that would have given it."""
    missing_w = max(target_w - planned_w, 0.0)
    by_network_w = min(missing_w, can_w - most_w)
    by_offline_w = min(missing_w - by_network_w, could_w - can_w)
    causes = {
        Cause.ENVELOPE: max(asked_w - target_w, 0.0),
        Cause.NETWORK_LIMIT: by_network_w,
        Cause.OFFLINE: by_offline_w,
        Cause.NO_HEADROOM: missing_w - by_network_w - by_offline_w,
    }
    return {cause: watts for cause, watts in causes.items() if watts > COMMAND_MIN_W}
