"""A price for each feeder (λ-broadcast): one message from which every device below computes what it is told.

What a device gives depends on its own columns, the price, and what holds it in the network. So a feeder's bulletin has
the price, how its devices' offers are made, where nodes stop following, and which devices follow. ``told`` is what a
device makes of it, and what the agent has planned for it, to the bit: both run the same functions over the same
numbers. Devices that are shed whole are drawn over all of the fleet; those are told by frames alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.book import offer_book
from openadr_ven.dispatch.clear import Offers, relief_at
from openadr_ven.dispatch.network import starts_of
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.fleet.columns import Direction, Fleet, FleetState, Floats, Mask, Rows
from openadr_ven.fleet.model import Outlook

FOLLOWED = frozenset({"endurance", "proportional", "wear"})
"""Policies that look at a device's own columns alone; the others compare it with the fleet, or with its season."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Following:
    """What a round's devices follow."""

    price: float
    direction: Direction
    policy: str
    outlook: Outlook
    holds: Floats
    """First row, row behind the last, and the price at which these rows stop following; in a row each."""
    surcharge: Floats
    """By vendor, added to costs; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bulletin:
    """One feeder's, of one round. Devices act on it as on the round's frame with the same sequence."""

    feeder: str
    fleet_sha256: str
    """Rows are numbers within this fleet."""
    event_id: str
    event_version: int
    sequence: int
    issued_at: datetime
    ends_at: datetime
    first_row: int
    """Of the feeder."""
    follows: Mask
    """By row of the feeder: who is told a setpoint in this round."""
    baseline_w: NDArray[np.float32]
    """Of those who follow, in their order."""
    measured_at: Mapping[str, datetime]
    """By gateway, the sample that the agent's book was made of."""
    following: Following


def bulletins(
    fleet: Fleet, following: Following, follows: Mask, baseline_w: Floats, measured_at: Mapping[str, datetime],
    *, fleet_sha256: str, event_id: str, event_version: int, sequence: int, issued_at: datetime, ends_at: datetime,
) -> Iterator[Bulletin]:  # fmt: skip
    """One for each feeder on which anybody follows; ``follows`` and ``baseline_w`` by row of the fleet."""
    starts = starts_of(fleet.feeder)
    holds = following.holds[np.argsort(following.holds[:, 0], kind="stable")]
    first, last = holds[:, 0].astype(np.intp), holds[:, 1].astype(np.intp) - 1
    is_wide = fleet.feeder[first] != fleet.feeder[last]  # a substation's, of which there are few
    wide, narrow = holds[is_wide], holds[~is_wide]
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), fleet.size], strict=True):
        mine = follows[start:stop]
        if not mine.any():
            continue
        gateways = [fleet.gateway_names[code] for code in np.unique(fleet.gateway[start:stop][mine]).tolist()]
        begins, ends = np.searchsorted(narrow[:, 0], [start, stop])
        over = wide[(wide[:, 0] < stop) & (wide[:, 1] > start)]
        yield Bulletin(
            feeder=fleet.feeder_names[int(fleet.feeder[start])],
            fleet_sha256=fleet_sha256,
            event_id=event_id,
            event_version=event_version,
            sequence=sequence,
            issued_at=issued_at,
            ends_at=ends_at,
            first_row=start,
            follows=mine,
            baseline_w=baseline_w[start:stop][mine].astype(np.float32),
            measured_at={name: measured_at[name] for name in gateways if name in measured_at},
            following=replace(following, holds=np.concatenate((narrow[begins:ends], over))),
        )


def told(
    following: Following, fleet: Fleet, state: FleetState, baseline_w: Floats, rows: Rows
) -> Floats:  # fmt: skip
    """The relief of devices that follow: their part of the fleet, what they measured, and their rows in the whole."""
    reached = np.ones(fleet.size, dtype=np.bool_)
    offers = offer_book(
        fleet, state, baseline_w, outlook=following.outlook, policy=POLICIES[following.policy],
        direction=following.direction, reached=reached,
    ).offers  # fmt: skip
    if following.surcharge.size:
        offers = Offers.of(offers.cost + following.surcharge[fleet.vendor], offers.slope, offers.upper_w)
    cap = offers.cap.copy()
    for first, last, price in following.holds.tolist():
        below = (rows >= first) & (rows < last)
        cap[below] = np.minimum(cap[below], price)
    return following.direction * relief_at(replace(offers, cap=cap), following.price)
