"""The markets of one round, of the fleet or a part of it, and the plans that come of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from openadr_ven.application.asking import Ask
from openadr_ven.application.parts import PlanPart
from openadr_ven.application.turns import Turns
from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.bulletin import FOLLOWED, Following
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.cell import Sight
from openadr_ven.dispatch.cutting import levels_within
from openadr_ven.dispatch.market import Ask as AskCells
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.plan import Plan, plan_over
from openadr_ven.dispatch.plausible import Implausible
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.domain.held import HeldEvent
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, Floats, Mask, Mode
from openadr_ven.fleet.model import Outlook

OUTLOOK_STEP_S = 60.0
Found = TypeVar("Found")


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


class Floor(Protocol):
    """Where the fleet's cells are: in this process (``dispatch.cell.Cells``), or with shards."""

    @property
    def parts(self) -> Sequence[slice]:
        """The rows of each cell."""

    def open(self, sights: Sequence[Sight]) -> AskCells:
        """A round, by what is seen of each cell. To ask may be ``Implausible``: then it is opened anew."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Books:
    fleet: Fleet
    state: FleetState
    engaged: Engaged
    outlook: Outlook
    """Books look ahead in whole steps (``_steady``): else the time that passes would make every one of them anew."""
    policy: str
    """The program's."""
    reached: Mask
    """Devices that can be asked, and relied on: who was heard last is for the whole fleet to say."""
    withheld: Mask
    burden: Floats
    floor: Floor
    tells_prices: bool = False
    """Whether devices may follow a price themselves: then plans say what they follow."""
    _whole: dict[tuple[Direction, str], Market] = field(default_factory=dict)
    """The markets of all of the fleet, before anything is planned."""

    def usual_w(self, ask: Ask) -> float:
        """What the ask's own devices take without it."""
        baseline_w = self.engaged.baseline_w
        return float((baseline_w if ask.rows is None else baseline_w[ask.rows]).sum())

    def markets(self, ask: Ask) -> Callable[[Direction, str | None], Market]:
        """The offers of the ask's own devices."""
        return partial(self.market, ask.rows)

    def market(self, among: Mask | None, way: Direction, policy: str | None = None) -> Market:
        """The offers of these devices, None for all, by a policy's name; None for the program's own."""
        key = (way, policy or self.policy)
        if among is not None:
            return self._market(among, *key)
        if key not in self._whole:
            self._whole[key] = self._market(None, *key)
        return self._whole[key]

    def believed(self, find: Callable[[], Found]) -> Found:
        """What is found in these markets; anew, if somebody is found not to be believed: he is asked no more."""
        while True:
            try:
                return find()
            except Implausible:
                self._whole.clear()

    def book(self, among: Mask | None, way: Direction) -> Book:
        """One book of all these devices, for who looks at each of them."""
        return offer_book(
            self.fleet,
            self.state,
            self.engaged.baseline_w,
            outlook=_steady(self.outlook),
            levels=self.engaged.levels[way],
            direction=way,
            policy=POLICIES[self.policy],
            reached=self.reached,
            withheld=self.withheld,
            burden=self.burden,
            among=among,
        )

    def planner(self, way: Direction, *, mode: NDArray[np.uint8], leased_w: Floats, now: datetime) -> PlanPart:
        """Plans in one direction; ``mode`` is what devices were told last, ``leased_w`` what others may still give."""
        relieves = way is Direction.RELIEF
        turns = self.engaged.turns if relieves else None
        in_turn_w = None if turns is None else turns.relief_w(now)
        held = mode == (Mode.SHED if relieves else Mode.LOAD_UP)

        def plan_part(among: Mask | None, target_w: float, asked_w: float, beside_w: Floats | None = None) -> Plan:
            return self.believed(lambda: find(among, target_w, asked_w, beside_w))

        def find(among: Mask | None, target_w: float, asked_w: float, beside_w: Floats | None) -> Plan:
            planned_w = None if beside_w is None or not beside_w.any() else np.maximum(way * beside_w, 0.0)
            taken = [watts for watts in (leased_w, planned_w) if watts is not None and watts.any()]
            quota_w = self._quota_w(planned_w)
            market = self._market(
                among, way, self.policy, beside_w=sum(taken[1:], taken[0]) if taken else None, quota_w=quota_w,
                held=held, in_turn_w=in_turn_w,
            )  # fmt: skip
            plan = plan_over(
                market, self.fleet, self.engaged.baseline_w, target_w, direction=way, uniform=self.engaged.uniform,
                asked_w=asked_w, has_held=True, has_turns=in_turn_w is not None,
            )  # fmt: skip
            if among is not None or not self.tells_prices or self.policy not in FOLLOWED or market.softness != 1.0:
                return plan
            holds, surcharge = market.following(self.floor.parts)
            following = Following(
                price=plan.price, direction=way, policy=self.policy, outlook=_steady(self.outlook), holds=holds,
                surcharge=surcharge,
            )  # fmt: skip
            return replace(plan, following=following)

        return plan_part

    def _market(
        self,
        among: Mask | None,
        way: Direction,
        policy: str,
        *,
        beside_w: Floats | None = None,
        quota_w: Floats | None = None,
        held: Mask | None = None,
        in_turn_w: Floats | None = None,
    ) -> Market:
        quota_w = self.fleet.vendor_limit_w if quota_w is None else quota_w
        state = self.state
        columns = {
            "soc": state.soc, "temperature_c": state.temperature_c, "plugged": state.plugged,
            "baseline_w": self.engaged.baseline_w, "withheld": self.withheld, "burden": self.burden,
            "reached": self.reached, "among": among, "beside_w": beside_w, "held": held, "in_turn_w": in_turn_w,
        }  # fmt: skip
        sights = [
            Sight(
                outlook=_steady(self.outlook),
                direction=way,
                policy=policy,
                quota_w=quota_w,
                columns={name: column[part] for name, column in columns.items() if column is not None},
                levels=levels_within(self.engaged.levels[way], part),
            )
            for part in self.floor.parts
        ]
        return Market(self.floor.open(sights), len(sights), quota_w=quota_w)

    def _quota_w(self, planned_w: Floats | None) -> Floats:
        """What vendors' quotas leave beside these watts."""
        quota_w = self.fleet.vendor_limit_w
        if planned_w is None or not np.isfinite(quota_w).any():
            return quota_w
        used_w = np.bincount(self.fleet.vendor, weights=planned_w, minlength=quota_w.size)
        return np.maximum(quota_w - used_w, 0.0)


def _steady(outlook: Outlook) -> Outlook:
    """The same outlook, a little on the safe side: later, and for longer, up to a step of each."""
    return replace(
        outlook,
        now_s=math.ceil(outlook.now_s / OUTLOOK_STEP_S) * OUTLOOK_STEP_S,
        horizon_s=math.ceil(outlook.horizon_s / OUTLOOK_STEP_S) * OUTLOOK_STEP_S,
    )
