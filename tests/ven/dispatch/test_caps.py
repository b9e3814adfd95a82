"""Limits in a tree hold exactly, cost no more than they must, and leave the optimum where it is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from openadr_ven.dispatch.caps import Level, capped, node_caps
from openadr_ven.dispatch.clear import Offers, clear, relief_at
from openadr_ven.dispatch.network import TRANSFORMER_SHARE, network, starts_of
from openadr_ven.fleet.columns import Floats
from tests.ven.fleet.synthetic import fleet_of

seeds = st.integers(0, 2**32 - 1)
PRICE_EPSILON = 1e-9


def tree_of(seed: int, size: int = 60) -> tuple[Offers, tuple[Level, ...]]:
    """Two to five devices a transformer, feeders of a few transformers, limits of which many bind."""
    rng = np.random.default_rng(seed)
    cost = np.round(rng.gamma(2.0, 0.03, size), 2)
    upper_w = rng.choice([0.0, 800.0, 3_300.0, 7_600.0], size)
    offers = Offers.of(cost, upper_w / rng.choice([1e-4, 0.02, 0.2], size), upper_w)
    leaves = np.unique(np.concatenate(([0], rng.integers(0, size, size // 4))))
    feeders = np.unique(np.concatenate(([0], rng.choice(leaves, 3))))
    leaf_limit_w = np.add.reduceat(upper_w, leaves) * rng.choice([0.0, 0.3, 0.8, 2.0], leaves.size)
    leaf_limit_w[rng.random(leaves.size) < 0.2] = np.inf
    feeder_limit_w = np.add.reduceat(upper_w, feeders) * rng.choice([0.4, 0.7, 1.5], feeders.size)
    return offers, (
        Level(starts=leaves, limit_w=leaf_limit_w),
        Level(starts=feeders, limit_w=feeder_limit_w),
    )


def rows_below(level: Level, size: int) -> Floats:
    """One row per node, ones below it."""
    ends = np.append(level.starts[1:], size)
    rows = np.arange(size)
    return ((rows >= level.starts[:, None]) & (rows < ends[:, None])).astype(np.float64)


@given(seed=seeds, fraction=st.floats(0.0, 1.2))
def test_no_node_ever_carries_more_than_its_limit(seed: int, fraction: float) -> None:
    offers, levels = tree_of(seed)
    held = capped(offers, levels)
    relief_w = relief_at(held, clear(held, fraction * float(offers.upper_w.sum())))
    for level in levels:
        carried_w = np.add.reduceat(relief_w, level.starts)
        assert (carried_w <= level.limit_w * (1.0 + 1e-9) + 1e-9).all()


@given(seed=seeds, share=st.floats(0.0, 1.0))
def test_a_level_that_its_offers_cannot_fill_holds_no_choice_of_them(seed: int, share: float) -> None:
    offers, levels = tree_of(seed)
    some = np.flatnonzero(np.random.default_rng(seed).random(offers.cost.size) < share)
    for level in levels:
        if not level.can_bind(offers.upper_w):
            assert np.isinf(node_caps(offers.only(some), level.among(some))).all()
        elif share == 1.0:
            assert np.isfinite(node_caps(offers, level)).any()


@pytest.mark.parametrize("seed", range(40))
def test_the_most_that_can_be_delivered_is_the_maximum_flow(seed: int) -> None:
    offers, levels = tree_of(seed)
    held = capped(offers, levels)
    most_w = relief_at(held, np.inf).sum()
    finite = [np.isfinite(level.limit_w) for level in levels]
    best = linprog(
        -np.ones(offers.cost.size),
        A_ub=np.vstack([rows_below(level, offers.cost.size)[use] for level, use in zip(levels, finite, strict=True)]),
        b_ub=np.concatenate([level.limit_w[use] for level, use in zip(levels, finite, strict=True)]),
        bounds=np.column_stack((np.zeros(offers.cost.size), offers.upper_w)),
        method="highs",
    )
    assert most_w == pytest.approx(-best.fun, rel=1e-6, abs=1e-6)


@given(seed=seeds, fraction=st.floats(0.05, 0.95))
def test_the_optimality_conditions_hold_with_a_multiplier_at_each_node(seed: int, fraction: float) -> None:
    """μ of a node is what the price above it exceeds its cap by: never negative, and zero where there is room."""
    offers, levels = tree_of(seed)
    held = capped(offers, levels)
    target_w = fraction * float(relief_at(held, np.inf).sum())
    price = clear(held, target_w)
    relief_w = relief_at(held, price)
    assert relief_w.sum() == pytest.approx(target_w, rel=1e-9, abs=1e-9)

    ruling = np.full(offers.cost.size, price)
    beneath = offers
    node_prices = []
    for level in levels:  # leaves first: each level's caps with the devices held by those beneath
        node_prices.append(node_caps(beneath, level))
        beneath = capped(beneath, (level,))
    for level, prices in zip(reversed(levels), reversed(node_prices), strict=True):
        lengths = np.diff(np.append(level.starts, offers.cost.size))
        above = ruling[level.starts]
        multiplier = np.maximum(above - prices, 0.0)
        full = np.add.reduceat(relief_w, level.starts) >= level.limit_w * (1.0 - 1e-9) - 1e-9
        assert (full | (multiplier <= PRICE_EPSILON)).all()
        ruling = ruling - np.repeat(multiplier, lengths)

    gives = offers.upper_w > 0.0
    marginal = offers.cost[gives] + relief_w[gives] / offers.slope[gives]
    slack = marginal - ruling[gives]
    at_zero, at_limit = relief_w[gives] <= 1e-9, relief_w[gives] >= offers.upper_w[gives] - 1e-9
    assert (slack[at_zero & ~at_limit] >= -PRICE_EPSILON).all()
    assert (slack[at_limit & ~at_zero] <= PRICE_EPSILON).all()
    assert np.abs(slack[~at_zero & ~at_limit]).max(initial=0.0) <= PRICE_EPSILON


@given(seed=seeds, fraction=st.floats(0.0, 1.0), more=st.floats(0.0, 0.5))
def test_under_limits_too_nobody_gives_less_of_more(seed: int, fraction: float, more: float) -> None:
    offers, levels = tree_of(seed)
    held = capped(offers, levels)
    total_w = float(relief_at(held, np.inf).sum())
    less = relief_at(held, clear(held, fraction * total_w))
    greater = relief_at(held, clear(held, (fraction + more) * total_w))
    assert (greater >= less - 1e-6).all()


def test_a_transformer_can_turn_around_until_it_feeds_back_its_rating() -> None:
    fleet = fleet_of(400)
    baseline_w = np.where(fleet.export_max_w > 0.0, -500.0, 1_000.0)
    transformers, feeders = network(fleet, baseline_w)
    codes = fleet.transformer[transformers.starts]
    # What may pause by itself (compressors, heaters, chargers) makes no room; what feeds takes it all the same.
    firm_w = np.where(fleet.discrete(), np.minimum(baseline_w, 0.0), baseline_w)
    assert (firm_w != baseline_w).any()
    drawn_w = np.add.reduceat(firm_w, transformers.starts)
    expected_w = np.maximum(TRANSFORMER_SHARE * fleet.transformer_limit_w[codes] + drawn_w, 0.0)
    assert transformers.limit_w == pytest.approx(expected_w)
    feeder_drawn_w = np.add.reduceat(firm_w, feeders.starts)
    assert feeders.limit_w == pytest.approx(
        TRANSFORMER_SHARE * fleet.feeder_limit_w[: feeders.starts.size] + feeder_drawn_w
    )


def test_metered_load_makes_room_and_a_feeder_limit_takes_it() -> None:
    fleet = fleet_of(400)
    baseline_w = np.zeros(400)
    load_w = np.full(len(fleet.transformer_names), 2_000.0)
    without, _ = network(fleet, baseline_w)
    with_load, feeders = network(fleet, baseline_w, load_w=load_w, feeder_max_w=50_000.0)
    assert with_load.limit_w == pytest.approx(without.limit_w + 2_000.0)
    assert feeders.limit_w.max() == 50_000.0


def test_an_overfull_transformer_allows_nothing() -> None:
    fleet = fleet_of(100)
    transformers, _ = network(fleet, np.full(100, -1e6))
    assert (transformers.limit_w == 0.0).all()
    offers = Offers.of(np.zeros(100), np.full(100, 1e3), np.full(100, 1e3))
    assert relief_at(capped(offers, (transformers,)), np.inf).sum() == 0.0


def test_unknown_ratings_limit_nothing() -> None:
    fleet = fleet_of(100)
    fleet = replace(fleet, transformer_limit_w=np.full(len(fleet.transformer_names), np.inf))
    (feeders,) = network(fleet, np.zeros(100))
    assert feeders.starts.size == np.unique(fleet.feeder).size


def test_runs_of_equal_codes() -> None:
    assert starts_of(np.array([4, 4, 1, 1, 1, 4], dtype=np.uint32)).tolist() == [0, 2, 5]
    assert starts_of(np.zeros(0, dtype=np.uint32)).size == 0
