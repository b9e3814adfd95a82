"""The fleet keeps to what its operator said of its availability, and the VTN is told, whatever happens meanwhile."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from openadr_core.model.availability import OptSchedule, Scope, Span
from openadr_core.model.opt import OptType
from openadr_core.model.qualification import Qualification
from openadr_core.model.target import Target, TargetKind
from openadr_core.oadr2 import messages as m
from openadr_ven.domain.held import Notice
from openadr_ven.domain.opts import OptOrder
from openadr_ven.fleet.columns import Mask, Mode
from openadr_ven.fleet.naming import CLASSES_20B
from openadr_ven.fleet.terms import Term
from tests.ven.application.world import FailingStore, World, an_ask, post
from tests.ven.protocols.conversation import answers
from tests.ven.protocols.scripted_vtn import VEN_ID, distribute

HOUR = timedelta(hours=1)
STORAGE = Scope(device_classes=frozenset({"Storage"}))


def named(name: str) -> frozenset[Target]:
    return frozenset({Target(kind=TargetKind.GROUP, name=name)})


async def say(world: World, **what: object) -> int:
    """What ``openadr-ven opt`` writes, beside the running agent; its number."""
    order = OptOrder(number=0, said_at=world.now, **what)  # type: ignore[arg-type]
    async with world.store.unit_of_work() as unit:
        return (await unit.add_opt_order(order)).number


async def schedule(
    world: World, scope: Scope, *, opt_id: str = "o1", minutes: int = 60, begins_in_s: int = 0, in_: bool = False
) -> int:
    spans = (Span(starts_at=world.now + timedelta(seconds=begins_in_s), duration=timedelta(minutes=minutes)),)
    said = OptSchedule(
        id=opt_id, opt_type=OptType.IN if in_ else OptType.OUT, reason="emergency", created_at=world.now, spans=spans,
        scope=scope,
    )  # fmt: skip
    return await say(world, schedule=said)


async def word(world: World, scope: Scope, opt_type: OptType = OptType.OUT, *, opt_id: str = "q1") -> int:
    said = Qualification(
        id=opt_id, event_id="event-1", version=0, opt_type=opt_type, reason="mustRun", created_at=world.now, scope=scope
    )
    return await say(world, qualification=said)


async def orders(world: World) -> list[OptOrder]:
    async with world.store.unit_of_work() as unit:
        return await unit.opt_orders()


async def notices(world: World) -> list[Notice]:
    async with world.store.unit_of_work() as unit:
        return await unit.notices(limit=100)


def commanded(world: World) -> Mask:
    told: Mask = world.running.control.commands.mode != Mode.RELEASE
    return told


def storage(world: World) -> Mask:
    classes = [each for each, names in CLASSES_20B.items() if "Storage" in names]
    found: Mask = np.isin(world.fleet.device_class, classes)
    return found


def delivered(world: World) -> float:
    last = world.running.last
    assert last is not None
    return float(last.given_w.sum())


def last_answer(world: World) -> tuple[str, str | None]:
    said = answers(world.vtn)[-1]
    return said.opt_type, said.response_description


# -- schedules ---------------------------------------------------------------------------


@pytest.mark.openadr20b("R200", "R202", "R209", "O3", "O8")
async def test_devices_under_a_schedule_are_left_alone_while_it_holds(world: World) -> None:
    """They are not begun with, and let go where they were; the others make good for them, and the operator sees why."""
    await schedule(world, STORAGE, begins_in_s=30, minutes=1)
    post(world, an_ask(world))
    await world.second(20)
    assert commanded(world)[storage(world)].any()
    await world.second(30)
    assert not commanded(world)[storage(world)].any()
    assert commanded(world)[~storage(world)].any()
    last = world.running.last
    assert last is not None
    assert last.bound[Term.OPTED_OUT] == storage(world).sum()
    assert delivered(world) > 0
    await world.second(60)
    assert commanded(world)[storage(world)].any(), "its time is over"


@pytest.mark.openadr20b("R203", "R204", "O4", "O5")
async def test_a_later_schedule_and_a_cancel_take_effect_at_once(world: World) -> None:
    await schedule(world, STORAGE)
    post(world, an_ask(world, minutes=10))
    await world.second(20)
    assert not commanded(world)[storage(world)].any()
    await say(world, cancels="o1")
    await world.second(15)
    assert commanded(world)[storage(world)].any()
    assert [type(one).__name__ for one in world.vtn.heard if isinstance(one, m.CreateOpt | m.CancelOpt)] == [
        "CreateOpt", "CancelOpt",
    ]  # fmt: skip
    assert [(one.code, one.told_at is not None) for one in await orders(world)] == [("200", True)] * 2


@pytest.mark.openadr20b("R16", "R17", "R48", "O3")
async def test_an_event_inside_a_schedule_for_all_is_refused_with_its_reason(world: World) -> None:
    await schedule(world, Scope())
    await world.second(2)
    post(world, an_ask(world))
    await world.second(3)
    assert last_answer(world) == ("optOut", "out by opt schedule o1: emergency")
    await world.second(10)
    assert not commanded(world).any()
    # It may come back in, when the schedule is taken back (R17).
    await say(world, cancels="o1")
    await world.second(20)
    assert last_answer(world)[0] == "optIn"
    assert commanded(world).any()


@pytest.mark.openadr20b("R16", "R17", "V19")
async def test_a_schedule_that_comes_later_takes_the_fleet_out_of_what_it_was_in(world: World) -> None:
    post(world, an_ask(world))
    await world.second(20)
    assert last_answer(world) == ("optIn", None)
    assert commanded(world).any()
    await schedule(world, Scope(targets=named("fleet")))
    await world.second(30)
    assert last_answer(world) == ("optOut", "out by opt schedule o1: emergency")
    assert not commanded(world).any()


@pytest.mark.openadr20b("R205")
async def test_an_event_that_outlasts_a_schedule_is_answered_in_and_followed_when_it_may(world: World) -> None:
    await schedule(world, Scope(), minutes=1)
    await world.second(2)
    post(world, an_ask(world, minutes=5))
    await world.second(20)
    assert last_answer(world)[0] == "optIn"
    assert not commanded(world).any()
    await world.second(60)
    assert commanded(world).any()


@pytest.mark.openadr20b("R201", "R203", "O4", "O10")
async def test_opt_in_and_opt_out_stand_side_by_side(world: World) -> None:
    """And where both speak, our rule decides: out, unless it is set otherwise."""
    await schedule(world, STORAGE)
    await schedule(world, Scope(), opt_id="o2", in_=True)
    post(world, an_ask(world))
    await world.second(20)
    assert not commanded(world)[storage(world)].any()
    assert commanded(world)[~storage(world)].any()


# -- one event -----------------------------------------------------------------------------


@pytest.mark.openadr20b("R206", "O6", "R510")
async def test_some_are_taken_out_of_one_event_through_its_versions(world: World) -> None:
    event = an_ask(world, minutes=10)
    post(world, event)
    await world.second(15)
    await word(world, STORAGE)
    await world.second(20)
    assert not commanded(world)[storage(world)].any()
    assert last_answer(world)[0] == "optIn"
    (told,) = world.vtn.said(m.CreateOpt)
    assert (told.event_id, told.opt_type, told.opt_reason) == ("event-1", "optOut", "mustRun")
    assert told.device_class == m.Target(end_device_assets=("Storage",))
    post(world, replace(event, descriptor=replace(event.descriptor, modification_number=1)))
    await world.second(15)
    assert not commanded(world)[storage(world)].any()
    await word(world, STORAGE, OptType.IN, opt_id="q2")
    await world.second(20)
    assert commanded(world)[storage(world)].any()


@pytest.mark.openadr20b("R206", "R17", "O6", "V19")
async def test_the_whole_fleet_is_taken_out_of_an_event_and_in_again(world: World) -> None:
    """By oadrCreateOpt, and by a later answer beside it: a VTN that knows one of them alone knows it."""
    post(world, an_ask(world, minutes=10))
    await world.second(15)
    assert commanded(world).any()
    await word(world, Scope())
    await world.second(30)
    assert not commanded(world).any()
    assert last_answer(world) == ("optOut", "mustRun")
    await word(world, Scope(), OptType.IN, opt_id="q2")
    await world.second(20)
    assert commanded(world).any()
    assert last_answer(world) == ("optIn", "mustRun")
    assert [one.opt_type for one in world.vtn.said(m.CreateOpt)] == ["optOut", "optIn"]


# -- telling ---------------------------------------------------------------------------------


@pytest.mark.openadr20b("R207", "R208")
async def test_a_refusal_is_an_alarm_and_the_fleet_keeps_to_it_all_the_same(world: World) -> None:
    refused = m.EiResponse(response_code="451", response_description="no schedules here")
    world.vtn.script[m.CreateOpt] = lambda: m.CreatedOpt(response=refused, opt_id="o1")
    await schedule(world, STORAGE)
    await world.second(5)
    (order,) = await orders(world)
    assert (order.code, order.description, order.is_refused) == ("451", "no schedules here", True)
    (alarm,) = [one for one in await notices(world) if one.kind == "opt refused"]
    assert (alarm.alarm, alarm.text) == (True, "o1: 451 no schedules here")
    post(world, an_ask(world))
    await world.second(20)
    assert not commanded(world)[storage(world)].any()


async def test_a_crash_forgets_nothing_that_was_said(world: World) -> None:
    world.vtn.script[m.CreateOpt] = lambda: None
    await schedule(world, STORAGE)
    await schedule(world, Scope(targets=named("vendor-0")), opt_id="o2")
    await world.second(5)
    world.crash()
    world.vtn.script.clear()
    world.vtn.heard.clear()
    await world.start()
    await world.second(10)
    assert [one.opt_id for one in world.vtn.said(m.CreateOpt)] == ["o1", "o2"]
    post(world, an_ask(world))
    await world.second(20)
    assert not commanded(world)[storage(world)].any()
    assert not commanded(world)[world.fleet.vendor == 0].any()


async def test_a_failing_store_loses_no_answer_of_the_vtn(world: World, store: FailingStore) -> None:
    number = await schedule(world, STORAGE)
    await world.second()
    store.failing = True
    await world.second(5)
    store.failing = False
    await world.second(5)
    (order,) = await orders(world)
    assert (order.number, order.code) == (number, "200")
    assert len(world.vtn.said(m.CreateOpt)) == 1


@pytest.mark.openadr20b("R406", "R407", "G6")
async def test_a_vtn_that_registers_us_anew_is_told_again_what_holds(world: World) -> None:
    for name in ("o1", "o2"):
        await schedule(world, Scope(targets=named("vendor-0" if name == "o1" else "vendor-1")), opt_id=name)
    await say(world, cancels="o1")
    await world.second(6)
    world.vtn.heard.clear()
    world.vtn.queue.append(m.CancelPartyRegistration(request_id="c1", registration_id="reg-1", ven_id=VEN_ID))
    await world.second(15)
    assert [one.opt_id for one in world.vtn.said(m.CreateOpt)] == ["o2"]
    assert world.vtn.said(m.CancelOpt) == []
    assert all(one.code == "200" for one in await orders(world))


async def test_what_wants_no_answer_is_kept_to_and_not_told(world: World) -> None:
    """R206: never an oadrCreateOpt for an event with oadrResponseRequired never."""
    event = replace(an_ask(world), response_required=False)
    world.vtn.events = (event,)
    world.vtn.queue.append(distribute(event))
    await world.second(15)
    assert commanded(world).any()
    said = Qualification(
        id="q1", event_id="event-1", version=0, opt_type=OptType.OUT, reason="mustRun", created_at=world.now
    )
    await say(world, qualification=said, told_at=world.now, description="the event wants no answer")
    await world.second(30)
    assert not commanded(world).any()
    assert world.vtn.said(m.CreateOpt) == []
    assert answers(world.vtn) == []


# -- leaving ---------------------------------------------------------------------------------


@pytest.mark.openadr20b("R407", "G7")
async def test_who_leaves_lets_the_fleet_go_and_stays_away_over_a_restart(world: World) -> None:
    post(world, an_ask(world, minutes=10))
    await world.second(15)
    assert commanded(world).any()
    async with world.store.unit_of_work() as unit:
        await unit.set_away("vtn", world.now)
    await world.second(30)
    assert len(world.vtn.said(m.CancelPartyRegistration)) == 1
    assert not commanded(world).any()
    assert world.running.upstream == "left"
    world.crash()
    world.vtn.heard.clear()
    await world.start()
    await world.second(20)
    assert world.vtn.heard == []
    async with world.store.unit_of_work() as unit:
        await unit.set_away("vtn", None)
    await world.second(5)
    assert world.vtn.said(m.CreatePartyRegistration)
    assert world.running.upstream == "registered"
