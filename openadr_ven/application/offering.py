"""What the fleet could be asked for, looked at once a minute: for operators, and for the VTN's reports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from openadr_ven.application.control import Control
from openadr_ven.application.observation import Observation
from openadr_ven.application.ports import UnitOfWork
from openadr_ven.application.report_offers import (
    AVAILABLE_POINT,
    CHARGE_POINT,
    DRAW_MAX_POINT,
    FEED_MAX_POINT,
    FEED_POINT,
    MORE_POINT,
    SHED_POINT,
    STORE_POINT,
)
from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.capability import DURATIONS_S, Capability, CapabilityModel
from openadr_ven.dispatch.clear import relief_at
from openadr_ven.dispatch.network import network
from openadr_ven.domain.delivered import delivered_over
from openadr_ven.fleet.columns import DeviceClass, Direction, Fleet, FleetState, Floats, Mask
from openadr_ven.fleet.model import Outlook

EVENTS_MAX = 100
"""The newest events that a promise is measured against."""


STORES = (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """The fleet, as it was looked at."""

    capability: Capability
    points: Mapping[str, float]
    """The same by data point, with what else reports tell of it."""


def look(
    model: CapabilityModel,
    seen: Observation,
    control: Control,
    *,
    ratios: list[float],
    soc_floor: float,
    now: datetime,
) -> Looked:
    """The fleet as it stands, within its network: devices in reach whose owners allow it."""
    fleet, state = seen.fleet, seen.state
    engaged = control.engaged
    baseline_w = state.power_w if engaged is None else engaged.baseline_w
    outlook = Outlook(now_s=now.timestamp(), horizon_s=DURATIONS_S[0], soc_floor=soc_floor)
    bound = control.owners.bound(control.conditions, event_id="", now=now)
    reached = seen.reached(outlook.now_s)
    book, more = (
        offer_book(
            fleet, state, baseline_w, outlook=outlook, levels=network(fleet, baseline_w, direction=direction),
            reached=reached, withheld=bound.withheld, direction=direction,
        )
        for direction in (Direction.RELIEF, Direction.LOAD)
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
    capability = replace(found, network_w=book.most_w) if by_network else found
    points = _points(fleet, state, baseline_w, capability=capability, book=book, more=more)
    return Looked(capability=capability, points=points)


def _points(
    fleet: Fleet, state: FleetState, baseline_w: Floats, *, capability: Capability, book: Book, more: Book
) -> dict[str, float]:
    """Watts, watt-hours and shares by data point; of storage that nobody can ask there is nothing to tell."""
    relief_w = float(capability.flat_w[0])
    given_w = relief_at(book.offers, np.inf)
    shed_w = float(np.minimum(given_w, np.maximum(baseline_w, 0.0)).sum())
    shed = shed_w / float(given_w.sum()) if given_w.any() else 1.0
    found = {
        AVAILABLE_POINT: relief_w,
        MORE_POINT: _held_w(more),
        SHED_POINT: relief_w * shed,
        FEED_POINT: relief_w * (1.0 - shed),
    }
    stores = np.isin(fleet.device_class, STORES) & _told_stores(state, book.usable)
    energy_wh = np.nan_to_num(fleet.energy_wh) * stores
    full_wh = float(energy_wh.sum())
    if full_wh > 0.0:
        found |= {
            STORE_POINT: float((energy_wh * (1.0 - np.nan_to_num(fleet.reserve))).sum()),
            CHARGE_POINT: float((energy_wh * np.nan_to_num(state.soc)).sum()) / full_wh,
            FEED_MAX_POINT: float((np.nan_to_num(fleet.export_max_w) * stores).sum()),
            DRAW_MAX_POINT: float((np.nan_to_num(fleet.import_max_w) * stores).sum()),
        }
    return found


def _held_w(book: Book) -> float:
    """What of a direction's most can be held for the shortest duration that is promised."""
    share = np.minimum(book.can.endurance_s / DURATIONS_S[0], 1.0)
    return float((relief_at(book.offers, np.inf) * share).sum())


def _told_stores(state: FleetState, usable: Mask) -> Mask:
    """Stores that can be asked, and of which it is known how full they are."""
    return np.asarray(usable & np.isfinite(state.soc))


async def kept_promises(unit: UnitOfWork) -> list[float]:
    """Of the newest events that asked for something, what came of each watt that was planned."""
    ratios = []
    for held in (await unit.held_events())[-EVENTS_MAX:]:
        total = delivered_over(await unit.deliveries(held.event.id))
        if total is not None and total.commanded_w:
            ratios.append(total.delivered_w / total.commanded_w)
    return ratios
