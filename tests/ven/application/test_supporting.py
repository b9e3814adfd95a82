"""What devices are told of grid support: the agent's side against the edge's, and the world in which both live."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.grid_support import Curve, CurvePoint, GridFunction, GridSupport, Reference, VarShare, mask_of
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.target import Target, TargetKind
from openadr_ven.application.supporting import LEASE, RENEWED_BELOW, RETRY, SPARE, WARM_UP, Standing, Supporting
from openadr_ven.domain.held import HeldEvent
from openadr_ven.fleet.aiming import Aim
from openadr_ven.fleet.columns import DeviceClass
from openadr_ven.gateways.contract import AckState, Reason, SupportAckFrame, SupportFrame
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, Reading
from openadr_ven.gateways.edge.support import Support
from tests.ven.fleet.small import small_fleet

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
FLEET = small_fleet()
VOLT_VAR, FIXED_VAR = GridFunction.VOLT_VAR, GridFunction.FIXED_VAR
KNOWS = mask_of({VOLT_VAR, FIXED_VAR})
BATTERIES = FLEET.device_id[FLEET.device_class == DeviceClass.BATTERY].tolist()
VARS = GridSupport(function=FIXED_VAR, var_share=VarShare(percent=30.0, reference=Reference.MAX_VAR))


def second(count: float) -> timedelta:
    return timedelta(seconds=count)


def curve(y: float = 44.0) -> GridSupport:
    points = (CurvePoint(x=92.0, y=y), CurvePoint(x=108.0, y=-y))
    return GridSupport(function=VOLT_VAR, curve=Curve(points=points, reference=Reference.MAX_VAR))


def held(
    event_id: str, support: GridSupport, *, after_s: float = 0.0, lasts_s: float | None = 600.0, priority: int = 5,
    names: Sequence[str] = (),
) -> HeldEvent:  # fmt: skip
    duration = None if lasts_s is None else second(lasts_s)
    signal = Signal(
        id="s", kind=SignalKind.GRID_SUPPORT, support=support, intervals=(SignalInterval(duration=duration, value=0.0),)
    )
    event = DrEvent(
        id=event_id, program_id="p", market_context="m", version=0, starts_at=START + second(after_s),
        duration=duration, signals=(signal,), created_at=START, modified_at=START, priority=priority,
        targets=tuple(Target(kind=TargetKind.RESOURCE, name=name) for name in names),
    )  # fmt: skip
    opt = Opt(event_id=event_id, version=0, opt_type=OptType.IN, at=START)
    return HeldEvent(event=event, opt=opt, received_at=START)


def events(*there: HeldEvent) -> Mapping[str, HeldEvent]:
    return {one.event.id: one for one in there}


class Field:
    """The agent's side, and the edges of all gateways, whose batteries know two functions."""

    def __init__(self, now: datetime = START, *, knows: int = KNOWS) -> None:
        self.supporting = self.begun(now)
        self.edges = {}
        for code, name in enumerate(FLEET.gateway_names):
            rows = np.flatnonzero(FLEET.gateway == code)
            ids = [str(one) for one in FLEET.device_id[rows]]
            self.edges[name] = Support(name, dict(zip(ids, FLEET.slot[rows].tolist(), strict=True)))
            readings = (
                Reading(device_id=one, at=now, power_w=0.0, functions=knows if one in BATTERIES else 0) for one in ids
            )
            self.edges[name].hear(readings)
        self.refuses: dict[str, Reason] = {}
        self.sent: list[SupportFrame] = []

    def begun(self, now: datetime) -> Supporting:
        return Supporting(FLEET, rows_of=Aim(FLEET, fleet_name="fleet").rows, now=now)

    def live(self, there: Mapping[str, HeldEvent], now: datetime) -> list[SupportFrame]:
        """A second of both sides' life; what was sent in it."""
        for edge in self.edges.values():
            acks: list[SupportAckFrame] = edge.tick(now)
            told = [
                Adjusted(
                    adjustment=one, reason=self.refuses.get(one.device_id, Reason.NONE) if one.support else Reason.NONE
                )
                for one in edge.due(now)
            ]
            acks += edge.settled(told, now)
            for ack in acks:
                self.supporting.heard(ack)
            if (ability := edge.ability(now)) is not None:
                self.supporting.heard(ability)
        frames = self.supporting.frames(there, now)
        for frame in frames:
            for ack in self.edges[frame.gateway].receive(frame, now):
                self.supporting.heard(ack)
        self.sent += frames
        return frames

    def _adjusted(self, one: Adjustment) -> Adjusted:
        refused = Reason.NONE if one.support is None else self.refuses.get(one.device_id, Reason.NONE)
        return Adjusted(adjustment=one, reason=refused)

    def told(self) -> dict[str, tuple[GridSupport, ...]]:
        return {one: set_so for edge in self.edges.values() for one, set_so in edge.told().items()}


def test_all_that_know_it_are_told_for_as_long_as_the_event_lasts_and_then_let_go() -> None:
    field = Field()
    there = events(held("e", curve()))
    assert field.live(there, START) != []
    field.live(there, START + second(1))
    field.live(there, START + second(2))
    assert field.told() == {one: (curve(),) for one in BATTERIES}
    assert {frame.end for frame in field.sent} == {START + second(600) + SPARE}
    (standing,) = field.supporting.standing()
    assert standing == Standing(event_id="e", support=curve(), devices=len(BATTERIES), acting=len(BATTERIES), refused=0)
    assert field.live(there, START + second(3)) == [], "once"
    released = field.live(there, START + second(600))
    assert [frame.support for frame in released] == [None] * len(released)
    field.live(there, START + second(601))
    assert field.told() == {}
    field.live(there, START + second(602))
    assert field.live(there, START + second(700)) == [], "a release that is confirmed is not said again"


