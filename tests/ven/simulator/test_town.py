"""The town without its sockets: telemetry, leases through the physics, faults, and losing everybody (T05)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import DeviceClass, Fleet, Mode
from openadr_ven.gateways.codec import decode, encode
from openadr_ven.gateways.contract import AckFrame, CommandFrame, GatewayState, TelemetryFlag, TelemetryFrame
from openadr_ven.gateways.contract import command_rows as rows_of
from openadr_ven.simulator.faults import Fault, FaultKind, parse_fault
from openadr_ven.simulator.town import Town

LEASE_S = 30.0
RENEW_S = 10


def town_of(fleet: Fleet, now: datetime, seed: int = 7) -> Town:
    return Town(fleet, rng=np.random.default_rng(seed), started_at=now)


def commands(town: Town, sequence: int, now: datetime, *, lasts_s: float = LEASE_S) -> list[CommandFrame]:
    """Batteries feed 2 kW, what can be shed is shed, everything else is left alone."""
    fleet = town.fleet
    mode = np.where(fleet.discrete(), Mode.SHED, Mode.RELEASE)
    mode[fleet.device_class == DeviceClass.BATTERY] = Mode.SETPOINT
    frames = []
    for gateway in town.gateways:
        rows = town.leases.rows(gateway)
        chosen = np.flatnonzero(mode[rows] != Mode.RELEASE)
        setpoint_w = np.where(mode[rows[chosen]] == Mode.SETPOINT, -2_000.0, 0.0)
        frames.append(
            CommandFrame(
                gateway=gateway,
                event_id="e",
                event_version=0,
                sequence=sequence,
                issued_at=now,
                start=now,
                end=now + timedelta(seconds=lasts_s),
                ramp_s=0.0,
                rows=rows_of(chosen, mode[rows[chosen]], setpoint_w),
            )
        )
    return frames


def deliver(town: Town, frames: Sequence[CommandFrame], now: datetime) -> int:
    receipts = [town.receive(frame, now) for frame in frames]
    return sum(receipt.applied for receipt in receipts if receipt is not None)


def telemetry(reports: Sequence[object]) -> dict[str, TelemetryFrame]:
    return {report.gateway: report for report in reports if isinstance(report, TelemetryFrame)}


def batteries(town: Town, vendor: int | None = None) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    of_vendor = True if vendor is None else town.fleet.vendor == vendor
    return np.flatnonzero((town.fleet.device_class == DeviceClass.BATTERY) & of_vendor)


def test_every_gateway_measures_every_second_and_what_it_sends_can_be_read(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    for second in range(1, 4):
        at = now + timedelta(seconds=second)
        seen = telemetry(town.tick(at))
        assert set(seen) == set(fleet.gateway_names)
        for frame in seen.values():
            assert (frame.measured_at, frame.telemetry_sequence, frame.command_sequence) == (at, second, 0)
            decode(encode(frame))
            rows = town.leases.rows(frame.gateway)
            assert np.allclose(frame.rows["power_w"], town.state.power_w[rows])
            assert (frame.rows["flags"] & TelemetryFlag.ONLINE).all()


def test_commanded_devices_act_within_a_second_and_say_so(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    town.tick(now + timedelta(seconds=1))
    deliver(town, commands(town, 1, now + timedelta(seconds=1)), now + timedelta(seconds=1.5))
    seen = telemetry(town.tick(now + timedelta(seconds=2)))
    assert (town.state.power_w[batteries(town)] == -2_000.0).all()
    for gateway, frame in seen.items():
        held = town.leases.held()[town.leases.rows(gateway)]
        assert ((frame.rows["flags"] & TelemetryFlag.HELD != 0) == held).all()
        assert frame.command_sequence == 1


@pytest.mark.parametrize("lost_at", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("restarts", [False, True])
def test_devices_that_lose_everybody_are_at_their_default_within_a_lease(
    fleet: Fleet, now: datetime, lost_at: float, restarts: bool
) -> None:
    """T05: the network is pulled during an event of two minutes, with and without the VEN coming back meanwhile."""
    town, event_s = town_of(fleet, now), 120
    lost_s = int(lost_at * event_s)
    back_s = lost_s + 20 if restarts else None
    last_lease_ends = now
    for second in range(1, event_s + int(LEASE_S) + 60):
        at = now + timedelta(seconds=second)
        connected = second < lost_s or (back_s is not None and back_s <= second < back_s + RENEW_S)
        if connected and second < event_s and second % RENEW_S == 1:
            # A lease never outlives its event.
            lasts_s = min(LEASE_S, event_s - second)
            deliver(town, commands(town, second + 1, at, lasts_s=lasts_s), at)
            last_lease_ends = at + timedelta(seconds=lasts_s)
        town.tick(at)
        if at >= last_lease_ends:
            assert not town.leases.held().any(), "no device keeps a setpoint past its end"
            assert (town.state.power_w[batteries(town)] == 0.0).all()
        else:
            assert town.leases.held().any()


def test_a_silent_vendors_devices_fall_back_at_once_and_nothing_is_heard_of_them(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    deliver(town, commands(town, 1, now), now)
    town.tick(now + timedelta(seconds=1))
    town.inject(parse_fault("silent:Acme"))
    at = now + timedelta(seconds=2)
    seen = telemetry(town.tick(at))
    assert set(seen) == {"bolt-1", "bolt-2"}
    assert (town.state.power_w[batteries(town, 0)] == 0.0).all()
    assert (town.state.power_w[batteries(town, 1)] == -2_000.0).all()
    unanswered = [town.receive(frame, at) for frame in commands(town, 2, at) if frame.gateway.startswith("acme")]
    assert unanswered == [None, None]

    town.inject(parse_fault("healed:Acme"))
    assert set(telemetry(town.tick(at + timedelta(seconds=1)))) == set(fleet.gateway_names)
    assert (town.state.power_w[batteries(town, 0)] == 0.0).all(), "what it held before is forgotten"
    deliver(town, commands(town, 3, at), at + timedelta(seconds=1))
    town.tick(at + timedelta(seconds=2))
    assert (town.state.power_w[batteries(town, 0)] == -2_000.0).all()


def test_late_telemetry_tells_when_it_was_measured(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    town.inject(parse_fault("late:Acme:5"))
    arrived = [
        (second, int((report.measured_at - now).total_seconds()))
        for second in range(1, 10)
        for report in town.tick(now + timedelta(seconds=second))
        if isinstance(report, TelemetryFrame) and report.gateway == "acme-1"
    ]
    assert arrived == [(6, 1), (7, 2), (8, 3), (9, 4)]


def test_lying_devices_report_what_they_were_told_and_only_the_truth_shows_it(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    town.inject(parse_fault("lying:Acme:1.0"))
    deliver(town, commands(town, 1, now), now)
    seen = telemetry(town.tick(now + timedelta(seconds=1)))
    for gateway in ("acme-1", "acme-2"):
        rows = town.leases.rows(gateway)
        is_battery = fleet.device_class[rows] == DeviceClass.BATTERY
        assert (seen[gateway].rows["power_w"][is_battery] == -2_000.0).all()
        assert (seen[gateway].rows["power_w"][fleet.discrete()[rows]] <= 0.0).all()
    assert (town.state.power_w[batteries(town, 0)] == 0.0).all()
    assert (town.state.power_w[batteries(town, 1)] == -2_000.0).all()


def test_some_lie_as_the_seed_says(fleet: Fleet, now: datetime) -> None:
    def truth(seed: int) -> list[float]:
        town = town_of(fleet, now, seed)
        town.inject(parse_fault("lying:Acme:0.5"))
        deliver(town, commands(town, 1, now), now)
        town.tick(now + timedelta(seconds=1))
        return [float(power_w) for power_w in town.state.power_w[batteries(town, 0)]]

    assert truth(1) == truth(1)
    assert set(truth(1)) == {0.0, -2_000.0}
    assert any(truth(1) != truth(seed) for seed in range(2, 6))


def test_the_end_of_a_lease_is_acknowledged_by_each_gateway(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    deliver(town, commands(town, 1, now, lasts_s=3.0), now)
    acks = [
        report for second in range(1, 6) for report in town.tick(now + timedelta(seconds=second))
        if isinstance(report, AckFrame)
    ]  # fmt: skip
    assert {ack.gateway for ack in acks} == set(fleet.gateway_names)
    assert all(ack.at == now + timedelta(seconds=3) for ack in acks)


def test_commands_for_gateways_of_another_town_are_ignored(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    stray = CommandFrame(
        gateway="nowhere", event_id="e", event_version=0, sequence=1, issued_at=now, start=now, end=now, ramp_s=0.0,
        rows=rows_of([0], Mode.SHED, 0.0),
    )  # fmt: skip
    assert town.receive(stray, now) is None


def test_a_status_counts_slots_and_remembers_the_newest_command(fleet: Fleet, now: datetime) -> None:
    town = town_of(fleet, now)
    deliver(town, commands(town, 9, now), now)
    status = town.status("acme-1", GatewayState.ONLINE, now)
    assert (status.slot_count, status.command_sequence) == (9, 9)
    decode(encode(status))


def test_a_fault_as_written() -> None:
    expected = Fault(kind=FaultKind.LYING, vendor="Sun & Sons", value=0.25, after_s=12.5)
    assert parse_fault(" lying:Sun & Sons:0.25@+12.5\n") == expected


@pytest.mark.parametrize(
    "line", ["", "silent", "silent:", "broken:Acme", "late:Acme", "late:Acme:x", "lying:Acme:1.5", "silent:Acme:3",
             "silent:Acme@soon", "late:Acme:1.2.3"],
)  # fmt: skip
def test_a_fault_that_is_not_written_so_is_refused(line: str) -> None:
    with pytest.raises(ConfigError):
        parse_fault(line)


def test_a_fault_names_a_vendor_that_is_there(fleet: Fleet, now: datetime) -> None:
    with pytest.raises(ConfigError, match="Acme, Bolt"):
        town_of(fleet, now).inject(parse_fault("silent:Nobody"))
