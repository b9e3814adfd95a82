"""Events of several programs at once: each has its own megawatts, none is in two of them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_core.model.opt import OptType
from openadr_core.model.program import ReliefSign
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.market_context import normalised
from openadr_ven.domain.delivered import Delivered, delivered_over
from openadr_ven.domain.enrolled import Enrolled
from tests.ven.application.world import World, post, store_at
from tests.ven.protocols.conversation import SETTINGS
from tests.ven.protocols.scripted_vtn import CONTEXT, an_event

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
OTHER = "http://example.org/programs/other"


async def a_world(tmp_path: Path, *, reference: float | None = None) -> World:
    world = World(await store_at(tmp_path), NOW)
    signs = {normalised(context): ReliefSign.POSITIVE for context in (CONTEXT, OTHER)}
    world.session_settings = replace(SETTINGS, enrolled=Enrolled(relief_signs=signs))
    world.reference = {} if reference is None else {normalised(CONTEXT): reference}
    await world.start()
    await world.second(12)
    return world


def asking(world: World, event_id: str, kw: float, *, context: str, priority: int = 0) -> m.Event:
    event = an_event(event_id, starts_at=world.now.replace(microsecond=0), minutes=5, value=kw, context=context)
    return replace(event, descriptor=replace(event.descriptor, priority=priority))


async def came_to(world: World, event_id: str) -> Delivered:
    async with world.store.unit_of_work() as unit:
        found = delivered_over([one for one in await unit.deliveries(event_id) if one.at >= world.settled_at])
    assert found is not None
    return found


async def settled(world: World, seconds: int = 25) -> None:
    await world.second(seconds)
    world.settled_at = world.now
    await world.second(11)


async def test_what_two_programs_ask_for_adds_up(tmp_path: Path) -> None:
    world = await a_world(tmp_path)
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, asking(world, "a", 120, context=CONTEXT), asking(world, "b", 60, context=OTHER))
    await settled(world)
    assert before_w - world.power_w[-1] == pytest.approx(180e3, rel=0.05)
    a, b = await came_to(world, "a"), await came_to(world, "b")
    assert (a.asked_w, b.asked_w) == (120e3, 60e3)
    assert a.delivered_w == pytest.approx(120e3, rel=0.05)
    assert b.delivered_w == pytest.approx(60e3, rel=0.1)


async def test_where_there_is_not_enough_the_first_in_precedence_is_served_first(tmp_path: Path) -> None:
    world = await a_world(tmp_path)
    # 2.0b counts up from the least important, 1 is the most important: b goes first.
    post(
        world, asking(world, "a", 400, context=CONTEXT, priority=2), asking(world, "b", 500, context=OTHER, priority=1)
    )
    await settled(world)
    assert world.running.last is not None
    total_w = float(world.running.last.given_w.sum())
    a, b = await came_to(world, "a"), await came_to(world, "b")
    assert b.allowed_w == pytest.approx(500e3)
    assert a.allowed_w == pytest.approx(100e3), "the envelope's 600 kW are for all events together"
    assert a.delivered_w + b.delivered_w == pytest.approx(total_w, rel=0.1)
    assert b.delivered_w >= 0.95 * min(500e3, total_w)
    assert a.shortfall_w["envelope"] > 0.9 * 300e3
    assert "envelope" not in b.shortfall_w


async def test_pulling_in_opposite_directions_the_first_wins(tmp_path: Path) -> None:
    world = await a_world(tmp_path)
    before_w = float(np.mean(world.power_w[-10:]))
    post(
        world, asking(world, "a", 100, context=CONTEXT, priority=1), asking(world, "b", -80, context=OTHER, priority=2)
    )
    await settled(world)
    assert before_w - world.power_w[-1] == pytest.approx(100e3, rel=0.05)
    b = await came_to(world, "b")
    assert b.asked_w == -80e3
    assert b.delivered_w == pytest.approx(0.0, abs=15e3)


async def test_one_event_ends_and_the_other_goes_on(tmp_path: Path) -> None:
    world = await a_world(tmp_path)
    before_w = float(np.mean(world.power_w[-10:]))
    short = an_event("a", starts_at=world.now.replace(microsecond=0), minutes=1, value=120, context=CONTEXT)
    post(world, short, asking(world, "b", 60, context=OTHER))
    await world.second(40)
    await settled(world, 50)
    assert before_w - world.power_w[-1] == pytest.approx(60e3, rel=0.1)
    assert (await came_to(world, "b")).delivered_w == pytest.approx(60e3, rel=0.1)


def a_price(world: World, price: float) -> m.Event:
    event = an_event("p", starts_at=world.now.replace(microsecond=0), minutes=5, value=price, context=CONTEXT)
    (signal,) = event.signals
    unit = m.Unit(name="currencyPerKWh", description="currencyPerKWh", units="USD")
    priced = replace(signal, signal_name="ELECTRICITY_PRICE", signal_type="price", item_base=unit)
    return replace(event, signals=(priced,))


@pytest.mark.parametrize(("price", "way"), [(0.55, 1.0), (0.30, 0.0), (0.02, -1.0)])
async def test_a_price_moves_those_whom_it_pays(tmp_path: Path, price: float, way: float) -> None:
    world = await a_world(tmp_path, reference=0.30)
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, a_price(world, price))
    await world.second(25)
    moved_w = before_w - world.power_w[-1]
    assert world.running.held["p"].opt.opt_type is OptType.IN
    if way:
        assert way * moved_w > 50e3
        assert world.running.last is not None
        assert way * world.running.last.asked_w > 50e3
    else:
        assert abs(moved_w) < 30e3


@pytest.mark.openadr20b("R510")
async def test_without_a_usual_price_a_price_is_taken_and_shown_and_moves_nobody(tmp_path: Path) -> None:
    world = await a_world(tmp_path)
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, a_price(world, 0.9))
    await world.second(25)
    opt = world.running.held["p"].opt
    assert (opt.opt_type, opt.code) == (OptType.IN, "200")
    assert abs(before_w - world.power_w[-1]) < 30e3
    assert "reference_price_per_kwh" in opt.reason
