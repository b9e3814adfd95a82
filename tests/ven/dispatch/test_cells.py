"""A fleet in cells: cut where no limit reaches across, cleared as one, each book kept while nothing in it changes."""

from dataclasses import replace

import numpy as np
import pytest

from openadr_ven.dispatch.book import offer_book
from openadr_ven.dispatch.cell import Cell, Cells, Sight
from openadr_ven.dispatch.cutting import cells_of, levels_within
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.network import NODE_SHARES, network
from openadr_ven.dispatch.plan import Plan, plan_from, plan_over
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.fleet.columns import DeviceClass, Direction, Fleet, Floats
from tests.ven.dispatch.several import OUTLOOK, SIZE, a_fleet, evening, sights_of


def planned(fleet: Fleet, fraction: float, *, size: int, policy: str = "endurance", uniform: float = 0.4) -> Plan:
    """In cells of so many rows."""
    state, cells = evening(fleet), Cells(fleet, size)
    sights = sights_of(fleet, state, cells.parts, policy)
    market = Market(cells.open(sights), len(cells.parts), quota_w=fleet.vendor_limit_w)
    return plan_over(
        market, fleet, state.power_w, fraction * market.most_w, direction=Direction.RELIEF, uniform=uniform
    )  # fmt: skip


@pytest.mark.parametrize("substation_w", [np.inf, 2e6])
@pytest.mark.parametrize("size", [100, 700, 2_000, SIZE, 10 * SIZE])
def test_no_node_with_a_limit_reaches_over_an_edge(size: int, substation_w: float) -> None:
    fleet = a_fleet(substation_w=substation_w)
    parts = cells_of(fleet, size)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == fleet.size
    for part in parts[1:]:
        for node in NODE_SHARES:
            codes, limit_w = getattr(fleet, node), getattr(fleet, f"{node}_limit_w")
            before, behind = int(codes[part.start - 1]), int(codes[part.start])
            assert before != behind or not np.isfinite(limit_w[behind])
    most = 8 if np.isinf(substation_w) else 4
    assert 1 <= len(parts) <= most
    assert (len(parts) == 1) == (size >= SIZE)
    assert cells_of(fleet.take(slice(0, 0)), size) == (slice(0, 0),)


def test_limits_inside_a_cell_are_those_of_its_nodes() -> None:
    fleet = a_fleet()
    levels = network(fleet, evening(fleet).power_w)
    for part in cells_of(fleet, 700):
        mine = levels_within(levels, part)
        again = network(fleet.take(part), evening(fleet).power_w[part])
        assert [level.starts.tolist() for level in mine] == [level.starts.tolist() for level in again]
        assert [level.limit_w.tolist() for level in mine] == [level.limit_w.tolist() for level in again]


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 1.2])
@pytest.mark.parametrize(
    ("policy", "quota_w"), [*((one, np.inf) for one in sorted(POLICIES)), ("endurance", 2e5), ("proportional", 2e5)]
)
def test_cells_meet_one_target_within_every_limit(fraction: float, policy: str, quota_w: float) -> None:
    fleet = a_fleet(2_000, quota_w=quota_w)
    plan = planned(fleet, fraction, size=300, policy=policy, uniform=fraction / 2.0)
    for level in network(fleet, evening(fleet).power_w):
        assert (level.sums(plan.relief_w) <= level.limit_w * (1.0 + 1e-9) + 1e-6).all()
    by_vendor = np.bincount(fleet.vendor, weights=plan.relief_w)
    assert (by_vendor <= fleet.vendor_limit_w[: by_vendor.size] * (1.0 + 1e-6)).all()
    wanted_w = min(fraction, 1.0) * plan.available_w
    assert plan.planned_w == pytest.approx(plan.relief_w.sum())
    if fraction < 0.6:  # near its end, what whole devices miss is more than the others have left
        assert plan.planned_w == pytest.approx(wanted_w, rel=1e-6)


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_a_quota_that_cannot_be_settled_is_kept_all_the_same(fraction: float) -> None:
    """Costs in steps, a quota and tight transformers: the target may be missed, no limit is."""
    fleet = a_fleet(1_000, quota_w=1e5)
    plan = planned(fleet, fraction, size=10 * SIZE, policy="merit")
    by_vendor = np.bincount(fleet.vendor, weights=plan.relief_w)
    assert (by_vendor <= fleet.vendor_limit_w[: by_vendor.size] * (1.0 + 1e-6)).all()
    assert 0.0 < plan.planned_w <= fraction * plan.available_w * (1.0 + 1e-9)
    for level in network(fleet, evening(fleet).power_w):
        assert (level.sums(plan.relief_w) <= level.limit_w * (1.0 + 1e-9) + 1e-6).all()


