"""An event from the VTN's word to the devices and back, second by second, without a socket."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.opt import OptType
from openadr_core.oadr2 import messages as m
from openadr_ven.dispatch.guard import OnBreach
from openadr_ven.domain.delivered import delivered_over
from openadr_ven.domain.held import Delivery, Notice
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.edge.leases import Receipt
from tests.ven.application.world import ENVELOPE, LEASE, SECOND, TARGET_W, FailingStore, World, an_ask, post
from tests.ven.protocols.conversation import answers
from tests.ven.protocols.scripted_vtn import VEN_ID, a_report_request, an_event


def relief_of(world: World, before_w: float) -> float:
    return before_w - world.power_w[-1]


def with_value(event: m.Event, value: float, **changes: str | None) -> m.Event:
    """The event with one signal of another value, name, type …"""
    (signal,) = event.signals
    interval = replace(signal.intervals[0], value=value)
    return replace(event, signals=(replace(signal, intervals=(interval,), **changes),))  # type: ignore[arg-type]


def with_version(event: m.Event, version: int, status: str = "active") -> m.Event:
    return replace(event, descriptor=replace(event.descriptor, modification_number=version, event_status=status))


def a_level(world: World, level: float) -> m.Event:
    return with_value(an_ask(world), level, signal_name="SIMPLE", signal_type="level", item_base=None)


async def deliveries(world: World) -> list[Delivery]:
    async with world.store.unit_of_work() as unit:
        return await unit.deliveries("event-1")


async def notices(world: World) -> list[Notice]:
    async with world.store.unit_of_work() as unit:
        return await unit.notices(limit=100)


def applied_twice(receipts: list[Receipt]) -> bool:
    """Whether a command did something to a gateway's devices more than once."""
    applied: dict[bytes, int] = {}
    for receipt in receipts:
        if receipt.applied:
            applied[receipt.frame.command_id] = applied.get(receipt.frame.command_id, 0) + 1
    return any(times > 1 for times in applied.values())


# -- the whole way -------------------------------------------------------------------


async def test_a_surplus_is_taken_and_let_go_as_a_peak_is(world: World) -> None:
    await world.second(12)
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, an_ask(world, kw=-100.0))
    await world.second(25)
    taken_w = world.power_w[-1] - before_w
    assert taken_w == pytest.approx(100e3, rel=0.05)
    assert np.diff(world.power_w[-25:]).max() <= ENVELOPE.ramp_w_per_s * 1.1
    assert (world.running.control.commands.mode == Mode.SETPOINT).any()
    delivery = (await deliveries(world))[-1]
    assert delivery.asked_w == pytest.approx(-100e3)
    assert delivery.delivered_w == pytest.approx(-100e3, rel=0.05)

    post(world, with_version(an_ask(world, kw=-100.0), 1, "cancelled"))
    await world.until(lambda: not world.town.leases.held().any())
    await world.second(3)
    assert abs(world.power_w[-1] - before_w) < 20e3


@pytest.mark.openadr20b("R13")
async def test_an_events_own_ramp_is_kept_to_where_it_is_slower_than_the_envelopes(world: World) -> None:
    await world.second(12)
    before_w = float(np.mean(world.power_w[-10:]))
    asked = an_ask(world)
    ramp_s = 20
    period = replace(asked.active_period, ramp_up=-ramp_s * SECOND)
    post(world, replace(asked, active_period=period))
    reached_s = await world.until(lambda: relief_of(world, before_w) >= 0.9 * TARGET_W)
    assert 0.8 * ramp_s <= reached_s <= 1.5 * ramp_s
    assert -np.diff(world.power_w[-reached_s:]).min() <= 2.0 * TARGET_W / ramp_s
    await world.second(10)
    assert relief_of(world, before_w) == pytest.approx(TARGET_W, rel=0.05)


