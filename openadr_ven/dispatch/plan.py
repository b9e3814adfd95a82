"""One round of dispatch: from a target in watts to a command for every device, and what falls short and why.

A round depends on its arguments alone, so the same telemetry gives the same commands, after a
restart too. Continuous devices take up every change; devices that are shed whole stay as they are
until the continuous ones cannot close the gap, so nobody's compressor follows a control loop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openadr_ven.dispatch.book import Book, Giving, offer_book
from openadr_ven.dispatch.caps import Level, capped
from openadr_ven.dispatch.clear import Offers, SupplyCurve, clear, relief_at, response_at
from openadr_ven.dispatch.policy import Policy, endurance
from openadr_ven.dispatch.quota import Quotas, clear_within
from openadr_ven.dispatch.rounding import not_beyond, sample, within
from openadr_ven.fleet.columns import IS_DISCRETE, Direction, Fleet, FleetState, Floats, Mask, Mode, Rows, over_chunks
from openadr_ven.fleet.model import Outlook

COMMAND_MIN_W = 1.0
"""Less relief than this is no command: meters of homes do not see it."""
CLOSE_ENOUGH = 1e-9


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
    wanted_w = max(book.direction * target_w, 0.0)
    asked_w = wanted_w if asked_w is None else max(book.direction * asked_w, 0.0)
    rows, given_w, price = _share(
        book, fleet, min(wanted_w, book.most_w), held_before=held_before, in_turn_w=in_turn_w, uniform=uniform
    )
    planned_w = float(given_w.sum())
    short = _shortfall(book, asked_w=asked_w, target_w=wanted_w, planned_w=planned_w)
    relief_w = np.zeros(fleet.size)
    relief_w[rows] = book.direction * given_w
    mode, setpoint_w = relief_to_commands(fleet, baseline_w, relief_w)
    return Plan(
        relief_w=relief_w,
        mode=mode,
        setpoint_w=setpoint_w,
        price=price,
        planned_w=book.direction * planned_w,
        available_w=book.most_w,
        shortfall_w=sum(short.values()),
        shortfall_by_cause=short,
    )


def worth_w(book: Book, price: float) -> float:
    """What the fleet gives at a price that somebody sets: a price signal in watts, for the guard to admit."""
    given_w, _ = response_at(book.giving.offers, price)
    return book.direction * given_w


def relief_to_commands(
    fleet: Fleet, baseline_w: Floats, relief_w: Floats
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """What each device is told: its mode, and its net power where it takes a setpoint."""
    mode, setpoint_w = np.zeros(fleet.size, dtype=np.uint8), np.zeros(fleet.size, dtype=np.float32)

    def tell(rows: slice) -> None:
        relief, discrete = relief_w[rows], IS_DISCRETE[fleet.device_class[rows]]
        asked = np.abs(relief) >= COMMAND_MIN_W
        whole = np.where(relief < 0.0, np.uint8(Mode.LOAD_UP), np.uint8(Mode.SHED))
        mode[rows] = np.where(discrete, whole, np.uint8(Mode.SETPOINT)) * asked
        np.subtract(baseline_w[rows], relief, out=setpoint_w[rows], where=asked & ~discrete, casting="same_kind")

    over_chunks(tell, fleet.size)
    return mode, setpoint_w


def transformer_loading(fleet: Fleet, power_w: Floats, load_w: Floats) -> Floats:
    """Net power through each transformer, either way, as a share of its rating, by transformer code.

    ``load_w`` is everything behind it that is not in the fleet.
    """
    through_w = np.bincount(fleet.transformer, weights=power_w, minlength=load_w.size) + load_w
    return np.abs(through_w) / fleet.transformer_limit_w


def _share(
    book: Book,
    fleet: Fleet,
    target_w: float,
    *,
    held_before: Mask | None,
    in_turn_w: Floats | None,
    uniform: float,
) -> tuple[Rows, Floats, float]:
    """Rows of devices, the watts of each, and the price.

    Whole devices keep their turn, or their state, if the others close the gap.
    """
    giving, offers = book.giving, book.giving.offers
    kept = []
    if in_turn_w is not None:
        # A house whose turn it is gives what it would draw, also while its compressor happens to rest.
        rows = np.flatnonzero((book.offers.upper_w > 0.0) | (book.usable & (in_turn_w > 0.0)))
        kept.append((Giving.among(rows, fleet, book.offers, book.levels), in_turn_w[rows]))
    if held_before is not None:
        held = _within(giving, held_before[giving.rows] & giving.whole)
        kept.append((giving, np.where(held, offers.upper_w, 0.0)))
    for some, whole_w in kept if target_w > 0.0 else ():
        given_w, price = _around(some, target_w, whole_w)
        if abs(float(given_w.sum()) - target_w) <= CLOSE_ENOUGH * target_w:
            return some.rows, given_w, price
    price, given_w = _cleared(offers, giving.levels, giving.quotas, target_w, curve=book.curve)
    share = given_w[book.by_size] / offers.upper_w[book.by_size]
    chosen = sample(share, uniform)
    if np.array_equal(chosen, share > 0.0) and bool((share[chosen] >= 1.0).all()):
        return giving.rows, given_w, price
    drawn = np.zeros(given_w.size, dtype=np.bool_)
    drawn[book.by_size] = chosen
    drawn = _within(giving, drawn)
    if not giving.whole.all():
        drawn = not_beyond(drawn, offers.upper_w, target_w)
    return giving.rows, *_around(giving, target_w, np.where(drawn, offers.upper_w, 0.0))


def _cleared(
    offers: Offers,
    levels: Sequence[Level],
    quotas: Quotas | None,
    target_w: float,
    *,
    curve: SupplyCurve | None = None,
) -> tuple[float, Floats]:
    """The price, and what each device gives, within every limit."""
    price = clear(offers, target_w, curve=curve)
    given_w = relief_at(offers, price)
    if quotas is not None and quotas.exceeded(given_w):
        free = Offers.of(offers.cost, offers.slope, offers.upper_w)
        held, price = clear_within(free, levels, quotas, target_w)
        given_w = relief_at(held, price)
    return price, given_w


def _within(giving: Giving, drawn: Mask) -> Mask:
    """Whole devices, less those that break a limit of the network or a vendor's quota."""
    upper_w, quotas = giving.offers.upper_w, giving.quotas
    drawn = within(drawn, upper_w, giving.levels)
    if quotas is None:
        return drawn
    drawn = drawn.copy()
    for vendor in np.flatnonzero(quotas.sums(np.where(drawn, upper_w, 0.0)) > quotas.limit_w):
        rows = np.flatnonzero(drawn & (quotas.vendor == vendor))
        drawn[rows[np.cumsum(upper_w[rows]) > quotas.limit_w[vendor]]] = False
    return drawn


