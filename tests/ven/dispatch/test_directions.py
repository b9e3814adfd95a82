"""Surplus is a peak upside down: extra load is cleared, limited and commanded like relief, and owners lose nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_ven.dispatch.book import Book, offer_book
from openadr_ven.dispatch.market import Market, asked_of
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Plan, direction_of, plan_from, plan_round
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.dispatch.seller import Seller
from openadr_ven.fleet.columns import DeviceClass, Direction, Fleet, FleetState, Floats, Mode
from openadr_ven.fleet.headroom import MODELS, headroom
from openadr_ven.fleet.model import Outlook, Tick
from openadr_ven.fleet.physics import step
from tests.ven.fleet.synthetic import EVENING_S, OUTDOOR_C, evening, fleet_of, only_class

MIX = (0.30, 0.05, 0.10, 0.25, 0.15, 0.10, 0.05)
FLEET = fleet_of(400, mix=MIX)
STATE, BASELINE_W = evening(FLEET)
STATE = replace(STATE, soc=np.where(FLEET.device_class == DeviceClass.BATTERY, STATE.soc - 0.3, STATE.soc))
OUTLOOK = Outlook(now_s=EVENING_S + 60, horizon_s=900.0, soc_floor=0.2, outdoor_c=OUTDOOR_C)
LEVELS = network(FLEET, BASELINE_W, direction=Direction.LOAD)


def book_of(direction: Direction) -> Book:
    levels = network(FLEET, BASELINE_W, direction=direction)
    return offer_book(FLEET, STATE, BASELINE_W, outlook=OUTLOOK, levels=levels, direction=direction)


@settings(max_examples=60)
@given(fraction=st.floats(0.05, 1.0), uniform=st.floats(0.0, 0.999), policy=st.sampled_from(sorted(POLICIES)))
def test_extra_load_meets_its_target_within_every_limit(fraction: float, uniform: float, policy: str) -> None:
    book = offer_book(
        FLEET, STATE, BASELINE_W,
        outlook=OUTLOOK, levels=LEVELS, policy=POLICIES[policy], direction=Direction.LOAD,
    )  # fmt: skip
    target_w = -fraction * book.most_w
    plan = plan_from(book, FLEET, BASELINE_W, target_w, uniform=uniform)
    whole_w = 2.0 * FLEET.import_max_w[FLEET.discrete()].max()
    assert abs(plan.planned_w - target_w) <= (1e-6 * book.most_w if 0.1 < fraction < 0.8 else 5 * whole_w)
    assert plan.planned_w == pytest.approx(plan.relief_w.sum())
    assert (plan.relief_w <= 0.0).all()
    for level in LEVELS:
        assert (-level.sums(plan.relief_w) <= level.limit_w * (1.0 + 1e-9) + 1e-6).all()
    assert plan.shortfall_w == pytest.approx(max(plan.planned_w - target_w, 0.0), abs=5.0)


def test_commands_for_extra_load_are_setpoints_above_the_baseline_or_load_up() -> None:
    plan = plan_from(book_of(Direction.LOAD), FLEET, BASELINE_W, -5e5)
    whole, told = FLEET.discrete(), plan.relief_w < -1.0
    assert (plan.mode[whole & told] == Mode.LOAD_UP).all()
    assert (plan.mode[~whole & told] == Mode.SETPOINT).all()
    assert plan.setpoint_w[~whole & told] == pytest.approx((BASELINE_W - plan.relief_w)[~whole & told], rel=1e-6)
    assert (plan.setpoint_w[~whole & told] <= FLEET.import_max_w[~whole & told] * 1.0001).all()
    assert {Mode.LOAD_UP, Mode.SETPOINT} <= set(plan.mode.tolist())


def test_a_transformer_has_room_for_what_its_rating_leaves() -> None:
    fleet = fleet_of(300)
    baseline_w = np.full(300, 1_000.0)
    transformers, _ = network(fleet, baseline_w, direction=Direction.LOAD)
    drawn_w = transformers.sums(baseline_w)
    rated_w = fleet.transformer_limit_w[fleet.transformer[transformers.starts]]
    assert transformers.limit_w == pytest.approx(np.maximum(0.95 * rated_w - drawn_w, 0.0))


def test_every_level_of_the_tree_counts() -> None:
    fleet = fleet_of(900)
    fleet = replace(
        fleet,
        site_limit_w=np.full(fleet.site_names.size, 4_000.0),
        substation_limit_w=np.full(len(fleet.substation_names), 150e3),
        vendor_limit_w=np.array([60e3, np.inf, np.inf, np.inf]),
    )
    state, baseline_w = evening(fleet)
    levels = network(fleet, baseline_w)
    assert [level.starts.size for level in levels] == [
        np.unique(codes).size for codes in (fleet.site, fleet.transformer, fleet.feeder, fleet.substation)
    ]
    plan = plan_round(fleet, state, baseline_w, 1e9, outlook=OUTLOOK, levels=levels)
    for level in levels:
        assert (level.sums(plan.relief_w) <= level.limit_w * (1.0 + 1e-9) + 1e-6).all()
    assert plan.relief_w[fleet.vendor == 0].sum() <= 60e3 * (1.0 + 1e-6)
    assert plan.planned_w > 150e3


def test_which_way() -> None:
    assert (direction_of(1.0), direction_of(0.0), direction_of(-1.0)) == (
        Direction.RELIEF, Direction.RELIEF, Direction.LOAD,
    )  # fmt: skip


def worth_w(book: Book, price: float) -> float:
    market = Market(asked_of([Seller(book, FLEET)]), 1, quota_w=FLEET.vendor_limit_w)
    return book.direction * market.worth_w(price)


def test_a_price_is_worth_what_the_fleet_gives_at_it() -> None:
    """PRICE sets λ and megawatts solve for it: the same devices answer either way."""
    for direction in Direction:
        book = book_of(direction)
        price = float(np.median(book.offers.cost))
        watts = worth_w(book, price)
        plan = plan_from(book, FLEET, BASELINE_W, watts)
        assert abs(watts) > 1e5
        assert plan.planned_w == pytest.approx(watts, rel=1e-3)
    assert worth_w(book_of(Direction.RELIEF), -1e9) == 0.0


def lived(fleet: Fleet, state: FleetState, plan: Plan, seconds: int) -> tuple[list[FleetState], Floats]:
    rng, states, total_w = np.random.default_rng(5), [state], []
    for second in range(0, seconds, 10):
        tick = Tick(now_s=EVENING_S + 70 + second, dt_s=10.0, outdoor_c=OUTDOOR_C, sunlight=0.15, rng=rng)
        states.append(step(fleet, states[-1], mode=plan.mode, setpoint_w=plan.setpoint_w, tick=tick))
        total_w.append(float(states[-1].power_w.sum()))
    return states, np.array(total_w)


@pytest.mark.parametrize("device_class", [one for one in DeviceClass if one is not DeviceClass.SOLAR_INVERTER])
def test_what_is_promised_as_extra_load_is_taken_for_the_whole_horizon(device_class: DeviceClass) -> None:
    fleet = only_class(200, device_class)
    state, _ = evening(fleet)
    soc = np.where(np.isfinite(state.soc), 0.4, np.nan)
    state = replace(state, soc=soc, power_w=np.zeros(200))
    baseline_w = fleet.gain_w.copy() if device_class is DeviceClass.DATA_CENTRE else np.zeros(200)
    book = offer_book(fleet, state, baseline_w, outlook=OUTLOOK, direction=Direction.LOAD)
    plan = plan_from(book, fleet, baseline_w, -book.most_w)
    states, total_w = lived(fleet, state, plan, 900)
    taken_w = total_w - baseline_w.sum()
    assert book.most_w > 1e5
    # A house cools with its own noise of deadbands; everything else takes what it was told.
    slack = 0.06 if device_class is DeviceClass.THERMOSTAT else 1e-3
    assert taken_w.mean() >= book.most_w * (1.0 - slack)
    assert np.nanmax(np.concatenate([one.soc for one in states]), initial=0.0) <= 1.0
    coolest_c = fleet.setpoint_c - fleet.comfort_c - fleet.deadband_c
    assert not (states[-1].temperature_c < coolest_c).any()


def test_every_class_has_both_directions() -> None:
    for device_class, model in MODELS.items():
        assert {"headroom", "footroom", "step"} <= set(dir(model)), device_class


def test_no_cold_battery_is_charged_and_no_frozen_one_used() -> None:
    fleet = only_class(3, DeviceClass.BATTERY)
    state, _ = evening(fleet)
    state = replace(state, soc=np.full(3, 0.5), temperature_c=np.array([25.0, -2.0, -15.0]))
    more = headroom(fleet, state, np.zeros(3), OUTLOOK, direction=Direction.LOAD)
    less = headroom(fleet, state, np.zeros(3), OUTLOOK)
    assert (more.relief_w > 0.0).tolist() == [True, False, False]
    assert (less.relief_w > 0.0).tolist() == [True, True, False]


class TestDataCentre:
    fleet = only_class(4, DeviceClass.DATA_CENTRE)

    def test_its_jobs_wait_and_are_caught_up(self) -> None:
        """100 kWh may be put off, a tenth is the owner's: 40 kW can rest for two hours and a quarter."""
        state, _ = evening(self.fleet)
        baseline_w = self.fleet.gain_w.copy()
        book = offer_book(self.fleet, state, baseline_w, outlook=replace(OUTLOOK, horizon_s=2 * 3600.0))
        assert book.most_w == pytest.approx(float(baseline_w.sum()))
        longer = offer_book(self.fleet, state, baseline_w, outlook=replace(OUTLOOK, horizon_s=4 * 3600.0))
        assert longer.most_w == pytest.approx(float(((1.0 - self.fleet.reserve) * self.fleet.energy_wh / 4.0).sum()))
        plan = plan_from(book, self.fleet, baseline_w, book.most_w)
        states, total_w = lived(self.fleet, state, plan, 3600)
        assert total_w.max() == pytest.approx(0.0, abs=1e-3)
        owed_wh = (1.0 - states[-1].soc) * self.fleet.energy_wh
        assert owed_wh == pytest.approx(baseline_w)
        free = replace(plan, mode=np.zeros(4, dtype=np.uint8))
        after, _ = lived(self.fleet, states[-1], free, 3 * 3600)
        assert after[-1].soc == pytest.approx(1.0)
        assert after[-1].power_w == pytest.approx(baseline_w)

    def test_it_never_puts_off_what_the_owner_keeps(self) -> None:
        state, _ = evening(self.fleet)
        plan = plan_round(self.fleet, state, self.fleet.gain_w, 1e9, outlook=OUTLOOK)
        states, _ = lived(self.fleet, state, plan, 5 * 3600)
        assert states[-1].soc.min() == pytest.approx(float(self.fleet.reserve.min()), abs=1e-3)
