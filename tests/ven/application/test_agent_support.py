"""The agent, its gateways and its devices with curves: told, shown, held over a restart, and let go of."""

from datetime import timedelta

import numpy as np
import pytest

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.grid_support import Curve, CurvePoint, GridFunction, GridSupport, Reference
from openadr_core.model.opt import OptType
from openadr_ven.console.view import now_view
from openadr_ven.domain.indications import EventReceived
from openadr_ven.gateways.contract import AckState, Reason, SupportAckFrame
from openadr_ven.simulator.inverters import KNOWING
from tests.ven.application.world import SECOND, World

POINTS = (CurvePoint(x=92.0, y=44.0), CurvePoint(x=108.0, y=-44.0))
VOLT_VAR = GridSupport(function=GridFunction.VOLT_VAR, curve=Curve(points=POINTS, reference=Reference.MAX_VAR))


def an_event(world: World, *, lasts_s: float = 60.0) -> DrEvent:
    duration = lasts_s * SECOND
    signal = Signal(
        id="s",
        kind=SignalKind.GRID_SUPPORT,
        support=VOLT_VAR,
        intervals=(SignalInterval(duration=duration, value=0.0),),
    )
    return DrEvent(
        id="curve", program_id="p", market_context="ieee2030.5:opModVoltVar", version=0, starts_at=world.now,
        duration=duration, signals=(signal,), created_at=world.now, modified_at=world.now,
    )  # fmt: skip


async def told(world: World, event: DrEvent) -> None:
    assert await world.running.heed([EventReceived(event=event, delay_fraction=0.0)], now=world.now)


async def test_a_curve_is_told_to_every_device_that_knows_it_and_let_go_of_at_the_end(world: World) -> None:
    knowing = {str(one) for one in world.fleet.device_id[np.isin(world.fleet.device_class, KNOWING)]}
    await world.second(2)
    await told(world, an_event(world))
    assert world.running.held["curve"].opt.opt_type is OptType.IN
    await world.second(3)
    assert world.town.inverters.told() == dict.fromkeys(knowing, (VOLT_VAR,))
    (shown,) = now_view(world.running, (), world.now)["support"]
    assert shown == {
        "event": "curve", "sets": "volt var (92, 44) (108, -44)", "devices": len(knowing), "set": len(knowing),
        "refused": 0,
    }  # fmt: skip
    assert world.running.control.engaged is None, "no watts are asked for"
    await world.second(70)
    assert world.town.inverters.told() == {}
    assert now_view(world.running, (), world.now)["support"] == []


async def test_over_a_crash_a_curve_goes_on_and_ends_as_it_would_have(world: World) -> None:
    await world.second(2)
    await told(world, an_event(world))
    await world.second(3)
    world.crash()
    await world.second(3)
    assert world.town.inverters.told()
    await world.start()
    await world.second(5)
    assert world.town.inverters.told()
    await world.second(60)
    assert world.town.inverters.told() == {}


async def test_while_the_broker_is_away_nothing_is_told_and_then_it_is(world: World) -> None:
    await world.second(2)
    world.broker.down = True
    await told(world, an_event(world))
    await world.second(5)
    assert world.town.inverters.told() == {}
    world.broker.down = False
    await world.second(3)
    assert world.town.inverters.told()


@pytest.mark.parametrize(("reason", "code"), [(Reason.OUT_OF_RANGE, "454"), (Reason.UNSUPPORTED_MODE, "460")])
async def test_what_no_device_will_do_is_answered_so(world: World, reason: Reason, code: str) -> None:
    await world.second(2)
    await told(world, an_event(world, lasts_s=600.0))
    for frame in world.running.supporting.frames(world.running.held, world.now):
        refused = SupportAckFrame(
            gateway=frame.gateway, function=frame.function, command_id=frame.command_id, sequence=frame.sequence,
            at=world.now + timedelta(0), state=AckState.REJECTED, reason=reason, slots=frame.slots,
        )  # fmt: skip
        world.running.hear(refused, now=world.now)
    await world.second(2)
    opt = world.running.held["curve"].opt
    assert (opt.opt_type, opt.code) == (OptType.OUT, code)
    assert world.town.inverters.told() == {}
