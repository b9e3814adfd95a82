"""Random fleets in random trees, and the same problem for HiGHS: small, and full of limits that bind."""

import importlib

import numpy as np
from scipy import sparse

from openadr_ven.dispatch.caps import Level
from openadr_ven.dispatch.clear import Offers
from openadr_ven.fleet.columns import Floats


def tree_of(seed: int, size: int = 60) -> tuple[Offers, tuple[Level, ...]]:
    """Two to five devices a transformer, feeders of a few transformers, one substation."""
    rng = np.random.default_rng(seed)
    cost = np.round(rng.gamma(2.0, 0.03, size), 2)
    upper_w = rng.choice([0.0, 800.0, 3_300.0, 7_600.0], size)
    offers = Offers.of(cost, upper_w / rng.choice([0.02, 0.1, 0.3], size), upper_w)
    leaves = np.unique(np.concatenate(([0], rng.integers(0, size, size // 4))))
    feeders = np.unique(np.concatenate(([0], rng.choice(leaves, 3))))
    levels = []
    for starts, loose in ((leaves, 1.3), (feeders, 1.2), (np.zeros(1, dtype=np.intp), 1.1)):
        limit_w = np.add.reduceat(upper_w, starts) * rng.uniform(0.3, loose, starts.size)
        levels.append(Level(starts=starts, limit_w=limit_w))
    return offers, tuple(levels)


def rows_below(level: Level, size: int) -> Floats:
    """One row per node, ones below it."""
    ends = np.append(level.starts[1:], size)
    rows = np.arange(size)
    return ((rows >= level.starts[:, None]) & (rows < ends[:, None])).astype(np.float64)


def cost_of(offers: Offers, relief_w: Floats) -> float:
    """What dispatch minimises."""
    gives = offers.upper_w > 0.0
    d = relief_w[gives]
    return float((offers.cost[gives] * d + d * d / (2.0 * offers.slope[gives])).sum())


def best_by_highs(offers: Offers, rows: Floats, limit_w: Floats, target_w: float) -> tuple[Floats, float]:
    """The quadratic program's optimum by HiGHS; ``rows @ relief <= limit_w``, and the sum is the target. In kilowatts
    inside, so that its tolerances mean watts.
    """
    size = offers.cost.size
    upper, limit = offers.upper_w / 1e3, limit_w / 1e3
    finite = np.isfinite(limit)
    matrix = sparse.csc_matrix(np.vstack((np.ones((1, size)), rows[finite])))
    highspy = importlib.import_module("highspy")
    model = highspy.HighsModel()
    lp = model.lp_
    lp.num_col_, lp.num_row_ = size, matrix.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = offers.cost * 1e3, np.zeros(size), upper
    lp.row_lower_ = np.concatenate(([target_w / 1e3], np.full(int(finite.sum()), -highspy.kHighsInf)))
    lp.row_upper_ = np.concatenate(([target_w / 1e3], limit[finite]))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    gives = offers.upper_w > 0.0
    model.hessian_.dim_ = size
    model.hessian_.format_ = highspy.HessianFormat.kTriangular
    model.hessian_.start_, model.hessian_.index_ = np.arange(size + 1), np.arange(size)
    model.hessian_.value_ = np.where(gives, 1e6 / np.where(gives, offers.slope, 1.0), 1.0)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.passModel(model)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    relief_w = np.array(solver.getSolution().col_value) * 1e3
    return relief_w, cost_of(offers, relief_w)
