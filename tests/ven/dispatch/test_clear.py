"""Clearing is exact: against an LP solver, against its optimality conditions, and in every order of rows."""

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from openadr_ven.dispatch.clear import (
    Offers,
    clear,
    clear_by,
    merged,
    price_range,
    relief_at,
    response_at,
    solve_price,
    supply_curve,
)
from openadr_ven.dispatch.policy import (
    BURDEN_SPREAD,
    POLICIES,
    SLOT_MIN_S,
    SPANS,
    Occasion,
    blend,
    endurance,
    merit,
    proportional,
    rotation,
    shares,
)
from openadr_ven.fleet.columns import CHUNK, Floats
from openadr_ven.fleet.model import HOUR_S, Headroom
from tests.ven.fleet.synthetic import fleet_of

seeds = st.integers(0, 2**32 - 1)
fractions = st.floats(0.0, 1.3)


def offers_of(size: int, seed: int) -> Offers:
    """Offers with equals, with nothing to give, and with slopes over five orders of magnitude."""
    rng = np.random.default_rng(seed)
    cost = np.round(rng.gamma(2.0, 0.03, size), 2)
    upper_w = rng.choice([0.0, 1.0, 800.0, 3_300.0, 5_000.0, 11_500.0], size) * rng.uniform(0.3, 1.0, size)
    return Offers.of(cost, upper_w / rng.choice([1e-5, 0.02, 0.2], size), upper_w)


def cleared(offers: Offers, target_w: float) -> Floats:
    return relief_at(offers, clear(offers, target_w))


@given(size=st.integers(1, 60), seed=seeds, fraction=fractions)
def test_the_sum_is_the_target_or_all_there_is(size: int, seed: int, fraction: float) -> None:
    offers = offers_of(size, seed)
    target_w = fraction * offers.upper_w.sum()
    relief_w = cleared(offers, target_w)
    assert relief_w.sum() == pytest.approx(min(target_w, offers.upper_w.sum()), rel=1e-9, abs=1e-9)
    assert (relief_w >= 0.0).all()
    assert (relief_w <= offers.upper_w).all()


@given(size=st.integers(1, 60), seed=seeds, fraction=st.floats(0.01, 0.99))
def test_the_optimality_conditions_hold(size: int, seed: int, fraction: float) -> None:
    """Marginal cost is the price where a device is in between, above it at nothing, below it at its limit."""
    offers = offers_of(size, seed)
    price = clear(offers, fraction * offers.upper_w.sum())
    relief_w = relief_at(offers, price)
    gives = offers.upper_w > 0.0
    marginal = offers.cost[gives] + relief_w[gives] / offers.slope[gives]
    at_limit = relief_w[gives] >= offers.upper_w[gives] * (1.0 - 1e-9)
    at_zero = relief_w[gives] == 0.0
    assert marginal[~at_zero & ~at_limit] == pytest.approx(price, rel=1e-9)
    assert (marginal[at_zero] >= price - 1e-12).all()
    assert (marginal[at_limit] <= price + 1e-12).all()


@given(seed=seeds, fraction=st.floats(0.01, 0.99))
def test_nobody_gives_at_a_loss(seed: int, fraction: float) -> None:
    """Paid the clearing price, each household gets at least what its relief costs it."""
    offers = offers_of(40, seed)
    price = clear(offers, fraction * offers.upper_w.sum())
    relief_w = relief_at(offers, price)
    gives = relief_w > 0.0
    cost = offers.cost[gives] * relief_w[gives] + relief_w[gives] ** 2 / (2.0 * offers.slope[gives])
    assert (price * relief_w[gives] - cost >= -1e-6).all()


@given(seed=seeds, fraction=st.floats(0.0, 1.0), more=st.floats(0.0, 0.5))
def test_more_target_never_means_less_of_any_device(seed: int, fraction: float, more: float) -> None:
    offers = offers_of(40, seed)
    total_w = offers.upper_w.sum()
    less, greater = cleared(offers, fraction * total_w), cleared(offers, (fraction + more) * total_w)
    assert (greater >= less - 1e-9 * total_w).all()


@given(seed=seeds, fraction=st.floats(0.0, 1.2))
def test_the_order_of_rows_does_not_matter(seed: int, fraction: float) -> None:
    offers = offers_of(50, seed)
    order = np.random.default_rng(seed).permutation(50)
    shuffled = Offers(**{field.name: getattr(offers, field.name)[order] for field in fields(Offers)})
    target_w = fraction * float(offers.upper_w.sum())
    assert cleared(shuffled, target_w) == pytest.approx(cleared(offers, target_w)[order], rel=1e-9, abs=1e-6)