@pytest.mark.openadr20b("R31", "R32")
async def test_an_event_reaches_its_target_and_is_let_go_by_ramps(world: World) -> None:
    before_w = float(np.mean(world.power_w[-10:]))
    event = an_ask(world)
    post(world, event)
    assert await world.until(lambda: relief_of(world, before_w) >= 0.9 * TARGET_W) <= 8
    await world.second(20)
    assert relief_of(world, before_w) == pytest.approx(TARGET_W, rel=0.05)
    rises = -np.diff(world.power_w[-40:])
    assert rises.max() <= ENVELOPE.ramp_w_per_s * 1.1

    post(world, with_version(event, 1, "cancelled"))
    stopped = len(world.power_w)
    await world.until(lambda: not world.town.leases.held().any())
    await world.second(3)
    assert np.diff(world.power_w[stopped:]).max() <= ENVELOPE.release_ramp_w_per_s * 1.1
    assert world.running.control.engaged is None
    assert abs(relief_of(world, before_w)) < 0.1 * TARGET_W
    assert not applied_twice(world.broker.receipts)
    assert [one.opt_type for one in answers(world.vtn)] == ["optIn", "optIn"]
    assert [one.kind for one in await notices(world)][:3] == ["fleet released", "event cancelled", "event received"]

    total = delivered_over(await deliveries(world))
    assert total is not None
    assert total.asked_w == pytest.approx(TARGET_W, rel=0.25)
    assert total.delivered_w == pytest.approx(total.acknowledged_w, rel=0.1)


async def test_commands_end_with_the_event_even_if_nobody_says_so(world: World) -> None:
    post(world, an_ask(world, minutes=1))
    await world.until(lambda: bool(world.town.leases.held().any()))
    world.crash()
    await world.second(int(LEASE.total_seconds()) + 1)
    assert not world.town.leases.held().any()


async def test_an_event_that_ends_by_itself_is_let_go_by_the_same_ramp(world: World) -> None:
    post(world, an_ask(world, minutes=1))
    await world.second(90)
    assert not world.town.leases.held().any()
    assert np.diff(world.power_w[-90:]).max() <= ENVELOPE.release_ramp_w_per_s * 1.1
    ends = {receipt.frame.end for receipt in world.broker.receipts}
    assert max(ends) <= max(one.event.ends_at or world.now for one in world.running.held.values()) + timedelta(
        seconds=20
    )


async def test_what_does_not_change_is_told_again_only_to_be_held_longer(world: World) -> None:
    post(world, a_level(world, 3.0))  # all that there is: shed devices stay shed
    await world.second(15)
    told = world.broker.receipts[:]
    await world.second(9)
    rows = sum(receipt.frame.rows.size for receipt in world.broker.receipts[len(told) :])
    assert rows < world.fleet.size  # one renewal in nine seconds, not nine


async def test_a_silent_vendors_part_is_taken_over_within_seconds(world: World) -> None:
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, an_ask(world))
    await world.second(25)
    world.silence("vendor-1")
    await world.second(1)
    lost_w = TARGET_W - relief_of(world, before_w)
    assert lost_w > 0.1 * TARGET_W
    assert await world.until(lambda: relief_of(world, before_w) >= 0.95 * TARGET_W) <= 6
    await world.second(10)
    assert relief_of(world, before_w) == pytest.approx(TARGET_W, rel=0.05)


@pytest.mark.parametrize("level", [1.0, 2.0])
async def test_a_level_is_a_share_of_what_the_fleet_could_give(world: World, level: float) -> None:
    post(world, a_level(world, level))
    await world.second(12)
    tick = world.running.last
    assert tick is not None
    assert tick.plan is not None
    share = {1.0: 0.25, 2.0: 0.6}[level]
    assert tick.asked_w == pytest.approx(share * tick.plan.available_w, rel=0.1)
    first = tick.asked_w
    await world.second(20)
    assert world.running.last is not None
    assert world.running.last.asked_w == first  # it does not shrink as it is used


async def test_a_setpoint_holds_the_fleets_net_power(world: World) -> None:
    event = an_ask(world)
    before_w = float(np.mean(world.power_w[-10:]))
    goal_kw = round(before_w / 1e3) - 100
    post(world, with_value(event, goal_kw, signal_type="setpoint"))
    await world.second(20)
    assert world.power_w[-1] == pytest.approx(goal_kw * 1e3, abs=0.05 * 100_000)