def test_one_device_follows_its_own_event_and_the_better_program_wins() -> None:
    field = Field()
    there = events(
        held("all", curve(10.0), priority=9),
        held("one", curve(20.0), priority=3, names=BATTERIES[:1]),
        held("vars", VARS, priority=9),
    )
    for at in range(3):
        field.live(there, START + second(at))
    assert set(field.told()[BATTERIES[0]]) == {curve(20.0), VARS}
    assert set(field.told()[BATTERIES[1]]) == {curve(10.0), VARS}
    fewer = {name: one for name, one in there.items() if name != "one"}
    for at in range(3, 6):
        field.live(fewer, START + second(at))
    assert set(field.told()[BATTERIES[0]]) == {curve(10.0), VARS}, "what was beneath goes on"


def test_what_begins_later_is_told_then_without_a_gap() -> None:
    field = Field()
    there = events(held("first", curve(10.0), lasts_s=60.0), held("next", curve(20.0), after_s=60.0))
    for at in range(60):
        field.live(there, START + second(at))
    assert field.told()[BATTERIES[0]] == (curve(10.0),)
    for at in range(60, 63):
        field.live(there, START + second(at))
        assert field.told()[BATTERIES[0]], "never at its own default in between"
    assert field.told()[BATTERIES[0]] == (curve(20.0),)


def test_what_has_no_end_is_leased_and_renewed() -> None:
    field = Field()
    there = events(held("default", curve(), lasts_s=None))
    first = field.live(there, START)
    assert {frame.end for frame in first} == {START + LEASE}
    assert field.live(there, START + second(2)) == []
    assert field.live(there, START + LEASE - RENEWED_BELOW - second(1)) == []
    renewed = field.live(there, START + LEASE - RENEWED_BELOW)
    assert len(renewed) == len(first)
    assert renewed[0].sequence > first[0].sequence


def test_whoever_does_not_answer_and_what_no_broker_took_is_told_again() -> None:
    field = Field()
    there = events(held("e", curve()))
    field.live(events(), START)  # abilities are heard
    lost = field.supporting.frames(there, START + second(1))
    assert field.supporting.frames(there, START + second(2)) == []
    again = field.supporting.frames(there, START + second(1) + RETRY)
    assert len(again) == len(lost)
    field.supporting.unsent(again)
    assert len(field.supporting.frames(there, START + second(2) + RETRY)) == len(lost)


@pytest.mark.parametrize(("reason", "code"), [(Reason.OUT_OF_RANGE, "454"), (Reason.UNSUPPORTED_MODE, "460")])
def test_an_event_that_no_device_follows_is_given_up_and_one_that_some_do_is_not(reason: Reason, code: str) -> None:
    field = Field()
    there = events(held("all", curve()), held("one", VARS, names=BATTERIES[:1]))
    field.refuses = {BATTERIES[0]: reason}
    for at in range(4):
        field.live(there, START + second(at))
    refused = field.supporting.refusals()
    assert {event_id: answer[0] for event_id, answer in refused.items()} == {"one": code}
    assert field.live(there, START + second(5) + RETRY) == [], "what is refused is not asked again"


def test_over_a_restart_what_is_held_goes_on_and_what_nobody_wants_is_let_go() -> None:
    field = Field()
    there = events(held("stays", curve()), held("goes", VARS))
    for at in range(3):
        field.live(there, START + second(at))
    last = field.sent[-1].sequence
    field.live(there, START + second(31))  # abilities say what is held
    field.supporting = field.begun(START + second(40))
    field.sent.clear()
    stays = {"stays": there["stays"]}
    for at in range(62, 66):
        field.live(stays, START + second(at))
    assert field.told()[BATTERIES[0]] == (curve(),)
    assert min(frame.sequence for frame in field.sent) > last
    assert {frame.function for frame in field.sent if frame.support is None} == {FIXED_VAR}


def test_what_devices_know_is_not_known_before_gateways_have_had_the_time_to_say_it() -> None:
    field = Field()
    rows = np.flatnonzero(FLEET.device_class == DeviceClass.BATTERY)
    others = np.flatnonzero(FLEET.device_class == DeviceClass.THERMOSTAT)
    assert field.supporting.functions(rows, START) is None
    assert field.supporting.functions(others, START + WARM_UP) == 0
    field.live(events(), START)
    assert field.supporting.functions(rows, START) == KNOWS


def test_an_answer_to_what_is_past_means_nothing() -> None:
    field = Field()
    there = events(held("e", curve()))
    (frame, *_) = field.live(there, START)
    late = SupportAckFrame(
        gateway=frame.gateway, function=VOLT_VAR, command_id=frame.command_id, sequence=frame.sequence - 1, at=START,
        state=AckState.REJECTED, slots=frame.slots, reason=Reason.OUT_OF_RANGE,
    )  # fmt: skip
    field.supporting.heard(late)
    field.supporting.heard(replace(late, gateway="nobody"))
    assert field.supporting.refusals() == {}
