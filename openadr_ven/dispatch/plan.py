"""One round of dispatch: from a target in watts to a command for every device, and what falls short and why.

A round depends on its arguments alone, so the same telemetry gives the same commands, after a
restart too. Continuous devices take up every change; devices that are shed whole stay as they are
until the continuous ones cannot close the gap, so nobody's compressor follows a control loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.bulletin import Following
from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.market import Market, asked_of
from openadr_ven.dispatch.policy import Policy, endurance
from openadr_ven.dispatch.seller import Seller
from openadr_ven.fleet.columns import IS_DISCRETE, Direction, Fleet, FleetState, Floats, Mask, Mode, over_chunks
from openadr_ven.fleet.model import Outlook

COMMAND_MIN_W = 1.0
"""Less relief than this is no command: meters of homes do not see it."""


class Cause(StrEnum):
    """Why watts are missing."""

    ENVELOPE = "envelope"
    """The safety envelope allows less than was asked, or not yet."""
    NETWORK_LIMIT = "network_limit"
    """Transformers or feeders are full, or a vendor's quota is."""
    OWNERS_TERMS = "owners_terms"
    """Owners have agreed to less: consent, hours, caps, a storm."""
    OFFLINE = "offline"
    """Devices that could have given it are silent, unplugged, or taken back by their owners."""
    NO_HEADROOM = "no_headroom"
    """The fleet has no more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Commands for every device of the fleet, and what they should add up to. Watts are of relief: load is negative."""

    relief_w: Floats
    mode: NDArray[np.uint8]
    setpoint_w: NDArray[np.float32]
    price: float
    """Where the fleet cleared, in the policy's unit."""
    planned_w: float
    """What the commands add up to: what should be delivered, not what was."""
    available_w: float
    """The most that could have been planned in this direction, within the network's limits; never negative."""
    shortfall_w: float
    shortfall_by_cause: Mapping[Cause, float]
    following: Following | None = None
    """What devices that know their own offers follow, where that was asked for."""


def plan_round(
    fleet: Fleet,
    state: FleetState,
    baseline_w: Floats,
    target_w: float,
    *,
    outlook: Outlook,
    levels: tuple[Level, ...] = (),
    policy: Policy = endurance,
    uniform: float = 0.5,
    asked_w: float | None = None,
    held_before: Mask | None = None,
    excluded: Mask | None = None,
    withheld: Mask | None = None,
    burden: Floats | None = None,
) -> Plan:
    """Share ``target_w`` (what the guard admitted; negative for extra load) over the fleet, from scratch.

    ``levels`` are the network's limits in the target's direction; the others are told at ``offer_book``
    and ``plan_from``.
    """
    book = offer_book(
        fleet, state, baseline_w, outlook=outlook, levels=levels, policy=policy, direction=direction_of(target_w),
        excluded=excluded, withheld=withheld, burden=burden,
    )  # fmt: skip
    return plan_from(
        book, fleet, baseline_w, target_w, uniform=uniform, asked_w=asked_w, held_before=held_before
    )  # fmt: skip


def direction_of(target_w: float) -> Direction:
    return Direction.LOAD if target_w < 0.0 else Direction.RELIEF


def plan_from(
    book: Book,
    fleet: Fleet,
    baseline_w: Floats,
    target_w: float,
    *,
    uniform: float = 0.5,
    asked_w: float | None = None,
    held_before: Mask | None = None,
    in_turn_w: Floats | None = None,
) -> Plan:
    """Share a target over the fleet as its book stands. A target in the book's other direction counts as nothing.

    ``uniform`` is the event's one draw for devices that are shed (or run) whole, ``asked_w`` what the
    guard was asked to admit, ``held_before`` the devices that the last round shed, or ran, and
    ``in_turn_w`` what houses give whose turn it is: they are kept while the others can close the gap.
    """
    seller = Seller(book, fleet, held_before=held_before, in_turn_w=in_turn_w)
    market = Market(asked_of([seller]), 1, quota_w=fleet.vendor_limit_w)
    return plan_over(
        market, fleet, baseline_w, target_w, direction=book.direction, uniform=uniform, asked_w=asked_w,
        has_held=held_before is not None, has_turns=in_turn_w is not None,
    )  # fmt: skip