def _around(giving: Giving, target_w: float, whole_w: Floats) -> tuple[Floats, float]:
    """What the continuous devices add to these whole ones to reach the target."""
    given_w = whole_w.copy()
    rows = np.flatnonzero(~giving.whole)
    if rows.size == 0:
        return given_w, 0.0
    left = [level.beside(given_w).among(rows) for level in giving.levels]
    quotas = None
    if giving.quotas is not None:
        limit_w = np.maximum(giving.quotas.limit_w - giving.quotas.sums(given_w), 0.0)
        quotas = Quotas(vendor=giving.quotas.vendor[rows], limit_w=limit_w)
    offers = giving.offers.only(rows)
    free = Offers.of(offers.cost, offers.slope, offers.upper_w)
    price, given_w[rows] = _cleared(capped(free, left), left, quotas, target_w - float(given_w.sum()))
    return given_w, price


def _shortfall(book: Book, *, asked_w: float, target_w: float, planned_w: float) -> dict[Cause, float]:
    """What is missing, each watt charged to the first cause that would have given it."""
    missing_w = max(target_w - planned_w, 0.0)
    by_network_w = min(missing_w, book.can_w - book.most_w)
    by_terms_w = min(missing_w - by_network_w, book.withheld_w)
    by_offline_w = min(missing_w - by_network_w - by_terms_w, book.could_w - book.can_w - book.withheld_w)
    causes = {
        Cause.ENVELOPE: max(asked_w - target_w, 0.0),
        Cause.NETWORK_LIMIT: by_network_w,
        Cause.OWNERS_TERMS: by_terms_w,
        Cause.OFFLINE: by_offline_w,
        Cause.NO_HEADROOM: missing_w - by_network_w - by_terms_w - by_offline_w,
    }
    return {cause: watts for cause, watts in causes.items() if watts > COMMAND_MIN_W}
