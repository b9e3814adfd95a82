"""The one correction loop: from what was delivered to what must be asked for.

Three things bring the fleet back to its target, fastest first. Devices that fall silent are no
longer planned with (``fleet.headroom.reachable``), so the next round shares their part over the rest.
Pools (a vendor's devices of one class) that are connected and do not follow are left out likewise
(``failing``). What remains is a slow integral correction of the fleet's sum.

A sample that has not seen the last command says nothing about it: the loop compares with what was
asked for when the sample was taken, and waits while that is still moving.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet.columns import Codes, DeviceClass, Fleet, FleetState, Floats, Mask, over_chunks
from openadr_ven.fleet.headroom import SILENT_AFTER_S, newest_s

GAIN = 0.25
"""Of the error per tick of delay. Stable up to 2 sin(π / (2 (2n + 1))) with n ticks; this never overshoots."""
ACTUATION_S = 1.0
"""From our sending to a device's doing, through a broker and a gateway."""
SETTLE_S = 3.0
"""A target must have stood so long, beyond the delay, before its error is believed."""
STEADY = 0.01
"""A target that moved less than this, relatively, stood still."""
DECAY_S = 1.0
"""After silence is noticed, what a device was last seen to give fades this fast to what it is asked for."""
RATIO_S = 10.0
"""How fast a pool's response ratio is learnt …"""
FORGET_S = 3600.0
"""… and forgotten, when it is not asked for anything: everybody gets another chance."""
FOLLOWS_MIN = 0.3
"""A pool that gives less of what it is asked for is left out …"""
FOLLOWS_AGAIN = 0.5
"""… until its ratio is forgotten up to this: after about twenty minutes."""
POOL_MIN_W = 1_000.0
"""Pools asked for less than this are too small to judge."""
HISTORY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the fleet was asked for at a moment, the correction not counted."""

    at_s: float
    target_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """What the loop remembers; stored with each round."""

    correction_w: float = 0.0
    """To add to the target, before the guard."""
    ratio: tuple[float, ...] = ()
    """By pool: given as a share of asked."""
    left_out: tuple[bool, ...] = ()
    """By pool: it did not follow, and is not asked for now."""
    asked: tuple[Asked, ...] = ()
    """Of the last half minute, oldest first."""


def pools(fleet: Fleet) -> NDArray[np.int64]:
    """Each row's pool: vendor and class."""
    return _pools(fleet.vendor, fleet.device_class)


def _pools(vendor: Codes, device_class: NDArray[np.uint8]) -> NDArray[np.int64]:
    return vendor.astype(np.int64) * len(DeviceClass) + device_class


def failing(trim: Trim, fleet: Fleet) -> Mask:
    """Devices of pools that are connected and do not follow."""
    if not trim.left_out:
        return np.zeros(fleet.size, dtype=np.bool_)
    return np.array(trim.left_out)[pools(fleet)]


def given_w(
    trim: Trim, fleet: Fleet, state: FleetState, *, baseline_w: Floats, relief_w: Floats, now_s: float
) -> Floats:
    """Relief of each device by its newest sample; ``relief_w`` is what the last round asked for.

    A missing sample's value is held while silence is not certain, then fades to what the device, at
    its pool's ratio, gives of what it is asked for: nothing, once it is planned without.
    """
    newest, came_w = newest_s(state, now_s), np.empty(fleet.size)
    ratio = np.array(trim.ratio or (1.0,) * (len(fleet.vendor_names) * len(DeviceClass)))

    def look(part: slice) -> None:
        heard_at_s, measured_at_s = state.heard_at_s[part], state.measured_at_s[part]
        came_w[part] = np.where(np.isfinite(heard_at_s), baseline_w[part] - state.power_w[part], 0.0)
        silent_s = newest - np.minimum(heard_at_s, measured_at_s) - SILENT_AFTER_S
        fading = np.flatnonzero(silent_s > 0.0)
        rows, left = fading + part.start, np.exp(-silent_s[fading] / DECAY_S)
        expected_w = ratio[_pools(fleet.vendor[rows], fleet.device_class[rows])] * relief_w[rows]
        came_w[rows] = came_w[rows] * left + expected_w * (1.0 - left)

    over_chunks(look, fleet.size)
    return came_w