@pytest.mark.parametrize(
    ("policy", "quota_w"), [*((one, np.inf) for one in sorted(POLICIES)), ("endurance", 1e5), ("merit", 1e5)]
)
def test_cells_clear_as_one_fleet_would(policy: str, quota_w: float) -> None:
    """Oracle 19, with the tree: devices that take any setpoint get what they would without cells."""
    fleet = a_fleet(quota_w=quota_w)
    fleet = replace(fleet, device_class=np.full(fleet.size, DeviceClass.BATTERY, dtype=np.uint8))
    fleet = replace(
        fleet, energy_wh=np.full(fleet.size, 13_500.0), export_max_w=np.full(fleet.size, 5_000.0),
        charge_efficiency=np.full(fleet.size, 0.95), discharge_efficiency=np.full(fleet.size, 0.95),
        reserve=np.full(fleet.size, 0.1),
    )  # fmt: skip
    apart, whole = (planned(fleet, 0.5, size=size, policy=policy) for size in (500, SIZE))
    assert apart.available_w == pytest.approx(whole.available_w)
    assert apart.relief_w == pytest.approx(whole.relief_w, abs=1e-2 if policy == "merit" else 1e-4)
    assert np.isinf(quota_w) or whole.relief_w[fleet.vendor == 0].sum() == pytest.approx(quota_w, rel=1e-6)


def test_one_cell_is_the_plan_without_cells() -> None:
    fleet = a_fleet()
    state = evening(fleet)
    book = offer_book(fleet, state, state.power_w, outlook=OUTLOOK, levels=network(fleet, state.power_w))
    plain = plan_from(book, fleet, state.power_w, 0.6 * book.most_w, uniform=0.4)
    assert np.array_equal(planned(fleet, 0.6, size=SIZE).relief_w, plain.relief_w)


def test_a_draw_goes_on_from_cell_to_cell() -> None:
    """As many thermostats as in one draw over all, wherever the cells end."""
    fleet = a_fleet()
    fleet = fleet.take(fleet.rows_of(DeviceClass.THERMOSTAT))
    largest_w = fleet.import_max_w.max()
    for uniform in np.linspace(0.0, 0.99, 12).tolist():
        plan = planned(fleet, 0.4, size=300, uniform=uniform)
        assert abs(plan.planned_w - 0.4 * plan.available_w) < 2.0 * 8 * largest_w
        assert plan.planned_w > 0.0


class TestKeptBooks:
    fleet = a_fleet(2_000)
    state = evening(fleet)
    whole = (slice(0, fleet.size),)

    def sight(self, **more: Floats) -> Sight:
        return sights_of(self.fleet, self.state, self.whole, "endurance", **more)[0]

    def test_nothing_new_is_no_work(self) -> None:
        cell = Cell(self.fleet)
        first = cell.open(self.sight())
        again = cell.open(self.sight(held=np.ones(self.fleet.size, dtype=np.bool_)))
        assert again._book is first._book

    def test_what_changes_in_place_is_seen(self) -> None:
        cell, soc = Cell(self.fleet), self.state.soc.copy()
        first = cell.open(self.sight(soc=soc))
        soc[np.flatnonzero(np.isfinite(soc))[0]] -= 0.01
        assert cell.open(self.sight(soc=soc))._book is not first._book

    @pytest.mark.parametrize("name", ["reached", "withheld", "plugged", "baseline_w", "temperature_c", "burden"])
    def test_every_column_counts(self, name: str) -> None:
        cell = Cell(self.fleet)
        first = cell.open(self.sight())
        column = np.array(self.sight().columns[name])
        column[0] = ~column[0] if column.dtype == np.bool_ else 7.0
        assert cell.open(self.sight(**{name: column}))._book is not first._book

    def test_another_outlook_direction_or_limit_is_another_book(self) -> None:
        cell, sight = Cell(self.fleet), self.sight()
        first = cell.open(sight)
        level = sight.levels[0]
        for other in (
            replace(sight, outlook=replace(OUTLOOK, horizon_s=900.0)),
            replace(sight, direction=Direction.LOAD),
            replace(sight, policy="merit"),
            replace(sight, levels=(replace(level, limit_w=level.limit_w / 2), *sight.levels[1:])),
            replace(sight, quota_w=np.full_like(sight.quota_w, 1e3)),
        ):
            assert cell.open(other)._book is not first._book

    def test_a_sight_travels_as_arrays(self) -> None:
        sight = self.sight()
        again = Sight.of(sight.outlook, sight.direction, sight.policy, sight.arrays())
        assert again.has_same_book(sight)