# -- what is not followed ------------------------------------------------------------


async def test_an_event_beyond_the_envelope_is_followed_as_far_as_it_goes(world: World) -> None:
    post(world, an_ask(world, kw=900))
    await world.second(12)
    (opt,) = (held.opt for held in world.running.held.values())
    assert opt.opt_type is OptType.IN
    assert "event_max_w" in opt.reason
    assert world.running.last is not None
    assert world.running.last.allowed_w <= ENVELOPE.event_max_w
    assert "event_max_w" in world.running.last.tripped
    assert any("event_max_w" in one.text for one in await notices(world) if one.kind == "safety envelope")


async def test_or_not_at_all_if_that_was_chosen(store: FailingStore, now: datetime) -> None:
    world = World(store, now)
    world.envelope = replace(ENVELOPE, on_breach=OnBreach.REFUSE)
    await world.start()
    await world.second(3)
    post(world, an_ask(world, kw=900))
    await world.second(10)
    assert [(one.opt_type, "event_max_w" in (one.response_description or "")) for one in answers(world.vtn)] == [
        ("optOut", True)
    ]
    assert world.broker.receipts == []


@pytest.mark.openadr20b("R6", "N9")
async def test_a_test_event_is_answered_and_moves_nothing(world: World) -> None:
    event = an_ask(world)
    post(world, replace(event, descriptor=replace(event.descriptor, test_event="true")))
    await world.second(10)
    assert [one.opt_type for one in answers(world.vtn)] == ["optIn"]
    assert world.broker.receipts == []


# -- crashes -------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [3, 6, 20])
@pytest.mark.parametrize("away_s", [1, 5])
async def test_a_killed_agent_goes_on_where_it_was(world: World, after_s: int, away_s: int) -> None:
    world.vtn.queue.append(
        m.CreateReport(request_id="c", report_requests=(a_report_request(now=world.now, r_ids=("power", "baseline")),))
    )
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, an_ask(world))
    await world.second(after_s)
    killed_w = relief_of(world, before_w)
    sequence = world.running.control.sequence
    world.crash()
    await world.second(away_s)
    await world.start()
    for _ in range(4):
        await world.second()
        assert relief_of(world, before_w) >= killed_w - 0.05 * TARGET_W  # it does not drop
    await world.second(16)
    assert relief_of(world, before_w) == pytest.approx(TARGET_W, rel=0.05)
    assert max(-np.diff(world.power_w[-40:])) <= ENVELOPE.ramp_w_per_s * 1.1  # it does not jump
    assert world.running.control.sequence >= sequence
    assert not applied_twice(world.broker.receipts)
    assert answers(world.vtn)[0].opt_type == "optIn"
    told = sorted(world.readings())
    assert told == [told[0] + n * SECOND for n in range(len(told))]  # no gap, nothing twice
    assert told[-1] >= world.now - 8 * SECOND


async def test_a_gap_is_filled_with_what_was_measured(world: World) -> None:
    request = a_report_request(now=world.now, r_ids=("power", "baseline"))
    world.vtn.queue.append(m.CreateReport(request_id="c", report_requests=(request,)))
    post(world, an_ask(world))
    await world.second(20)
    world.crash()
    gap_from = len(world.power_w)
    await world.second(7)
    await world.start()
    await world.second(15)
    told = world.readings()
    start = world.now - len(world.power_w) * SECOND + SECOND
    for second in range(gap_from, gap_from + 7):
        at = (start + second * SECOND).replace(microsecond=0)
        assert told[at]["power"] == pytest.approx(world.power_w[second], rel=0.01)
        assert told[at]["baseline"] - told[at]["power"] == pytest.approx(TARGET_W, rel=0.1)


async def test_an_agent_that_was_away_longer_than_its_leases_begins_from_nothing(world: World) -> None:
    before_w = float(np.mean(world.power_w[-10:]))
    post(world, an_ask(world))
    await world.second(20)
    world.crash()
    await world.second(40)
    assert abs(relief_of(world, before_w)) < 0.1 * TARGET_W  # the devices let go by themselves
    await world.start()
    await world.second(20)
    assert relief_of(world, before_w) == pytest.approx(TARGET_W, rel=0.1)
    assert max(-np.diff(world.power_w[-20:])) <= ENVELOPE.ramp_w_per_s * 1.1


