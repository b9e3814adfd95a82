"""What the agent must not conclude from hearing nobody, and what a changed deployment must not break."""

from dataclasses import replace

import numpy as np
import pytest

from tests.ven.application.world import TARGET_W, FailingStore, World, a_fleet, an_ask, post
from tests.ven.protocols.conversation import answers


async def in_an_event(world: World) -> float:
    """A steady event; returns the fleet's power before it."""
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, an_ask(world))
    await world.until(lambda: before_w - world.power_w[-1] >= 0.95 * TARGET_W)
    await world.second(5)
    return before_w


async def live_without_hearing(world: World, seconds: int) -> None:
    """The broker is down for us alone: rounds go on, reports stay where they are."""
    for _ in range(seconds):
        world.clock.advance(1)
        world.broker.unheard.extend(world.town.tick(world.now))
        world.power_w.append(float(world.town.state.power_w.sum()))
        await world.running.tick(now=world.now)


@pytest.mark.parametrize("deaf_s", [4, 6, 10])
async def test_a_deaf_agent_lets_nobody_go(world: World, deaf_s: int) -> None:
    before_w = await in_an_event(world)
    world.broker.down = True
    await live_without_hearing(world, deaf_s)
    world.broker.down = False
    await world.second(10)
    relief_w = before_w - np.array(world.power_w[-10 - deaf_s :])
    assert relief_w.min() >= 0.95 * TARGET_W
    assert relief_w.max() <= 1.05 * TARGET_W


async def test_a_stalled_agent_lets_nobody_go(world: World) -> None:
    # SIGSTOP, SIGCONT: the first round runs before anything that came meanwhile is read.
    before_w = await in_an_event(world)
    for _ in range(5):
        world.clock.advance(1)
        world.broker.unheard.extend(world.town.tick(world.now))
    await world.running.tick(now=world.now)
    await world.second(10)
    assert (before_w - np.array(world.power_w[-10:])).min() >= 0.95 * TARGET_W


async def test_a_fleet_of_another_size_starts_from_nothing(world: World, store: FailingStore) -> None:
    await in_an_event(world)
    sequence = world.running.control.sequence
    world.crash()
    world.clock.advance(60)
    smaller = World(store, world.now, fleet=a_fleet(200))
    smaller.vtn = world.vtn
    await smaller.start()
    await smaller.second(10)
    assert smaller.running.control.sequence >= sequence


async def test_what_could_not_be_stored_is_not_told(world: World, store: FailingStore) -> None:
    store.failing = True
    post(world, an_ask(world))
    await world.second(4)
    assert answers(world.vtn) == []
    store.failing = False
    await world.second(3)
    assert [one.opt_type for one in answers(world.vtn)] == ["optIn"]


async def test_an_event_whose_name_no_command_can_carry_is_refused(world: World) -> None:
    event = an_ask(world)
    post(world, replace(event, descriptor=replace(event.descriptor, event_id="e" * 256)))
    await world.second(4)
    (answer,) = answers(world.vtn)
    assert (answer.opt_type, answer.response_code) == ("optOut", "454")
    assert world.running.control.engaged is None
