"""What the fleet could be asked for, looked at once a minute: for operators, and for the VTN's reports."""

from dataclasses import replace
from datetime import datetime

from openadr_ven.application.control import Control
from openadr_ven.application.observation import Observation
from openadr_ven.application.ports import UnitOfWork
from openadr_ven.dispatch.book import offer_book
from openadr_ven.dispatch.capability import DURATIONS_S, Capability, CapabilityModel
from openadr_ven.dispatch.network import network
from openadr_ven.domain.delivered import delivered_over
from openadr_ven.fleet.model import Outlook

EVENTS_MAX = 100
"""The newest events that a promise is measured against."""


def look(
    model: CapabilityModel,
    seen: Observation,
    control: Control,
    *,
    ratios: list[float],
    soc_floor: float,
    now: datetime,
) -> Capability:
    """The fleet as it stands, within its network: devices in reach whose owners allow it."""
    fleet, state = seen.fleet, seen.state
    engaged = control.engaged
    baseline_w = state.power_w if engaged is None else engaged.baseline_w
    outlook = Outlook(now_s=now.timestamp(), horizon_s=DURATIONS_S[0], soc_floor=soc_floor)
    bound = control.owners.bound(control.conditions, event_id="", now=now)
    book = offer_book(
        fleet, state, baseline_w, outlook=outlook, levels=network(fleet, baseline_w), withheld=bound.withheld
    )  # fmt: skip
    found = model.now(
        state,
        book.usable,
        now_s=outlook.now_s,
        soc_floor=soc_floor,
        baseline_w=baseline_w,
        ratios=ratios,
    )
    by_network = book.can_w > book.most_w * (1.0 + 1e-9)
    return replace(found, network_w=book.most_w) if by_network else found


async def kept_promises(unit: UnitOfWork) -> list[float]:
    """Of the newest events that asked for something, what came of each watt that was planned."""
    ratios = []
    for held in (await unit.held_events())[-EVENTS_MAX:]:
        total = delivered_over(await unit.deliveries(held.event.id))
        if total is not None and total.commanded_w:
            ratios.append(total.delivered_w / total.commanded_w)
    return ratios
