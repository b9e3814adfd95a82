"""A round over several parts of the fleet: what is asked of some devices binds no others.

Most events are for all of the fleet, and then there is one part. Where there are several, each is cleared
by itself: the smallest first, since what is asked of it can come from nowhere else, and none takes a device
that another has under command. What is let go of (by the release ramp) is let go of by those who have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from openadr_ven.application.accounting import Share
from openadr_ven.application.asking import Ask, filled
from openadr_ven.application.wanting import shared
from openadr_ven.dispatch.plan import Plan
from openadr_ven.fleet.columns import Floats, Mask, Mode


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Devices, and the asks that they are for, by place."""

    rows: Mask | None
    """None for all of the fleet."""
    asks: tuple[int, ...] = ()


class PlanPart(Protocol):
    def __call__(self, among: Mask | None, target_w: float, asked_w: float, beside_w: Floats | None = None) -> Plan:
        """A plan over these devices for a target, where so much was asked; others have this relief planned already."""


def parts_of(asks: Sequence[Ask]) -> tuple[Part, ...]:
    """The parts in the order of their first asks."""
    parts: list[Part] = []
    for place, ask in enumerate(asks):
        same = next((index for index, part in enumerate(parts) if _is_same(part.rows, ask.rows)), None)
        if same is None:
            parts.append(Part(rows=ask.rows, asks=(place,)))
        else:
            parts[same] = replace(parts[same], asks=(*parts[same].asks, place))
    return tuple(parts)


def plan_parts(
    parts: Sequence[Part],
    wanted_w: Sequence[float],
    *,
    target_w: float,
    due_w: float,
    asked_w: float,
    under_command: Mask,
    plan: PlanPart,
) -> tuple[Plan, ...]:
    """A plan of each part, in their order, and of what is let go of, if anything is.

    The target is shared out over what is wanted, the first ask first; ``due_w`` is all that is wanted, with what makes
    good for devices that do not follow. What the target is beyond that is on its way down.
    """
    if len(parts) == 1 and parts[0].rows is None:
        return (plan(None, target_w, asked_w),)
    loose = under_command.copy()
    for part in parts:
        loose &= False if part.rows is None else ~part.rows
    kept_w = min(target_w, due_w, key=abs) if loose.any() else target_w
    targets, asked = filled(wanted_w, kept_w), filled(wanted_w, asked_w)
    plans: dict[int, Plan] = {}
    taken, beside_w = loose, np.zeros(loose.size)
    for place in sorted(range(len(parts)), key=lambda one: _size(parts[one].rows)):
        rows = parts[place].rows
        rows = ~taken if rows is None else rows & ~taken
        mine = parts[place].asks
        made = plan(rows, sum(targets[one] for one in mine), sum(asked[one] for one in mine), beside_w)
        taken, beside_w = taken | (made.mode != Mode.RELEASE), beside_w + made.relief_w
        plans[place] = made
    ordered = [plans[place] for place in range(len(parts))]
    if loose.any() or not ordered:
        left_w = target_w - sum(targets)
        ordered.append(plan(loose, left_w, left_w, beside_w))
    return tuple(ordered)


def merged(plans: Sequence[Plan]) -> Plan:
    """One plan of several that share no device."""
    first = plans[0]
    if len(plans) == 1:
        return first
    mode, setpoint_w, relief_w = first.mode.copy(), first.setpoint_w.copy(), first.relief_w.copy()
    for one in plans[1:]:
        told = one.mode != Mode.RELEASE
        mode[told], setpoint_w[told], relief_w[told] = one.mode[told], one.setpoint_w[told], one.relief_w[told]
    causes = {cause for one in plans for cause in one.shortfall_by_cause}
    return replace(
        first,
        following=None,
        relief_w=relief_w,
        mode=mode,
        setpoint_w=setpoint_w,
        planned_w=sum(one.planned_w for one in plans),
        available_w=sum(one.available_w for one in plans),
        shortfall_w=sum(one.shortfall_w for one in plans),
        shortfall_by_cause={
            cause: sum(one.shortfall_by_cause.get(cause, 0.0) for one in plans) for cause in sorted(causes)
        },
    )


def shares_of(
    parts: Sequence[Part],
    plans: Sequence[Plan],
    event_ids: Sequence[str],
    wanted_w: Sequence[float],
    *,
    allowed_w: float,
    acknowledged_w: Floats,
    delivered_w: Floats,
) -> tuple[Share, ...]:
    """Each event's own of a round, part by part: what a part's devices do is no other's.

    The last two are by device. Without any ask, all is the first event's, which is being let go of.
    """
    allowed = filled(wanted_w, allowed_w) or (allowed_w,)
    shares: list[Share] = []
    # A plan beyond the parts is of what is let go of, and nobody's any more.
    for part, plan in zip(parts or (Part(rows=None),), plans, strict=False):
        mine = part.asks or (0,)
        rows = slice(None) if part.rows is None else part.rows
        shares += shared(
            [event_ids[one] for one in mine],
            [wanted_w[one] for one in part.asks] or [0.0],
            allowed_w=sum(allowed[one] for one in mine),
            plan=plan,
            acknowledged_w=float(acknowledged_w[rows].sum()),
            delivered_w=float(delivered_w[rows].sum()),
        )
    return tuple(shares)


def _is_same(one: Mask | None, other: Mask | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other))


def _size(rows: Mask | None) -> float:
    return float("inf") if rows is None else float(np.count_nonzero(rows))
