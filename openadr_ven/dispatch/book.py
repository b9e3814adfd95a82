"""The book of offers: all of a round that does not depend on its target.

Headroom, policy and the network's caps are the larger part of the work and change with telemetry, not
with events. So a book is made when telemetry has changed, and an event that comes in meanwhile needs
only its price.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from openadr_ven.dispatch.caps import Level, capped_by
from openadr_ven.dispatch.clear import Offers, SupplyCurve, relief_at, supply_curve
from openadr_ven.dispatch.policy import Occasion, Policy, endurance
from openadr_ven.dispatch.quota import Quotas
from openadr_ven.fleet.columns import IS_DISCRETE, Direction, Fleet, FleetState, Floats, Mask, Rows
from openadr_ven.fleet.headroom import HORIZON_MIN_S, headroom, only, reachable
from openadr_ven.fleet.model import Headroom, Outlook


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Giving:
    """The devices that have something to give, mostly a third of the fleet: a round's work is among these."""

    rows: Rows
    """Of the fleet; everything below is by place in it."""
    offers: Offers
    levels: tuple[Level, ...]
    """Above them."""
    quotas: Quotas | None
    """None where no vendor sets any."""
    whole: Mask
    """Which of them are shed, or run, whole."""

    @classmethod
    def among(cls, rows: Rows, fleet: Fleet, offers: Offers, levels: tuple[Level, ...]) -> "Giving":
        """These rows of a fleet's offers, within its network's levels."""
        limited = bool(np.isfinite(fleet.vendor_limit_w).any())
        return cls(
            rows=rows,
            offers=offers.only(rows),
            levels=tuple(level.among(rows) for level in levels),
            quotas=Quotas(vendor=fleet.vendor[rows], limit_w=fleet.vendor_limit_w) if limited else None,
            whole=IS_DISCRETE[fleet.device_class[rows]],
        )

    def within_offers(self) -> "Giving":
        """The same without the levels that nothing of what is offered fills."""
        return replace(self, levels=tuple(level for level in self.levels if level.can_bind(self.offers.upper_w)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Book:
    """What the fleet offers in one direction, and what holds it."""

    direction: Direction
    offers: Offers
    """Within the network's limits."""
    levels: tuple[Level, ...]
    node_prices: tuple[Floats, ...]
    """By level, where each node stops following."""
    giving: Giving
    usable: Mask
    """Within reach, and allowed by its owner."""
    can: Headroom
    """Of usable devices."""
    by_size: Rows
    """Places of those that give whole, smallest first."""
    most_w: float
    """The most that the fleet could give, within the network's limits."""
    can_w: float
    """Were there no network."""
    withheld_w: float
    """What is within reach and kept back by its owners' terms."""
    could_w: float
    """Were every device within reach besides, and every owner willing."""
    _curve: list[SupplyCurve] = field(default_factory=list)
    """The last that was asked for."""

    def curve(self, low: float, high: float) -> SupplyCurve:
        """What the fleet gives at prices between these two; kept, as the same are asked for in every round."""
        if not self._curve or (self._curve[0].price[0], self._curve[0].price[-1]) != (low, high):
            self._curve[:] = [supply_curve(self.giving.offers, low, high)]
        return self._curve[0]


def offer_book(
    fleet: Fleet,
    state: FleetState,
    baseline_w: Floats,
    *,
    outlook: Outlook,
    levels: tuple[Level, ...] = (),
    policy: Policy = endurance,
    direction: Direction = Direction.RELIEF,
    reached: Mask | None = None,
    excluded: Mask | None = None,
    withheld: Mask | None = None,
    burden: Floats | None = None,
    among: Mask | None = None,
) -> Book:
    """The book of a fleet as telemetry shows it, or of those devices ``among`` it that are asked at all.

    ``levels`` are the network's limits in this direction, ``reached`` the devices that can be asked if that is not for
    this telemetry to say (a part of a fleet does not know who was heard last), ``excluded`` devices that cannot be used
    (``trim.failing``, an opt-out) and ``withheld`` those whose owners' terms forbid it (``terms.binding``);
    ``burden`` is for policies that spread it.
    """
    long_enough = replace(outlook, horizon_s=max(outlook.horizon_s, HORIZON_MIN_S))
    could = headroom(fleet, state, baseline_w, long_enough, direction=direction)
    if among is not None:
        could = only(could, among)
    if reached is None:
        reached = reachable(state, outlook.now_s)
    if excluded is not None:
        reached = reached & ~excluded
    reached_w = float(could.relief_w.sum(where=reached))
    usable = reached if withheld is None else reached & ~withheld
    can = only(could, usable)
    held, node_prices = capped_by(policy(fleet, can, Occasion(horizon_s=outlook.horizon_s, burden=burden)), levels)
    giving = Giving.among(np.flatnonzero(can.relief_w > 0.0), fleet, held, levels).within_offers()
    whole = np.flatnonzero(giving.whole)
    most_w = relief_at(giving.offers, np.inf)
    quotas = giving.quotas
    most = most_w.sum() if quotas is None else np.minimum(quotas.sums(most_w), quotas.limit_w).sum()
    return Book(
        direction=direction,
        offers=held,
        levels=levels,
        node_prices=node_prices,
        giving=giving,
        usable=usable,
        can=can,
        by_size=whole[np.argsort(giving.offers.upper_w[whole], kind="stable")],
        most_w=float(most),
        can_w=(can_w := float(can.relief_w.sum())),
        withheld_w=reached_w - can_w,
        could_w=float(could.relief_w.sum()),
    )
