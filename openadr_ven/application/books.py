"""The books of one round, of the fleet or a part of it, and the plans that come of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from openadr_ven.application.asking import Ask
from openadr_ven.application.parts import PlanPart
from openadr_ven.application.turns import Turns
from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.plan import Plan, plan_from
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.domain.held import HeldEvent
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, Floats, Mask, Mode
from openadr_ven.fleet.model import Outlook


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engaged:
    """The event under way, and what the fleet would take without it."""

    held: HeldEvent
    baseline_w: Floats
    baseline_at: datetime
    levels: Mapping[Direction, tuple[Level, ...]]
    """The network's limits, either way."""
    uniform: float
    """The event's one draw for devices that are shed whole."""
    turns: Turns | None = None
    """Of its houses, if it is long enough for turns."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Books:
    fleet: Fleet
    state: FleetState
    engaged: Engaged
    outlook: Outlook
    policy: str
    """The program's."""
    excluded: Mask
    withheld: Mask
    burden: Floats
    _whole: dict[tuple[Direction, str, bool], Book] = field(default_factory=dict)
    """The books of all of the fleet: most of a round's work, and done once."""

    def usual_w(self, ask: Ask) -> float:
        """What the ask's own devices take without it."""
        baseline_w = self.engaged.baseline_w
        return float((baseline_w if ask.rows is None else baseline_w[ask.rows]).sum())

    def books(self, ask: Ask) -> Callable[[Direction, str | None], Book]:
        """The offers of the ask's own devices."""
        return partial(self.book, ask.rows)

    def book(self, among: Mask | None, way: Direction, policy: str | None = None) -> Book:
        """The offers of these devices, None for all, by a policy's name; None for the program's own."""
        return self._book(among, way, policy or self.policy, None, None)

    def planner(self, way: Direction, *, mode: NDArray[np.uint8], leased_w: Floats, now: datetime) -> PlanPart:
        """Plans in one direction; ``mode`` is what devices were told last, ``leased_w`` what others may still give."""
        relieves = way is Direction.RELIEF
        turns = self.engaged.turns
        leased = leased_w if leased_w.any() else None

        def plan(among: Mask | None, target_w: float, asked_w: float, beside_w: Floats | None = None) -> Plan:
            planned_w = None if beside_w is None or not beside_w.any() else np.maximum(way * beside_w, 0.0)
            return plan_from(
                self._book(among, way, self.policy, leased, planned_w),
                self.fleet,
                self.engaged.baseline_w,
                target_w,
                uniform=self.engaged.uniform,
                asked_w=asked_w,
                held_before=mode == (Mode.SHED if relieves else Mode.LOAD_UP),
                in_turn_w=turns.relief_w(now) if turns is not None and relieves else None,
            )

        return plan

    def _book(
        self, among: Mask | None, way: Direction, policy: str, leased_w: Floats | None, planned_w: Floats | None
    ) -> Book:
        key = (way, policy, leased_w is None)
        is_whole = among is None and planned_w is None
        if is_whole and key in self._whole:
            return self._whole[key]
        levels = self.engaged.levels[way]
        for carried_w in (leased_w, planned_w):
            levels = levels if carried_w is None else tuple(level.beside(carried_w) for level in levels)
        made = offer_book(
            self.fleet if planned_w is None else _beside_vendors(self.fleet, planned_w),
            self.state,
            self.engaged.baseline_w,
            outlook=self.outlook,
            levels=levels,
            direction=way,
            policy=POLICIES[policy],
            excluded=self.excluded,
            withheld=self.withheld,
            burden=self.burden,
            among=among,
        )
        if is_whole:
            self._whole[key] = made
        return made


def _beside_vendors(fleet: Fleet, planned_w: Floats) -> Fleet:
    """The fleet with what its vendors' quotas leave beside these watts."""
    if not np.isfinite(fleet.vendor_limit_w).any():
        return fleet
    used_w = np.bincount(fleet.vendor, weights=planned_w, minlength=fleet.vendor_limit_w.size)
    return replace(fleet, vendor_limit_w=np.maximum(fleet.vendor_limit_w - used_w, 0.0))
