"""What the fleet could be asked for, and how its storage stands, as reports tell it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from openadr_ven.application.agent import Agent
from openadr_ven.application.offering import Looked, look
from openadr_ven.dispatch.capability import CapabilityModel
from openadr_ven.fleet.columns import DeviceClass
from tests.ven.application.world import World, store_at

STORES = (DeviceClass.BATTERY, DeviceClass.EV_BIDIRECTIONAL, DeviceClass.EV_CHARGER)


@pytest.fixture
async def world(tmp_path: Path, now: datetime) -> AsyncIterator[World]:
    store = await store_at(tmp_path)
    world = World(store, now)
    await world.start()
    await world.second(3)
    yield world
    await store.close()


def agent_of(world: World) -> Agent:
    assert world.agent is not None
    return world.agent


def looked(world: World) -> Looked:
    agent = agent_of(world)
    model = CapabilityModel(agent.seen.fleet)
    return look(model, agent.seen, agent.control, ratios=[], soc_floor=0.2, now=world.now)


async def test_relief_is_load_not_drawn_and_power_fed(world: World) -> None:
    found = looked(world)
    points = found.points
    assert points["available"] == pytest.approx(float(found.capability.flat_w[0]))
    assert points["shed"] + points["feed"] == pytest.approx(points["available"])
    fleet, state = agent_of(world).seen.fleet, agent_of(world).seen.state
    drawn_w = float(np.maximum(state.power_w, 0.0).sum())
    assert 0.0 < points["shed"] <= drawn_w
    assert points["feed"] > 0.0, "batteries feed"
    room_w = float(np.nan_to_num(fleet.import_max_w).sum()) - float(state.power_w.sum())
    assert 0.0 < points["more"] <= room_w


async def test_storage_is_told_of_what_is_heard_alone(world: World) -> None:
    points = looked(world).points
    fleet, state = agent_of(world).seen.fleet, agent_of(world).seen.state
    told = np.isin(fleet.device_class, STORES) & np.isfinite(state.soc) & state.plugged & state.online
    told &= ~state.override
    assert points["store"] == pytest.approx(float((fleet.energy_wh * (1.0 - np.nan_to_num(fleet.reserve)))[told].sum()))
    assert points["charge"] == pytest.approx(float(np.average(state.soc[told], weights=fleet.energy_wh[told])))
    assert points["feed_max"] == pytest.approx(float(np.nan_to_num(fleet.export_max_w)[told].sum()))
    assert points["draw_max"] == pytest.approx(float(fleet.import_max_w[told].sum()))


async def test_without_storage_there_is_nothing_to_tell_of_it(world: World) -> None:
    seen = agent_of(world).seen
    seen.state = replace(seen.state, soc=np.full(seen.fleet.size, np.nan))
    assert "charge" not in looked(world).points
    assert "available" in looked(world).points


async def test_the_agent_reports_what_was_looked_at(world: World) -> None:
    found = looked(world)
    agent_of(world).offer(found, world.now)
    assert agent_of(world).capability is found.capability
    assert agent_of(world)._reporter.offered.at(world.now) == found.points
