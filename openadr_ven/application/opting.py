"""The operator's opts in a control round: which devices they take out of which event, and what is still to be told."""

from collections.abc import Sequence
from datetime import datetime

from openadr_core.model.availability import OptRules, Resource, newest_of
from openadr_core.model.event import DrEvent
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.oadr2.market_context import normalised
from openadr_ven.domain.opts import OptOrder, qualifications_of, schedules_of
from openadr_ven.fleet.columns import Fleet, Mask
from openadr_ven.fleet.naming import rows_in
from openadr_ven.fleet.opted import Spoken, opted_out, qualified_out, spoken

BY_SCHEDULE = "out by opt schedule"
"""How the reason begins of an event that was refused because the whole fleet is out: it may come back in."""


class Opting:
    """What was said, as the fleet's columns see it. The masks are a cache: they follow from orders and time."""

    def __init__(self, fleet: Fleet, *, fleet_name: str, rules: OptRules) -> None:
        self._fleet = fleet
        self._fleet_name = fleet_name
        self._rules = rules
        self._spoken: dict[str, Spoken] = {}
        self.orders: tuple[OptOrder, ...] = ()

    def heed(self, orders: Sequence[OptOrder]) -> bool:
        """Take these for all that was said; whether anything else holds now."""
        said = [(order.number, order.schedule, order.qualification, order.cancels) for order in orders]
        before = [(order.number, order.schedule, order.qualification, order.cancels) for order in self.orders]
        self.orders = tuple(orders)
        if said == before:
            return False
        self._spoken.clear()
        return True

    def out(self, event: DrEvent, at: datetime) -> Mask | None:
        """The devices that are out of an event at a moment; None if nothing was ever said."""
        qualifications = qualifications_of(self.orders, event.id)
        said = self._speaking(event)
        if not said.schedules and not qualifications and self._rules.default is OptType.IN:
            return None
        out = opted_out(said, self._rules, at)
        return qualified_out(self._fleet, qualifications, out, fleet_name=self._fleet_name)

    def words(self) -> list[Qualification]:
        """What was last said to each event for the whole fleet."""
        said = {
            one.event_id: one
            for one in (order.qualification for order in self.orders)
            if one is not None and rows_in(self._fleet, one.scope, fleet_name=self._fleet_name).all()
        }
        return list(said.values())

    def refusal(self, event: DrEvent, at: datetime) -> str:
        """Why all of the fleet is out of all that is left of the event; empty if any of it is in at any time."""
        said = self._speaking(event)
        if not said.schedules and self._rules.default is OptType.IN:
            return ""
        edges = {
            edge for one in said.schedules for span in one.spans for edge in (span.starts_at, span.ends_at) if edge
        }
        since = max(event.starts_at, at)
        moments = {since, *(edge for edge in edges if edge > since)}
        if event.ends_at is not None:
            moments = {moment for moment in moments if moment < event.ends_at}
        if not all(opted_out(said, self._rules, moment).all() for moment in moments):
            return ""
        whole = Resource(names=frozenset({self._fleet_name}), market_context=normalised(event.market_context))
        newest = newest_of(said.schedules, OptType.OUT, whole)
        return f"{BY_SCHEDULE} {newest.id}: {newest.reason}" if newest is not None else f"{BY_SCHEDULE}s"

    def _speaking(self, event: DrEvent) -> Spoken:
        context = normalised(event.market_context)
        if context not in self._spoken:
            self._spoken[context] = spoken(
                self._fleet, schedules_of(self.orders), market_context=context, fleet_name=self._fleet_name
            )
        return self._spoken[context]