@given(seed=seeds, fraction=st.floats(0.01, 0.99))
def test_equal_devices_give_equally(seed: int, fraction: float) -> None:
    offers = offers_of(30, seed)
    twice = Offers(**{field.name: np.tile(getattr(offers, field.name), 2) for field in fields(Offers)})
    relief_w = cleared(twice, fraction * float(twice.upper_w.sum()))
    assert np.array_equal(relief_w[:30], relief_w[30:])


def test_shards_clear_as_one_fleet_would() -> None:
    """The sum of the shards' totals and slopes is all that has to travel."""
    offers = offers_of(3 * CHUNK, 5)
    shards = [
        Offers(**{field.name: getattr(offers, field.name)[start::3] for field in fields(Offers)}) for start in range(3)
    ]

    def respond(price: float) -> tuple[float, float]:
        totals, slopes = zip(*(response_at(shard, price) for shard in shards), strict=True)
        return math.fsum(totals), math.fsum(slopes)

    target_w = 0.6 * float(offers.upper_w.sum())
    price = solve_price(respond, target_w, float(offers.cost.min()), float(offers.cap.max()))
    assert price == pytest.approx(clear(offers, target_w), rel=1e-12)
    assert sum(relief_at(shard, price).sum() for shard in shards) == pytest.approx(target_w, rel=1e-9)


def test_newton_needs_few_rounds() -> None:
    offers = offers_of(20_000, 3)
    asked = []

    def respond(price: float) -> tuple[float, float]:
        asked.append(price)
        return response_at(offers, price)

    for fraction in np.linspace(0.02, 0.98, 25):
        asked.clear()
        target_w = fraction * offers.upper_w.sum()
        solve_price(respond, target_w, float(offers.cost.min()), float(offers.cap.max()))
        assert len(asked) <= 30


def headroom_of(size: int, seed: int) -> tuple[Headroom, Floats]:
    rng = np.random.default_rng(seed)
    power_w = rng.choice([3_300.0, 5_000.0, 7_600.0], size) * rng.uniform(0.2, 1.0, size)
    endurance_s = rng.uniform(600.0, 20_000.0, size)
    return Headroom(relief_w=power_w, power_w=power_w, endurance_s=endurance_s), rng.gamma(2.0, 0.03, size)


@pytest.mark.parametrize("seed", range(20))
def test_merit_order_costs_what_the_linear_program_costs(seed: int) -> None:
    fleet = fleet_of(80, seed=seed)
    headroom, _ = headroom_of(80, seed)
    target_w = 0.55 * headroom.relief_w.sum()
    relief_w = cleared(merit(fleet, headroom, Occasion(horizon_s=3600.0)), target_w)
    best = linprog(
        fleet.ask_per_kwh,
        A_eq=np.ones((1, 80)),
        b_eq=[target_w],
        bounds=np.column_stack((np.zeros(80), headroom.relief_w)),
        method="highs",
    )
    assert fleet.ask_per_kwh @ relief_w == pytest.approx(best.fun, rel=1e-5)


def test_proportional_gives_equal_shares() -> None:
    headroom, _ = headroom_of(200, 1)
    target_w = 0.4 * headroom.relief_w.sum()
    relief_w = cleared(proportional(fleet_of(200), headroom, Occasion(horizon_s=3600.0)), target_w)
    assert relief_w / headroom.relief_w == pytest.approx(0.4)
    assert relief_w == pytest.approx(shares(headroom, target_w))
    assert shares(headroom, 1e12) == pytest.approx(headroom.relief_w)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_meets_the_target(name: str) -> None:
    headroom, _ = headroom_of(300, 2)
    offers = POLICIES[name](fleet_of(300), headroom, Occasion(horizon_s=SLOT_MIN_S))
    assert cleared(offers, 5e5).sum() == pytest.approx(5e5)


def test_an_empty_fleet_gives_nothing() -> None:
    nothing = np.zeros(0)
    offers = Offers.of(nothing, nothing, nothing)
    assert cleared(offers, 1e6).size == 0


