"""The edge against the contract: nothing is acknowledged that no device did, nothing held past its end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode
from openadr_ven.gateways.contract import (
    ALARMS_FROM_BIT,
    AckFrame,
    AckState,
    CommandFrame,
    Reason,
    Report,
    TelemetryFlag,
    TelemetryFrame,
    command_rows,
)
from openadr_ven.gateways.edge.core import Edge
from openadr_ven.gateways.edge.driver import DriverTraits, Order, Outcome, Reading

GATEWAY = "acme-1"
LETS_GO = DriverTraits(lets_go=True)
HOLDS_ON = DriverTraits(lets_go=False, pace_s=20.0)
BATTERY = 0


def second(count: float) -> timedelta:
    return timedelta(seconds=count)


def ready(fleet: Fleet, now: datetime, traits: DriverTraits = LETS_GO) -> Edge:
    edge = Edge(fleet, GATEWAY, traits)
    read(edge, now)
    return edge


def read(edge: Edge, at: datetime, power_w: float = 800.0, *, online: bool = True, override: bool = False) -> None:
    edge.hear(
        Reading(device_id=one, at=at, power_w=power_w, online=online, override=override) for one in edge.device_ids
    )


def command(
    now: datetime, sequence: int = 1, *, mode: Mode = Mode.SETPOINT, watts: float = -3_000.0,
    slots: Sequence[int] = (0,), lasts_s: float = 30.0, after_s: float = 0.0, ramp_s: float = 0.0,
) -> CommandFrame:  # fmt: skip
    start = now + second(after_s)
    return CommandFrame(
        gateway=GATEWAY, event_id="e", event_version=0, sequence=sequence, issued_at=now, start=start,
        end=start + second(lasts_s), ramp_s=ramp_s, rows=command_rows(list(slots), mode, watts),
    )  # fmt: skip


def acks(reports: Sequence[Report]) -> list[tuple[AckState, Reason, tuple[int, ...]]]:
    return [(one.state, one.reason, tuple(one.slots.tolist())) for one in reports if isinstance(one, AckFrame)]


def done(edge: Edge, orders: Sequence[Order], now: datetime) -> list[Report]:
    return edge.settled([Outcome(order=order) for order in orders], now)


def telemetry(edge: Edge, now: datetime) -> dict[int, tuple[int, int]]:
    """By slot: the sequence that its sample had seen, and its flags."""
    frames = [one for one in edge.tick(now) if isinstance(one, TelemetryFrame)]
    return {int(row["slot"]): (one.command_sequence, int(row["flags"])) for one in frames for row in one.rows}


def test_started_is_said_when_the_device_does_it(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    assert acks(edge.command(command(now), now)) == [(AckState.RECEIVED, Reason.NONE, (0,))]
    (order,) = edge.due(now)
    assert (order.mode, order.setpoint_w, order.until) == (Mode.SETPOINT, -3_000.0, now + second(30))
    assert edge.due(now) == [], "one order at a time for a device"
    assert acks(edge.tick(now)) == [], "nothing is said of what is under way"
    assert acks(done(edge, [order], now)) == [(AckState.STARTED, Reason.NONE, (0,))]
    assert acks(edge.command(command(now), now)) == [(AckState.STARTED, Reason.NONE, (0,))], "said again when asked"
    assert edge.due(now + second(1)) == []


def test_a_new_setpoint_is_not_started_by_the_old_one(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    later = now + second(5)
    assert acks(edge.command(command(later, 2, watts=-1_000.0), later)) == [(AckState.RECEIVED, Reason.NONE, (0,))]
    assert acks(edge.tick(later)) == []
    assert acks(done(edge, edge.due(later), later)) == [(AckState.STARTED, Reason.NONE, (0,))]


def test_what_a_device_refuses_is_rejected_and_dropped(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now, slots=(0, 1)), now)
    first, other = edge.due(now)
    refused = Outcome(order=first, reason=Reason.OUT_OF_RANGE)
    assert acks(edge.settled([refused], now)) == [(AckState.REJECTED, Reason.OUT_OF_RANGE, (0,))]
    assert acks(done(edge, [other], now)) == [(AckState.STARTED, Reason.NONE, (1,))]
    assert edge.due(now + second(60)) == [], "it is back at its default, and not told again"
    seen = telemetry(edge, now + second(1))
    assert not seen[0][1] & TelemetryFlag.HELD
    assert seen[1][1] & TelemetryFlag.HELD


def test_a_refusal_that_a_newer_command_has_overtaken_refuses_only_itself(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now), now)
    (order,) = edge.due(now)
    edge.command(command(now, 2, watts=-1_000.0), now)
    assert edge.settled([Outcome(order=order, reason=Reason.UNREACHABLE)], now) == []
    (newer,) = edge.due(now)
    assert newer.setpoint_w == -1_000.0


def test_a_device_that_lets_go_is_told_the_new_end_of_its_lease_in_time(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    told = 0
    for at in range(1, 120):
        moment = now + second(at)
        read(edge, moment)
        if at % 10 == 0:
            edge.command(command(moment, 1 + at), moment)
        orders = edge.due(moment)
        done(edge, orders, moment)
        told += len(orders)
        assert telemetry(edge, moment)[0][1] & TelemetryFlag.HELD
    assert 5 <= told <= 8, "once in two renewals, not each second"


def test_what_the_device_does_by_itself_at_the_end_is_not_told(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    end = now + second(30)
    assert acks(edge.tick(end)) == [(AckState.COMPLETED, Reason.NONE, (0,))]
    assert edge.due(end) == []


def test_a_device_that_holds_on_is_released_at_the_end_and_until_it_is(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now, HOLDS_ON)
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    end = now + second(30)
    read(edge, end)
    assert acks(edge.tick(end)) == [(AckState.RECEIVED, Reason.NONE, (0,))]
    (release,) = edge.due(end)
    assert release.mode is Mode.RELEASE
    edge.settled([Outcome(order=release, reason=Reason.UNREACHABLE)], end)
    assert telemetry(edge, end)[0][1] & TelemetryFlag.HELD, "it may go on, and is not counted as free"
    assert edge.due(end + second(1)) == []
    (again,) = edge.due(end + second(HOLDS_ON.retry_s))
    assert acks(done(edge, [again], end + second(6))) == []
    assert not telemetry(edge, end + second(6))[0][1] & TelemetryFlag.HELD


def test_a_ramp_is_told_at_the_devices_pace(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now, DriverTraits(lets_go=False, pace_s=20.0, reading_lasts_s=300.0))
    edge.command(command(now, lasts_s=300.0, ramp_s=60.0), now)
    told = []
    for at in range(100):
        orders = edge.due(now + second(at))
        done(edge, orders, now + second(at))
        told += [round(order.setpoint_w) for order in orders]
    assert told == [800, -467, -1733, -3000]


def test_the_owners_hand_is_released_and_what_comes_back_is_told_again(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    read(edge, now + second(1), override=True)
    (release,) = edge.due(now + second(1))
    assert release.mode is Mode.RELEASE
    done(edge, [release], now + second(1))
    read(edge, now + second(2))
    (again,) = edge.due(now + second(2))
    assert again.setpoint_w == -3_000.0


def test_a_device_that_was_away_is_told_again(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    read(edge, now + second(1), online=False)
    assert edge.due(now + second(2)) == []
    assert not telemetry(edge, now + second(2))[0][1] & TelemetryFlag.ONLINE
    read(edge, now + second(3))
    assert [order.setpoint_w for order in edge.due(now + second(3))] == [-3_000.0]


def test_devices_that_were_never_heard_are_unreachable(fleet: Fleet, now: datetime) -> None:
    edge = Edge(fleet, GATEWAY, LETS_GO)
    assert acks(edge.command(command(now), now)) == [(AckState.REJECTED, Reason.UNREACHABLE, (0,))]
    assert telemetry(edge, now) == {}


def test_a_reading_counts_for_its_time_and_has_seen_what_was_done_before_it(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now)
    assert telemetry(edge, now + second(59))[BATTERY][0] == 0
    assert telemetry(edge, now + second(61)) == {}
    at = now + second(62)
    read(edge, at)
    edge.command(command(at, 7), at)
    done(edge, edge.due(at), at)
    assert telemetry(edge, at + second(1))[BATTERY][0] == 0, "measured before the device did it"
    read(edge, at + second(2))
    assert {seen for seen, _ in telemetry(edge, at + second(2)).values()} == {7}


@pytest.mark.parametrize("traits", [LETS_GO, HOLDS_ON], ids=["lets go", "holds on"])
def test_a_restart_lets_nobody_hold_what_is_over_and_forgets_no_sequence(
    fleet: Fleet, now: datetime, traits: DriverTraits
) -> None:
    before = ready(fleet, now, traits)
    before.command(command(now, slots=(0, 1)), now)
    first, _in_flight = before.due(now)
    done(before, [first], now)
    after = Edge(fleet, GATEWAY, traits)
    after.restore(before.record())
    late = now + second(40)
    read(after, late)
    after.tick(late)
    orders = after.due(late)
    assert {order.mode for order in orders} == (set() if traits.lets_go else {Mode.RELEASE})
    assert len(orders) == (0 if traits.lets_go else 2), "what was under way may have arrived"
    stale = replace(command(late, 1, watts=-500.0, slots=(1,)), event_id="another")
    assert acks(after.command(stale, late)) == [(AckState.REJECTED, Reason.SUPERSEDED, (1,))]


def test_a_restart_within_the_lease_goes_on(fleet: Fleet, now: datetime) -> None:
    before = ready(fleet, now)
    frame = command(now)
    before.command(frame, now)
    done(before, before.due(now), now)
    after = Edge(fleet, GATEWAY, LETS_GO)
    after.restore(before.record())
    read(after, now + second(2))
    (order,) = after.due(now + second(2))
    assert order.setpoint_w == -3_000.0
    done(after, [order], now + second(2))
    assert acks(after.command(frame, now + second(2))) == [(AckState.STARTED, Reason.NONE, (0,))]


def test_a_record_of_other_devices_is_left_aside(fleet: Fleet, now: datetime) -> None:
    before = ready(fleet, now)
    before.command(command(now), now)
    other = Edge(fleet.take(np.flatnonzero(fleet.device_class != DeviceClass.BATTERY)), GATEWAY, LETS_GO)
    other.restore(before.record())
    assert other.leases.sequence(GATEWAY) == 0


def test_a_gateway_that_the_fleet_does_not_know_is_a_wrong_setting(fleet: Fleet) -> None:
    with pytest.raises(ConfigError, match="no 'acme-9'"):
        Edge(fleet, "acme-9", LETS_GO)


def test_alarms_are_told_as_long_as_they_last(fleet: Fleet, now: datetime) -> None:
    edge, over_voltage = ready(fleet, now), 1 << 1
    name = str(edge.fleet.device_id[0])
    for moment, alarms in ((now + second(1), over_voltage), (now + second(2), 0)):
        edge.hear([Reading(device_id=name, at=moment, power_w=1.0, alarms=alarms)])
        assert telemetry(edge, moment)[int(edge.fleet.slot[0])][1] >> ALARMS_FROM_BIT == alarms


def test_a_device_that_forgets_is_told_again_until_it_is_released(fleet: Fleet, now: datetime) -> None:
    edge = ready(fleet, now, traits=replace(HOLDS_ON, repeat_s=20.0))
    edge.command(command(now), now)
    done(edge, edge.due(now), now)
    assert edge.due(now + second(19)) == []
    (again,) = edge.due(now + second(20))
    assert (again.mode, again.setpoint_w) == (Mode.SETPOINT, -3_000.0)
    done(edge, [again], now + second(20))
    edge.command(command(now + second(21), 2, mode=Mode.RELEASE), now + second(21))
    (release,) = edge.due(now + second(21))
    assert release.mode is Mode.RELEASE
    done(edge, [release], now + second(21))
    assert edge.due(now + second(60)) == []