def plan_over(
    market: Market,
    fleet: Fleet,
    baseline_w: Floats,
    target_w: float,
    *,
    direction: Direction,
    uniform: float = 0.5,
    asked_w: float | None = None,
    has_held: bool = False,
    has_turns: bool = False,
) -> Plan:
    """Share a target over the cells of a fleet, wherever they are; a target in the other direction counts as nothing.

    ``has_held`` and ``has_turns`` say that cells know what was shed, or run, before, and whose turn it is.
    """
    wanted_w = max(direction * target_w, 0.0)
    asked_w = wanted_w if asked_w is None else max(direction * asked_w, 0.0)
    price, planned_w = market.share(
        min(wanted_w, market.most_w), uniform=uniform, has_held=has_held, has_turns=has_turns
    )
    short = _shortfall(market, asked_w=asked_w, target_w=wanted_w, planned_w=planned_w)
    relief_w = market.relief_w(fleet.size)
    mode, setpoint_w = relief_to_commands(fleet, baseline_w, relief_w)
    return Plan(
        relief_w=relief_w,
        mode=mode,
        setpoint_w=setpoint_w,
        price=price,
        planned_w=direction * planned_w,
        available_w=market.most_w,
        shortfall_w=sum(short.values()),
        shortfall_by_cause=short,
    )


def relief_to_commands(
    fleet: Fleet, baseline_w: Floats, relief_w: Floats
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """What each device is told: its mode, and its net power where it takes a setpoint."""
    mode, setpoint_w = np.zeros(fleet.size, dtype=np.uint8), np.zeros(fleet.size, dtype=np.float32)

    def tell(part: slice) -> None:
        told = np.flatnonzero(np.abs(relief_w[part]) >= COMMAND_MIN_W) + part.start
        relief, discrete = relief_w[told], IS_DISCRETE[fleet.device_class[told]]
        whole = np.where(relief < 0.0, np.uint8(Mode.LOAD_UP), np.uint8(Mode.SHED))
        mode[told] = np.where(discrete, whole, np.uint8(Mode.SETPOINT))
        follows = told[~discrete]
        setpoint_w[follows] = baseline_w[follows] - relief_w[follows]

    over_chunks(tell, fleet.size)
    return mode, setpoint_w


def transformer_loading(fleet: Fleet, power_w: Floats, load_w: Floats) -> Floats:
    """Net power through each transformer, either way, as a share of its rating, by transformer code.

    ``load_w`` is everything behind it that is not in the fleet.
    """
    through_w = np.bincount(fleet.transformer, weights=power_w, minlength=load_w.size) + load_w
    return np.abs(through_w) / fleet.transformer_limit_w


def _shortfall(market: Market, *, asked_w: float, target_w: float, planned_w: float) -> dict[Cause, float]:
    """What is missing, each watt charged to the first cause that would have given it."""
    missing_w = max(target_w - planned_w, 0.0)
    by_network_w = min(missing_w, market.can_w - market.most_w)
    by_terms_w = min(missing_w - by_network_w, market.withheld_w)
    by_offline_w = min(missing_w - by_network_w - by_terms_w, market.could_w - market.can_w - market.withheld_w)
    causes = {
        Cause.ENVELOPE: max(asked_w - target_w, 0.0),
        Cause.NETWORK_LIMIT: by_network_w,
        Cause.OWNERS_TERMS: by_terms_w,
        Cause.OFFLINE: by_offline_w,
        Cause.NO_HEADROOM: missing_w - by_network_w - by_terms_w - by_offline_w,
    }
    return {cause: watts for cause, watts in causes.items() if watts > COMMAND_MIN_W}