@given(seed=seeds, fraction=st.floats(0.001, 1.2))
def test_a_supply_curve_changes_where_the_search_begins_and_nothing_else(seed: int, fraction: float) -> None:
    offers = offers_of(300, seed)
    curve = supply_curve(offers, *price_range(offers))
    target_w = fraction * float(offers.upper_w.sum())
    assert clear(offers, target_w, curve=curve) == pytest.approx(clear(offers, target_w), rel=1e-9)


def test_curves_of_shards_add_up_and_save_passes() -> None:
    offers = offers_of(3 * CHUNK, 5)
    low, high = price_range(offers)
    shards = [
        Offers(**{field.name: getattr(offers, field.name)[start::3] for field in fields(Offers)}) for start in range(3)
    ]
    whole = supply_curve(offers, low, high)
    summed = merged([supply_curve(shard, low, high) for shard in shards])
    assert summed.total_w == pytest.approx(whole.total_w, rel=1e-9, abs=1.0)
    for price, total_w in zip(whole.price[::500], whole.total_w[::500], strict=True):
        assert total_w == pytest.approx(response_at(offers, float(price))[0], rel=1e-6, abs=1.0)
    asked: list[float] = []

    def respond(price: float) -> tuple[float, float]:
        asked.append(price)
        return response_at(offers, price)

    target_w = 0.6 * float(offers.upper_w.sum())
    between = whole.around(target_w)
    assert between is not None
    clear_by(respond, target_w, (between.low, between.high), between=between)
    assert len(asked) <= 4


def test_rotation_asks_those_who_have_given_least() -> None:
    headroom, _ = headroom_of(200, 3)
    used = np.random.default_rng(3).uniform(0.0, 1.0, 200)
    offers = rotation(fleet_of(200), headroom, Occasion(horizon_s=3600.0, burden=used))
    relief_w = cleared(offers, 0.3 * headroom.relief_w.sum())
    share = np.round(relief_w / headroom.relief_w, 12)
    assert used[share >= 1.0].max() < used[share == 0.0].min()
    # Whoever is marginal ends up equally burdened: what each has used, and now gives more of, levels out.
    marginal = (share > 0.0) & (share < 1.0)
    assert np.ptp((used + BURDEN_SPREAD * share)[marginal]) < 1e-9


def test_events_in_turn_spread_the_burden_evenly() -> None:
    headroom, _ = headroom_of(100, 4)
    used = np.zeros(100)
    for _ in range(60):
        offers = rotation(fleet_of(100), headroom, Occasion(horizon_s=3600.0, burden=used))
        used = used + 0.02 * (cleared(offers, 0.25 * headroom.relief_w.sum()) / headroom.relief_w)
    assert used.mean() == pytest.approx(60 * 0.02 * 0.25)
    assert np.ptp(used) < 0.03


def test_a_blend_lies_between_what_it_blends() -> None:
    headroom, used = headroom_of(200, 5)
    occasion = Occasion(horizon_s=3600.0, burden=used)
    target_w = 0.4 * headroom.relief_w.sum()
    alone = [cleared(policy(fleet_of(200), headroom, occasion), target_w) for policy in (endurance, rotation)]
    only = cleared(blend({endurance: 1.0, rotation: 0.0}, SPANS)(fleet_of(200), headroom, occasion), target_w)
    both = cleared(blend({endurance: 0.5, rotation: 0.5}, SPANS)(fleet_of(200), headroom, occasion), target_w)
    assert only == pytest.approx(alone[0], rel=1e-6, abs=1e-3)
    assert both.sum() == pytest.approx(target_w)
    hours = np.minimum(headroom.endurance_s / HOUR_S, 24.0)
    spent = [float((-hours * relief_w).sum()) for relief_w in (alone[0], both, alone[1])]
    worn = [float((used * relief_w).sum()) for relief_w in (alone[0], both, alone[1])]
    assert spent == sorted(spent)
    assert worn == sorted(worn, reverse=True)


@given(seed=seeds, fraction=st.floats(0.001, 1.2), where=st.floats(-0.2, 1.2))
def test_so_does_a_price_that_is_likely(seed: int, fraction: float, where: float) -> None:
    offers = offers_of(300, seed)
    prices = price_range(offers)
    low, high = prices
    target_w = fraction * float(offers.upper_w.sum())

    def respond(price: float) -> tuple[float, float]:
        return response_at(offers, price)

    near = clear_by(respond, target_w, prices, near=low + where * (high - low))
    assert near == pytest.approx(clear(offers, target_w), rel=1e-9)
