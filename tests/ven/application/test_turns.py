"""Turns of houses in a running event: planned once, kept over a crash, and given up rather than miss the target."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_ven.application.turns import Turns
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode
from tests.ven.application.world import World, an_ask, post, store_at
from tests.ven.fleet.synthetic import fleet_of

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
MIX = (0.25, 0.0, 0.0, 0.7, 0.05, 0.0, 0.0)


def a_suburb() -> Fleet:
    fleet = fleet_of(240, seed=3, mix=MIX)
    return replace(
        fleet,
        vendor=(fleet.gateway % 4).astype(np.uint32),
        transformer_limit_w=np.full(fleet.transformer_names.size, 1e6),
    )


async def in_an_event(tmp_path: Path, *, minutes: int, kw: float = 100.0) -> World:
    world = World(await store_at(tmp_path), NOW, fleet=a_suburb())
    await world.start()
    await world.second(12)
    post(world, an_ask(world, minutes=minutes, kw=kw))
    await world.second(20)
    return world


def turns_of(world: World) -> Turns | None:
    engaged = world.running.control.engaged
    assert engaged is not None
    return engaged.turns


def shed(world: World) -> np.ndarray:
    return np.asarray(world.running.control.commands.mode == Mode.SHED)


async def test_a_long_event_has_turns_and_follows_them(tmp_path: Path) -> None:
    world = await in_an_event(tmp_path, minutes=180)
    turns = turns_of(world)
    assert turns is not None
    houses = world.fleet.device_class == DeviceClass.THERMOSTAT
    assert np.isfinite(turns.begins_s[houses]).mean() > 0.5
    assert np.isnan(turns.begins_s[~houses]).all()
    assert np.array_equal(shed(world), turns.relief_w(world.now) > 0.0)
    assert world.running.last is not None
    assert world.running.last.given_w.sum() == pytest.approx(100e3, rel=0.1)


async def test_the_turns_are_the_same_after_a_crash(tmp_path: Path) -> None:
    world = await in_an_event(tmp_path, minutes=180)
    before, told = turns_of(world), shed(world)
    world.crash()
    await world.second(2)
    await world.start()
    await world.second(8)
    after = turns_of(world)
    assert before is not None
    assert after is not None
    assert np.array_equal(before.begins_s, after.begins_s, equal_nan=True)
    assert np.array_equal(before.ends_s, after.ends_s, equal_nan=True)
    assert np.array_equal(shed(world), told)


async def test_a_short_event_needs_none(tmp_path: Path) -> None:
    world = await in_an_event(tmp_path, minutes=10)
    assert turns_of(world) is None


async def test_the_target_comes_before_the_turns(tmp_path: Path) -> None:
    """More than storage and those in turn can give: houses are drawn as without turns."""
    world = await in_an_event(tmp_path, minutes=60, kw=430.0)
    turns = turns_of(world)
    assert turns is not None
    assert world.running.last is not None
    plan = world.running.last.plan
    assert plan is not None
    in_turn_w = turns.relief_w(world.now)
    assert plan.planned_w == pytest.approx(min(430e3, plan.available_w), rel=0.05)
    assert plan.planned_w > in_turn_w.sum()
