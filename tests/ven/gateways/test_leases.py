"""Commands at the devices: applied once, in order, answered each time, and never held past their end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openadr_ven.fleet.columns import Fleet, FleetState, Mode
from openadr_ven.fleet.physics import evening_state
from openadr_ven.gateways.codec import encode
from openadr_ven.gateways.contract import AckFrame, AckState, CommandFrame, Reason, command_rows
from openadr_ven.gateways.edge.leases import Leases

GATEWAY = "acme-1"
BATTERIES = (0, 1, 2)
THERMOSTAT = 5


@pytest.fixture
def state(fleet: Fleet) -> FleetState:
    return evening_state(fleet, now_s=0.0, outdoor_c=33.0, rng=np.random.default_rng(1))


@pytest.fixture
def command(now: datetime) -> Callable[..., CommandFrame]:
    def make(
        sequence: int,
        slots: Sequence[int] = BATTERIES,
        watts: float = -3_000.0,
        mode: Mode = Mode.SETPOINT,
        *,
        after_s: float = 0.0,
        lasts_s: float = 30.0,
        ramp_s: float = 0.0,
        event: str = "e",
    ) -> CommandFrame:
        start = now + timedelta(seconds=after_s)
        return CommandFrame(
            gateway=GATEWAY,
            event_id=event,
            event_version=0,
            sequence=sequence,
            issued_at=now,
            start=start,
            end=start + timedelta(seconds=lasts_s),
            ramp_s=ramp_s,
            rows=command_rows(list(slots), mode, watts),
        )

    return make


def answers(acks: Sequence[AckFrame]) -> dict[int, tuple[AckState, Reason]]:
    """By slot; every acknowledgement must also be fit to be sent."""
    for ack in acks:
        encode(ack)
    found = [(int(slot), (ack.state, ack.reason)) for ack in acks for slot in ack.slots]
    assert len(dict(found)) == len(found), "a slot is answered once"
    return dict(found)


def all_of(slots: Sequence[int], state: AckState, reason: Reason = Reason.NONE) -> dict[int, tuple[AckState, Reason]]:
    return dict.fromkeys(slots, (state, reason))


def test_a_command_is_applied_once_however_often_it_comes(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    first = leases.receive(command(1), state, now)
    assert (first.applied, first.repeated) == (3, 0)
    assert answers(first.acks) == all_of(BATTERIES, AckState.STARTED)
    for _ in range(3):
        again = leases.receive(command(1), state, now)
        assert (again.applied, again.repeated) == (0, 3)
        assert answers(again.acks) == answers(first.acks)


def test_a_late_lower_sequence_is_dropped_where_a_greater_one_was_applied(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    leases.receive(command(5, [0, 1], -1_000.0), state, now)
    late = leases.receive(command(4, BATTERIES, -4_000.0), state, now)
    assert late.applied == 1
    assert answers(late.acks) == {
        **all_of([0, 1], AckState.REJECTED, Reason.SUPERSEDED),
        2: (AckState.STARTED, Reason.NONE),
    }
    _, setpoint_w = leases.in_force(state, now)
    assert setpoint_w[leases.rows(GATEWAY)[list(BATTERIES)]].tolist() == [-1_000.0, -1_000.0, -4_000.0]


def test_another_command_under_the_same_sequence_is_not_taken_for_a_repetition(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    leases.receive(command(1), state, now)
    other = leases.receive(command(1, watts=-100.0, event="other"), state, now)
    assert (other.applied, other.repeated) == (0, 0)
    assert answers(other.acks) == all_of(BATTERIES, AckState.REJECTED, Reason.SUPERSEDED)


def test_a_device_lets_go_at_the_end_of_its_lease(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    leases.receive(command(1, lasts_s=30.0), state, now)
    assert not leases.advance(state, now + timedelta(seconds=29.9))
    assert leases.held().sum() == 3
    ended = leases.advance(state, now + timedelta(seconds=30))
    assert answers(ended) == all_of(BATTERIES, AckState.COMPLETED)
    assert not leases.held().any()
    assert not leases.advance(state, now + timedelta(seconds=31)), "it is said once"
    again = leases.receive(command(1), state, now + timedelta(seconds=32))
    assert answers(again.acks) == all_of(BATTERIES, AckState.COMPLETED)
    assert not leases.held().any()


def test_a_renewal_goes_on_where_the_lease_was(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    leases.receive(command(1), state, now)
    leases.receive(command(2, [0, 1], after_s=0.0, lasts_s=60.0), state, now + timedelta(seconds=10))
    assert answers(leases.advance(state, now + timedelta(seconds=40))) == all_of([2], AckState.COMPLETED)
    assert leases.held().sum() == 2


def test_a_command_waits_for_its_start_and_the_older_one_goes_on_until_then(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    rows = leases.rows(GATEWAY)[list(BATTERIES)]
    leases.receive(command(1, watts=-1_000.0), state, now)
    waiting = leases.receive(command(2, watts=-2_000.0, after_s=10.0), state, now)
    assert answers(waiting.acks) == all_of(BATTERIES, AckState.RECEIVED)
    assert answers(leases.receive(command(2, watts=-2_000.0, after_s=10.0), state, now).acks) == answers(waiting.acks)
    assert not leases.advance(state, now + timedelta(seconds=9))
    assert (leases.in_force(state, now)[1][rows] == -1_000.0).all()
    begun = leases.advance(state, now + timedelta(seconds=10))
    assert answers(begun) == all_of(BATTERIES, AckState.STARTED)
    assert (leases.in_force(state, now + timedelta(seconds=10))[1][rows] == -2_000.0).all()


def test_a_release_is_a_command_like_any_other(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    leases.receive(command(1), state, now)
    released = leases.receive(command(3, mode=Mode.RELEASE, watts=0.0), state, now)
    assert answers(released.acks) == all_of(BATTERIES, AckState.COMPLETED)
    assert not leases.held().any()
    late = leases.receive(command(2), state, now)
    assert late.applied == 0, "a late command cannot undo a release"
    assert not leases.held().any()


@pytest.mark.parametrize(
    ("slots", "mode", "watts", "later_s", "reason"),
    [
        ([9, 500], Mode.SETPOINT, 0.0, 0.0, Reason.UNKNOWN_SLOT),
        ([0], Mode.SETPOINT, -9_000.0, 0.0, Reason.OUT_OF_RANGE),
        ([0], Mode.SETPOINT, 9_000.0, 0.0, Reason.OUT_OF_RANGE),
        ([0], Mode.SHED, 0.0, 0.0, Reason.UNSUPPORTED_MODE),
        ([THERMOSTAT], Mode.SETPOINT, 0.0, 0.0, Reason.UNSUPPORTED_MODE),
        ([0], Mode.SETPOINT, 0.0, 30.0, Reason.EXPIRED),
    ],
)
def test_what_cannot_be_done_is_rejected_with_its_reason(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime,
    slots: list[int], mode: Mode, watts: float, later_s: float, reason: Reason,
) -> None:  # fmt: skip
    leases = Leases(fleet)
    receipt = leases.receive(command(1, slots, watts, mode), state, now + timedelta(seconds=later_s))
    assert receipt.applied == 0
    assert answers(receipt.acks) == all_of(slots, AckState.REJECTED, reason)
    assert not leases.held().any()


def test_owners_and_lost_devices_are_left_alone(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    rows = leases.rows(GATEWAY)
    override, online = state.override.copy(), state.online.copy()
    override[rows[0]], online[rows[1]] = True, False
    receipt = leases.receive(command(1), replace(state, override=override, online=online), now)
    assert answers(receipt.acks) == {
        0: (AckState.OPTED_OUT, Reason.NONE),
        1: (AckState.REJECTED, Reason.UNREACHABLE),
        2: (AckState.STARTED, Reason.NONE),
    }


def test_an_owner_who_takes_a_device_back_has_it_at_once(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    leases.receive(command(1), state, now)
    mode, _ = leases.in_force(replace(state, override=np.ones(fleet.size, dtype=np.bool_)), now)
    assert (mode == Mode.RELEASE).all()


def test_a_ramp_goes_evenly_from_the_power_then_to_the_setpoint(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime
) -> None:
    leases = Leases(fleet)
    row = leases.rows(GATEWAY)[0]
    drawing = replace(state, power_w=np.full(fleet.size, 1_000.0))
    leases.receive(command(1, watts=-3_000.0, ramp_s=4.0), drawing, now)
    seen = [leases.in_force(drawing, now + timedelta(seconds=second))[1][row] for second in range(6)]
    assert seen == [1_000.0, 0.0, -1_000.0, -2_000.0, -3_000.0, -3_000.0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    sent=st.lists(
        st.tuples(st.sets(st.integers(0, 2), min_size=1), st.integers(-5, 5), st.booleans()), min_size=1, max_size=6
    ),
    deliveries=st.lists(st.integers(0, 5), min_size=1, max_size=20),
)
def test_any_order_and_repetition_ends_as_if_the_newest_alone_had_come(
    fleet: Fleet, state: FleetState, command: Callable[..., CommandFrame], now: datetime,
    sent: list[tuple[set[int], int, bool]], deliveries: list[int],
) -> None:  # fmt: skip
    """R8: what a faulty network delivers is a multiset in any order; its effect is the greatest sequence by slot."""
    frames = [
        command(number + 1, sorted(slots), 0.0 if release else kilowatts * 1_000.0,
                Mode.RELEASE if release else Mode.SETPOINT)
        for number, (slots, kilowatts, release) in enumerate(sent)
    ]  # fmt: skip
    leases = Leases(fleet)
    applied: dict[int, int] = {}
    expected: dict[int, CommandFrame] = {}
    for index in deliveries:
        frame = frames[index % len(frames)]
        receipt = leases.receive(frame, state, now)
        assert len(answers(receipt.acks)) == frame.rows.size, "every slot is answered, every time"
        applied[frame.sequence] = applied.get(frame.sequence, 0) + receipt.applied
        assert applied[frame.sequence] <= frame.rows.size, "never twice"
        for slot in frame.rows["slot"].tolist():
            if slot not in expected or expected[slot].sequence < frame.sequence:
                expected[slot] = frame
    mode, setpoint_w = leases.in_force(state, now)
    for slot, frame in expected.items():
        row, wanted = leases.rows(GATEWAY)[slot], frame.rows[frame.rows["slot"] == slot][0]
        assert mode[row] == wanted["mode"]
        assert setpoint_w[row] == wanted["setpoint_w"]
    assert leases.sequence(GATEWAY) == max(frame.sequence for frame in expected.values())
