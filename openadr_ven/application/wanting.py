"""What each of the asks that rule now wants in watts, and how a round's watts are theirs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from openadr_ven.application.accounting import Share
from openadr_ven.application.asking import Ask, asked_w, filled, meet
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.plan import Plan
from openadr_ven.fleet.columns import Direction

PRICE_POLICY = "wear"
"""Whose costs are money: what a price is compared with."""

MarketOf = Callable[[Direction, str | None], Market]
"""The fleet's offers in a direction, by a policy's name; None for the program's own."""


@dataclass(slots=True)
class Wants:
    """Watts by ask. A level or a price is worth what the fleet could give when it began; it does not shrink in use."""

    levels: Mapping[str, Sequence[float]]
    reference: Mapping[str, float]
    _known_w: dict[tuple[str, int, str, int], float] = field(default_factory=dict)

    def of(
        self, asks: Sequence[Ask], *, baseline_of: Callable[[Ask], float], market_of: Callable[[Ask], MarketOf]
    ) -> tuple[float, ...]:
        """``baseline_of`` and ``market_of`` tell what the ask's own devices take without it, and offer."""
        wanted: list[float] = []
        for place, ask in enumerate(asks):
            if ask.key not in self._known_w:
                before = zip(asks[:place], wanted, strict=True)
                taken_w = sum(max(watts, 0.0) for other, watts in before if meet(ask, other))
                self._known_w[ask.key] = self.watts(
                    ask, baseline_w=baseline_of(ask), market_of=market_of(ask), taken_w=taken_w
                )
            wanted.append(self._known_w[ask.key])
        self._known_w = {ask.key: self._known_w[ask.key] for ask in asks}
        return tuple(wanted)

    def watts(self, ask: Ask, *, baseline_w: float, market_of: MarketOf, taken_w: float = 0.0) -> float:
        """Of one ask; ``taken_w`` is what asks before it have taken of the fleet already."""

        def worth(margin: float) -> float:
            way = Direction.LOAD if margin < 0.0 else Direction.RELIEF
            return way * market_of(way, PRICE_POLICY).worth_w(abs(margin))

        return asked_w(
            ask.segment,
            baseline_w=baseline_w,
            available_w=max(market_of(Direction.RELIEF, None).most_w - taken_w, 0.0),
            levels=self.levels,
            worth=worth,
            reference=self.reference,
        )


def shared(
    event_ids: Sequence[str],
    wanted_w: Sequence[float],
    *,
    allowed_w: float,
    plan: Plan,
    acknowledged_w: float,
    delivered_w: float,
) -> tuple[Share, ...]:
    """A round's watts by event, each watt once: the first in precedence is served first."""
    allowed, commanded, acknowledged, delivered = (
        filled(wanted_w, total) for total in (allowed_w, plan.planned_w, acknowledged_w, delivered_w)
    )
    missing = [max(abs(wanted) - abs(given), 0.0) for wanted, given in zip(wanted_w, commanded, strict=True)]
    all_missing = sum(missing)
    return tuple(
        Share(
            event_id=event_id,
            asked_w=wanted_w[place],
            allowed_w=allowed[place],
            commanded_w=commanded[place],
            acknowledged_w=acknowledged[place],
            delivered_w=delivered[place],
            shortfall_w={
                cause.value: watts * missing[place] / all_missing
                for cause, watts in plan.shortfall_by_cause.items()
                if all_missing > 0.0
            },
        )
        for place, event_id in enumerate(event_ids)
    )
