"""Owners' terms in a running event: honoured second by second, over a crash too, and shown where they bind."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_ven.application.owners import Owners
from openadr_ven.console.view import now_view
from openadr_ven.dispatch.plan import Cause
from openadr_ven.domain.held import Condition
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode
from openadr_ven.fleet.terms import Term, Terms
from tests.ven.application.world import TARGET_W, World, a_fleet, an_ask, post, store_at

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


def a_fleet_with(**columns: float) -> Fleet:
    """Every other battery with these terms."""
    fleet = a_fleet()
    bound = (fleet.device_class == DeviceClass.BATTERY) & (np.arange(fleet.size) % 2 == 0)
    values = {
        name: np.where(bound, value, getattr(fleet.terms, name)).astype(getattr(fleet.terms, name).dtype)
        for name, value in columns.items()
    }
    return replace(fleet, terms=replace(fleet.terms, **values))


async def a_world(tmp_path: Path, **columns: float) -> World:
    world = World(await store_at(tmp_path), NOW, fleet=a_fleet_with(**columns))
    await world.start()
    await world.second(12)
    return world


def told(world: World) -> np.ndarray:
    return np.asarray(world.running.control.commands.mode != Mode.RELEASE)


def used_up(world: World, cap_s: float) -> np.ndarray:
    """Devices whose cap is reached; none is ever used for longer than a round beyond it."""
    event_s, capped = world.running.control.owners.usage.event_s, np.isfinite(world.fleet.terms.event_max_s)
    assert event_s[capped].max() <= cap_s + 1.5
    return np.asarray(capped & (event_s >= cap_s))


async def test_an_event_cap_binds_in_mid_event_and_others_take_over(tmp_path: Path) -> None:
    world = await a_world(tmp_path, event_max_s=30.0)
    capped = np.isfinite(world.fleet.terms.event_max_s)
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, an_ask(world))
    await world.second(20)
    assert told(world)[capped].any()
    await world.second(30)
    spent = used_up(world, 30.0)
    assert spent.any()
    assert not told(world)[spent].any()
    assert before_w - world.power_w[-1] == pytest.approx(TARGET_W, rel=0.05)
    view = now_view(world.running, (), world.now)
    assert view["terms"] == [{"term": Term.EVENT_CAP.value, "devices": int(spent.sum())}]


async def test_usage_survives_a_crash(tmp_path: Path) -> None:
    world = await a_world(tmp_path, event_max_s=45.0)
    capped = np.isfinite(world.fleet.terms.event_max_s)
    post(world, an_ask(world))
    await world.second(30)
    used_s = world.running.control.owners.usage.event_s[capped].max()
    world.crash()
    await world.second(3)
    await world.start()
    await world.second(1)
    again_s = world.running.control.owners.usage.event_s[capped].max()
    assert used_s <= again_s <= used_s + 6.0
    await world.second(30)
    spent = used_up(world, 45.0)
    assert spent.any()
    assert not told(world)[spent].any()


async def test_no_consent_is_no_command(tmp_path: Path) -> None:
    world = await a_world(tmp_path, consent=0.0)
    post(world, an_ask(world, kw=5_000.0))
    await world.second(20)
    assert not told(world)[~world.fleet.terms.consent].any()
    plan = world.running.last.plan if world.running.last else None
    assert plan is not None
    assert plan.shortfall_by_cause[Cause.OWNERS_TERMS] > 10e3


async def test_a_storm_that_begins_in_mid_event_frees_the_held_batteries(tmp_path: Path) -> None:
    world = await a_world(tmp_path, storm_hold=1.0)
    held = world.fleet.terms.storm_hold
    post(world, an_ask(world))
    await world.second(20)
    assert told(world)[held].any()
    async with world.store.unit_of_work() as unit:
        await unit.set_condition(Condition.STORM, world.now)
    await world.second(3)
    assert not told(world)[held].any()
    async with world.store.unit_of_work() as unit:
        await unit.set_condition(Condition.STORM, None)
    await world.second(3)
    assert told(world)[held].any()


def test_a_count_of_another_fleet_is_left_alone() -> None:
    small, large = Owners(a_fleet(40), now=NOW), Owners(a_fleet(80), now=NOW)
    large.restore(small.record(NOW), None, now=NOW)
    assert large.usage.event_s.size == 80
    assert Terms.none(2).consent.all()
