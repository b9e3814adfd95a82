"""An event for some devices binds these and no others: while it runs, beside another, and while it is let go."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.model.opt import OptType
from openadr_core.model.timeline import segments
from openadr_core.oadr2 import messages as m
from openadr_ven.application.asking import Ask
from openadr_ven.application.books import Books, Engaged
from openadr_ven.application.parts import merged, parts_of, plan_parts
from openadr_ven.dispatch.cell import Cells
from openadr_ven.dispatch.network import network
from openadr_ven.dispatch.plan import Plan, plan_round
from openadr_ven.fleet.columns import DeviceClass, Direction, Floats, Mask, Mode
from openadr_ven.fleet.model import Outlook
from tests.ven.application.world import World, an_ask, post, store_at
from tests.ven.domain.test_held_events import an_event as a_canonical_event
from tests.ven.domain.test_held_events import held
from tests.ven.fleet.synthetic import EVENING_S, evening, fleet_of
from tests.ven.protocols.conversation import answers
from tests.ven.protocols.scripted_vtn import VEN_ID

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(await store_at(tmp_path), NOW)
    await world.start()
    await world.second(12)
    yield world
    await world.store.close()


def on_feeder(world: World, number: int) -> Mask:
    return np.asarray(world.fleet.feeder == number)


def for_target(
    world: World, target: m.Target, *, event_id: str = "event-1", kw: float = 40, minutes: int = 5
) -> m.Event:
    event = an_ask(world, kw=kw, minutes=minutes)
    return replace(event, descriptor=replace(event.descriptor, event_id=event_id), target=target)


def under_command(world: World) -> Mask:
    return np.asarray(world.running.control.commands.mode != Mode.RELEASE)


@pytest.mark.openadr20b("R22", "N10", "R112")
@pytest.mark.parametrize(
    "target",
    [
        m.Target(resource_ids=("feeder-001",)),
        m.Target(group_ids=("nobody", "feeder-001")),
        m.Target(ven_ids=("somebody-else",), resource_ids=("feeder-001",)),
    ],
)
async def test_only_the_devices_of_the_target_are_ever_under_command(world: World, target: m.Target) -> None:
    post(world, for_target(world, target, minutes=1))
    before_w = float(np.mean(world.power_w[-10:]))
    for _ in range(85):
        await world.second()
        assert not (under_command(world) & ~on_feeder(world, 1)).any()
        if world.now == NOW.replace(minute=31, second=0):
            assert before_w - world.power_w[-1] == pytest.approx(40e3, rel=0.1)
    assert not under_command(world).any()


@pytest.mark.openadr20b("R111", "V18")
async def test_device_classes_are_anded_with_the_target(world: World) -> None:
    event = for_target(world, m.Target(resource_ids=("feeder-001",)), kw=10)
    signal = replace(event.signals[0], target=m.Target(end_device_assets=("Storage", "Thermostat")))
    post(world, replace(event, signals=(signal,)))
    classes = [DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.THERMOSTAT]
    meant = on_feeder(world, 1) & np.isin(world.fleet.device_class, classes)
    await world.second(20)
    assert under_command(world).any()
    assert not (under_command(world) & ~meant).any()


@pytest.mark.openadr20b("R48", "R112", "N11")
async def test_a_target_that_is_not_here_is_462_and_a_class_that_is_not_in_it_469(world: World) -> None:
    elsewhere = for_target(world, m.Target(resource_ids=("feeder-999",)), event_id="elsewhere")
    area = for_target(world, m.Target(service_areas=("1 2 3 4",)), event_id="area")
    sauna = for_target(world, m.Target(ven_ids=(VEN_ID,)), event_id="sauna")
    signal = replace(sauna.signals[0], target=m.Target(end_device_assets=("Sauna",)))
    post(world, elsewhere, area, replace(sauna, signals=(signal,)))
    await world.second(3)
    said = {one.event_id: (one.response_code, one.opt_type) for one in answers(world.vtn)}
    assert said == {"elsewhere": ("462", "optOut"), "area": ("462", "optOut"), "sauna": ("469", "optOut")}
    await world.second(10)
    assert not under_command(world).any()


async def test_events_for_two_parts_run_beside_each_other(world: World) -> None:
    one = for_target(world, m.Target(resource_ids=("feeder-000",)), event_id="one", kw=30)
    two = for_target(world, m.Target(resource_ids=("feeder-001",)), event_id="two", kw=50, minutes=1)
    before = world.town.state.power_w.copy()
    post(world, one, two)
    await world.second(25)
    given = world.running.control.commands.relief_w(world.running.control.engaged.baseline_w)  # type: ignore[union-attr]
    assert given[on_feeder(world, 0)].sum() == pytest.approx(30e3, rel=0.1)
    assert given[on_feeder(world, 1)].sum() == pytest.approx(50e3, rel=0.1)
    assert (before - world.town.state.power_w)[on_feeder(world, 0)].sum() == pytest.approx(30e3, rel=0.35)
    await world.second(60)
    assert not under_command(world)[on_feeder(world, 1)].any(), "its minute is over"
    assert under_command(world)[on_feeder(world, 0)].any()
    assert {one.event_id: one.opt_type for one in answers(world.vtn)} == {"one": "optIn", "two": "optIn"}


async def test_a_crash_in_the_middle_changes_nothing_about_whose_event_it_is(world: World) -> None:
    post(world, for_target(world, m.Target(resource_ids=("feeder-001",))))
    await world.second(20)
    world.crash()
    await world.second(5)
    await world.start()
    for _ in range(20):
        await world.second()
        assert not (under_command(world) & ~on_feeder(world, 1)).any()
    assert under_command(world).any()
    assert world.running.held["event-1"].opt.opt_type is OptType.IN


# -- parts, without a world ----------------------------------------------------------

FLEET = fleet_of(60, seed=2)
STATE, BASELINE_W = evening(FLEET)
MASKS = st.none() | st.lists(st.booleans(), min_size=60, max_size=60).map(np.array)


def plan_of(among: Mask | None, target_w: float, asked_w: float, beside_w: Floats | None = None) -> Plan:
    excluded = None if among is None else ~among
    outlook = Outlook(now_s=EVENING_S + 60, horizon_s=3600.0)
    return plan_round(FLEET, STATE, BASELINE_W, target_w, outlook=outlook, excluded=excluded, asked_w=asked_w)


def asks_of(masks: list[Mask | None]) -> list[Ask]:
    event = held(a_canonical_event())
    (segment,) = segments(event.event)
    return [Ask(held=event, segment=segment, rows=mask) for mask in masks]


@given(st.lists(st.tuples(MASKS, st.floats(0, 2e4)), min_size=0, max_size=3), st.floats(0, 6e4), MASKS)
def test_no_device_serves_what_it_is_not_asked_for(
    wants: list[tuple[Mask | None, float]], target_w: float, before: Mask | None
) -> None:
    held_before = np.zeros(60, dtype=np.bool_) if before is None else before
    parts = parts_of(asks_of([rows for rows, _ in wants]))
    plans = plan_parts(
        parts,
        [watts for _, watts in wants],
        target_w=target_w,
        due_w=sum(watts for _, watts in wants),
        asked_w=target_w,
        under_command=held_before,
        plan=plan_of,
    )
    allowed = held_before.copy()
    for rows, _ in wants:
        allowed |= True if rows is None else rows
    plan = merged(plans)
    assert not ((plan.mode != Mode.RELEASE) & ~allowed).any()
    told = sum((one.mode != Mode.RELEASE).astype(int) for one in plans)
    assert np.max(told) <= 1, "no device is under two commands"
    assert plan.planned_w == pytest.approx(sum(one.planned_w for one in plans))
    assert plan.planned_w <= target_w + 1e-6


def test_parts_share_what_the_network_carries() -> None:
    """Two parts behind the same transformers get no more through them than one would."""
    levels = network(FLEET, BASELINE_W)
    engaged = Engaged(
        held=held(a_canonical_event()), baseline_w=BASELINE_W, baseline_at=NOW,
        levels=dict.fromkeys(Direction, levels), uniform=0.5,
    )  # fmt: skip
    nothing = np.zeros(FLEET.size)
    books = Books(
        fleet=FLEET, state=STATE, engaged=engaged, outlook=Outlook(now_s=EVENING_S + 60, horizon_s=3600.0),
        policy="endurance", reached=nothing == 0, withheld=nothing > 0, burden=nothing, floor=Cells(FLEET),
    )  # fmt: skip
    plan = books.planner(Direction.RELIEF, mode=np.zeros(FLEET.size, np.uint8), leased_w=nothing, now=NOW)
    odd = np.arange(FLEET.size) % 2 == 1
    parts = parts_of(asks_of([odd, ~odd]))
    plans = plan_parts(
        parts, [1e6, 1e6], target_w=2e6, due_w=2e6, asked_w=2e6, under_command=nothing > 0, plan=plan
    )  # fmt: skip
    together = merged(plans)
    assert together.planned_w > 0
    for level in levels:
        assert (level.sums(together.relief_w) <= level.limit_w * (1 + 1e-9)).all()
    assert any((level.sums(together.relief_w) >= 0.99 * level.limit_w).any() for level in levels), "they do bind"