def next_trim(
    trim: Trim,
    fleet: Fleet,
    *,
    target_w: float,
    relief_w: Floats,
    given: Floats,
    available_w: float,
    delay_s: float,
    tick_s: float,
    now_s: float,
) -> Trim:
    """The loop's next state; call it once a tick, before the round that uses its correction.

    ``target_w`` is what the guard admitted less the correction in it, ``relief_w`` the last round's
    commands, ``given`` what ``given_w`` says came of them, ``available_w`` the last plan's,
    ``delay_s`` the age of the samples. A target of nothing forgets the correction: release is the
    guard's affair.
    """
    asked = (*(one for one in trim.asked if one.at_s > now_s - HISTORY_S), Asked(at_s=now_s, target_w=target_w))
    trim = replace(trim, asked=asked, ratio=trim.ratio or (1.0,) * (len(fleet.vendor_names) * len(DeviceClass)))
    if target_w <= 0.0:
        return replace(trim, correction_w=0.0)
    reference_w = _steady_target(asked, now_s, delay_s + ACTUATION_S)
    if reference_w is None:
        return trim
    trim = _learnt(trim, fleet, relief_w, given, tick_s)
    delay_ticks = max(1.0, (delay_s + ACTUATION_S) / tick_s)
    overall = _overall_ratio(trim, fleet, relief_w)
    correction_w = trim.correction_w + GAIN / delay_ticks / overall * (reference_w - float(given.sum()))
    return replace(trim, correction_w=float(np.clip(correction_w, -target_w, max(available_w - target_w, 0.0))))


def _steady_target(asked: tuple[Asked, ...], now_s: float, delay_s: float) -> float | None:
    """What was asked for when the samples were taken, if it had stood still until then and since."""
    since_s = now_s - delay_s - SETTLE_S
    inside = [one.target_w for one in asked if one.at_s >= since_s]
    if asked[0].at_s > since_s or max(inside) - min(inside) > STEADY * max(inside):
        return None
    return inside[0]


def _learnt(trim: Trim, fleet: Fleet, relief_w: Floats, given: Floats, tick_s: float) -> Trim:
    """Response ratios after another look at the devices that were asked for something."""
    pool, ratio = pools(fleet), np.array(trim.ratio)
    asked = relief_w > 0.0
    asked_w = np.bincount(pool[asked], weights=relief_w[asked], minlength=ratio.size)
    came_w = np.bincount(pool[asked], weights=given[asked], minlength=ratio.size)
    seen = np.clip(came_w / np.maximum(asked_w, POOL_MIN_W), 0.0, 1.5)
    learnt = ratio + (seen - ratio) * -np.expm1(-tick_s / RATIO_S)
    forgotten = ratio + (1.0 - ratio) * -np.expm1(-tick_s / FORGET_S)
    ratio = np.where(asked_w >= POOL_MIN_W, learnt, forgotten)
    was_out = np.array(trim.left_out or (False,) * ratio.size)
    left_out = ratio < np.where(was_out, FOLLOWS_AGAIN, FOLLOWS_MIN)
    return replace(trim, ratio=tuple(ratio.tolist()), left_out=tuple(left_out.tolist()))


def _overall_ratio(trim: Trim, fleet: Fleet, relief_w: Floats) -> float:
    """Of the whole fleet, weighted by what is asked of each pool."""
    total_w = float(relief_w.sum())
    if total_w <= 0.0:
        return 1.0
    return max(0.5, float((relief_w * np.array(trim.ratio)[pools(fleet)]).sum()) / total_w)
