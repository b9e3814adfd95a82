"""Clearing against HiGHS' quadratic programs: hundreds of fleets in trees, and with vendors' quotas across them."""

import importlib.util

import numpy as np
import pytest

from openadr_ven.dispatch.caps import capped
from openadr_ven.dispatch.clear import clear, relief_at
from openadr_ven.dispatch.lot import Lot
from openadr_ven.dispatch.quota import Quotas, clear_within, exceeded
from tests.ven.dispatch.trees import best_by_highs, cost_of, rows_below, tree_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("highspy") is None,
    reason="HiGHS' own bindings (highspy) are not installed: scipy has no quadratic programs",
)

FLEETS = 300


@pytest.mark.parametrize("first", range(0, FLEETS, 50))
def test_no_cheaper_dispatch_exists_within_the_tree(first: int) -> None:
    for seed in range(first, first + 50):
        rng = np.random.default_rng(seed)
        offers, levels = tree_of(seed, size=int(rng.integers(8, 80)))
        held = capped(offers, levels)
        target_w = rng.uniform(0.05, 0.98) * float(relief_at(held, np.inf).sum())
        relief_w = relief_at(held, clear(held, target_w))
        rows = np.vstack([rows_below(level, offers.cost.size) for level in levels])
        best_w, best = best_by_highs(offers, rows, np.concatenate([level.limit_w for level in levels]), target_w)
        assert relief_w.sum() == pytest.approx(target_w, rel=1e-9)
        assert (rows @ relief_w <= np.concatenate([level.limit_w for level in levels]) * (1.0 + 1e-9)).all()
        assert cost_of(offers, relief_w) <= best * (1.0 + 1e-6) + 1e-3
        assert relief_w == pytest.approx(best_w, abs=5.0)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_no_cheaper_dispatch_exists_with_quotas_across_the_tree(first: int) -> None:
    bound = 0
    for seed in range(first, first + 20):
        rng = np.random.default_rng(seed)
        offers, levels = tree_of(seed, size=50)
        vendor = rng.integers(0, 4, 50).astype(np.uint32)
        held = capped(offers, levels)
        most_w = relief_at(held, np.inf)
        limit_w = np.bincount(vendor, weights=most_w, minlength=4) * np.array([0.4, 0.8, 1.5, 1.0])
        limit_w[3] = np.inf
        quotas = Quotas(vendor=vendor, limit_w=limit_w)
        target_w = rng.uniform(0.2, 0.95) * float(np.minimum(quotas.sums(most_w), quotas.limit_w).sum())
        lot = Lot.of(held, tuple(levels), quotas, rows=np.arange(50))
        relief_w = lot.relief_w(clear_within(lot, limit_w, target_w))
        by_vendor = (vendor[None, :] == np.arange(4)[:, None]).astype(np.float64)
        rows = np.vstack([*(rows_below(level, 50) for level in levels), by_vendor])
        limits_w = np.concatenate([*(level.limit_w for level in levels), quotas.limit_w])
        _, best = best_by_highs(offers, rows, limits_w, target_w)
        assert (rows @ relief_w <= limits_w * (1.0 + 2e-7) + 1e-6).all()
        assert relief_w.sum() == pytest.approx(target_w, rel=1e-6)
        assert cost_of(offers, relief_w) <= best * (1.0 + 1e-6) + 1e-3
        bound += exceeded(quotas.sums(relief_at(held, clear(held, target_w))), limit_w)
    assert bound > 4, "the quotas must matter, or this shows nothing"