@pytest.mark.openadr20b("R59", "N4")
async def test_an_event_cancelled_while_the_agent_was_away_is_let_go_by_ramps(world: World) -> None:
    event = an_ask(world)
    post(world, event)
    await world.second(15)
    world.crash()
    world.vtn.events = (with_version(event, 1, "cancelled"),)
    await world.second(3)
    await world.start()
    await world.until(lambda: not world.town.leases.held().any(), most=40)
    assert np.diff(world.power_w[-40:]).max() <= ENVELOPE.release_ramp_w_per_s * 1.1


# -- a store or a broker that fails --------------------------------------------------


async def test_what_cannot_be_stored_is_not_sent(world: World, store: FailingStore) -> None:
    post(world, an_ask(world))
    await world.second(10)
    told = len(world.broker.receipts)
    store.failing = True
    await world.second(5)
    assert len(world.broker.receipts) == told
    assert "the store failed; no command is sent" in world.journal
    unsent = {made.sequence for made in world.ledger.dropped}
    assert unsent
    store.failing = False
    await world.second(10)
    assert unsent.isdisjoint(made.sequence for made in world.ledger.rounds)
    assert len(world.broker.receipts) > told
    assert not applied_twice(world.broker.receipts)


async def test_an_event_that_came_while_the_store_was_gone_is_not_lost(world: World, store: FailingStore) -> None:
    store.failing = True
    post(world, an_ask(world))
    await world.second(4)
    assert not world.running.held
    store.failing = False
    await world.second(6)
    assert list(world.running.held) == ["event-1"]
    assert [one.opt_type for one in answers(world.vtn)][-1] == "optIn"


async def test_commands_that_the_broker_did_not_take_are_made_again(world: World) -> None:
    before_w = float(np.mean(world.power_w[-10:]))
    world.broker.down = True
    post(world, an_ask(world))
    await world.second(8)
    assert "commands not sent" in world.journal
    world.broker.down = False
    await world.second(12)
    assert relief_of(world, before_w) == pytest.approx(TARGET_W, rel=0.1)


# -- versions and neighbours ---------------------------------------------------------


@pytest.mark.openadr20b("R57", "N3")
async def test_a_new_version_changes_what_is_followed(world: World) -> None:
    before_w = float(np.mean(world.power_w[-10:]))
    event = an_ask(world)
    post(world, event)
    await world.second(15)
    more = replace(
        event, signals=(replace(event.signals[0], intervals=(replace(event.signals[0].intervals[0], value=150.0),)),)
    )
    post(world, replace(more, descriptor=replace(more.descriptor, modification_number=1)))
    await world.second(15)
    assert relief_of(world, before_w) == pytest.approx(150_000, rel=0.05)
    assert world.broker.receipts[-1].frame.event_version == 1


async def test_events_without_a_pause_between_them_share_a_baseline(world: World) -> None:
    first = an_ask(world, minutes=1)
    second = an_event("event-2", starts_at=first.active_period.dtstart + timedelta(minutes=1), minutes=1, value=100.0)
    post(world, first, second)
    await world.second(30)
    engaged = world.running.control.engaged
    assert engaged is not None
    taken_at = engaged.baseline_at
    await world.second(40)
    engaged = world.running.control.engaged
    assert engaged is not None
    assert engaged.held.event.id == "event-2"
    assert engaged.baseline_at == taken_at


async def test_no_device_is_told_what_its_class_cannot_do(world: World) -> None:
    post(world, an_ask(world))
    await world.second(15)
    mode, discrete = world.running.control.commands.mode, world.fleet.discrete()
    assert not (mode[discrete] == Mode.SETPOINT).any()
    assert not (mode[~discrete] == Mode.SHED).any()
    assert all(not receipt.acks or receipt.acks[0].reason == 0 for receipt in world.broker.receipts)
    assert world.vtn.said(m.CreatedEvent)[0].ven_id == VEN_ID
