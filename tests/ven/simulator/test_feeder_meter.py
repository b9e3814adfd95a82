"""The feeder's sums, the meter's file, and the devices' log, as a stranger would read them."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from openadr_core.errors import ConfigError
from openadr_ven.fleet.columns import Fleet, FleetState, Mode
from openadr_ven.fleet.physics import evening_state
from openadr_ven.gateways.contract import CommandFrame, command_rows
from openadr_ven.gateways.edge.leases import Leases
from openadr_ven.simulator.device_log import DeviceLog, Entry, applied_twice, read_device_log
from openadr_ven.simulator.feeder import Feeder, SiteLoads, load_site_loads
from openadr_ven.simulator.meter import RECORDS, Meter, read_meter

LOADS = "site,transformer,feeder,load_w\nh1,t0,head,1000\nh2,t0,head,500\nh3,elsewhere,head,2000\n"


@pytest.fixture
def loads(tmp_path: Path) -> SiteLoads:
    (tmp_path / "loads.csv").write_text(LOADS)
    return load_site_loads(tmp_path / "loads.csv")


def metered(folder: Path, fleet: Fleet, feeder: Feeder) -> Meter:
    return Meter(
        folder,
        device_ids=[str(one) for one in fleet.device_id],
        transformer_names=feeder.transformer_names,
        transformer_limit_w=feeder.transformer_limit_w,
    )


def test_sites_and_devices_add_up_at_transformers_and_at_the_head(fleet: Fleet, loads: SiteLoads) -> None:
    feeder = Feeder(fleet, loads, rng=np.random.default_rng(1))
    device_w = np.random.default_rng(2).uniform(-5_000, 5_000, fleet.size)
    sample = feeder.measure(device_w, time_s=1.0, dt_s=1.0)
    assert feeder.transformer_names == (*fleet.transformer_names, "elsewhere")
    assert sample.feeder_w == pytest.approx(sample.transformer_w.sum())
    of_first = device_w[fleet.transformer == 0].sum()
    assert sample.transformer_w[0] - of_first == pytest.approx(1_500, rel=0.5)
    assert sample.transformer_w[1] == pytest.approx(device_w[fleet.transformer == 1].sum())
    assert sample.transformer_w[-1] == pytest.approx(2_000, rel=0.5)


def test_loads_wander_slowly_around_their_mean(fleet: Fleet) -> None:
    size = 2_000
    many = SiteLoads(
        transformer_names=("t0",), transformer=np.zeros(size, dtype=np.intp), load_w=np.full(size, 1_000.0)
    )
    feeder = Feeder(fleet, many, rng=np.random.default_rng(3))
    seen = np.array(
        [feeder.measure(np.zeros(fleet.size), time_s=float(t), dt_s=1.0).feeder_w for t in range(600)]
    )  # fmt: skip
    assert seen.mean() == pytest.approx(size * 1_000.0, rel=0.01)
    assert np.abs(np.diff(seen)).max() < 0.005 * seen.mean()
    assert seen.std() > 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("site,load_w\nh,1\n", "no column transformer"),
        ("site,transformer,load_w\nh,t,1\nh,t,x\n", "line 3"),
        ("site,transformer,load_w\nh,t,-1\n", "line 2"),
        ("site,transformer,load_w\nh,t,nan\n", "line 2"),
        ("site,transformer,load_w\nh,t\n", "line 2"),
    ],
)
def test_a_wrong_line_of_site_loads_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "loads.csv").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_site_loads(tmp_path / "loads.csv")


def test_what_the_meter_wrote_is_read_while_it_writes(tmp_path: Path, fleet: Fleet, loads: SiteLoads) -> None:
    feeder = Feeder(fleet, loads, rng=np.random.default_rng(1))
    samples = [
        feeder.measure(np.full(fleet.size, 100.0 * second), time_s=1e9 + second, dt_s=1.0) for second in range(3)
    ]
    with metered(tmp_path, fleet, feeder) as meter:
        for sample in samples:
            meter.write(sample)
        record = read_meter(tmp_path)
    assert record.device_ids == tuple(fleet.device_id.tolist())
    assert record.time_s.tolist() == [1e9, 1e9 + 1, 1e9 + 2]
    assert record.feeder_w.tolist() == [sample.feeder_w for sample in samples]
    assert record.device_w.shape == (3, fleet.size)
    assert (record.device_w[2] == 200.0).all()
    assert np.allclose(record.transformer_w[1], samples[1].transformer_w)
    assert record.transformer_limit_w[0] == fleet.transformer_limit_w[0]
    assert np.isinf(record.transformer_limit_w[-1])


def test_a_record_that_a_crash_cut_short_is_not_read(tmp_path: Path, fleet: Fleet, loads: SiteLoads) -> None:
    feeder = Feeder(fleet, loads, rng=np.random.default_rng(1))
    with metered(tmp_path, fleet, feeder) as meter:
        for second in range(2):
            meter.write(feeder.measure(np.zeros(fleet.size), time_s=float(second), dt_s=1.0))
    whole = (tmp_path / RECORDS).read_bytes()
    for cut in (1, 7, 100):
        (tmp_path / RECORDS).write_bytes(whole[:-cut])
        assert read_meter(tmp_path).time_s.tolist() == [0.0]


def test_a_folder_without_a_meter_is_no_meter(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"meter\.json"):
        read_meter(tmp_path)


@pytest.fixture
def deliver(tmp_path: Path, fleet: Fleet, now: datetime) -> Callable[..., list[Entry]]:
    """Deliver sequences to fresh devices, the last device out of reach at first; the log that results."""

    def through(*sequences: int) -> list[Entry]:
        state: FleetState = evening_state(fleet, now_s=0.0, outdoor_c=33.0, rng=np.random.default_rng(1))
        leases = Leases(fleet)
        online = state.online.copy()
        online[leases.rows("acme-1")[2]] = False
        with DeviceLog(tmp_path) as log:
            for number, sequence in enumerate(sequences):
                frame = CommandFrame(
                    gateway="acme-1", event_id="e", event_version=3, sequence=sequence, issued_at=now, start=now,
                    end=now + timedelta(seconds=30), ramp_s=0.0,
                    rows=command_rows([0, 1, 2], Mode.SETPOINT, -100.0),
                )  # fmt: skip
                reached = state if number else replace(state, online=online)
                log.delivered(leases.receive(frame, reached, now), now)
            for ack in leases.advance(state, now + timedelta(seconds=30)):
                log.ended(ack)
        return read_device_log(tmp_path)

    return through


def test_the_log_tells_what_each_delivery_did(deliver: Callable[..., list[Entry]]) -> None:
    first, again, late, ended = deliver(5, 5, 4)
    assert (first.rows, first.applied, first.repeated, first.refused) == (3, 2, 0, {"UNREACHABLE": 1})
    assert (again.applied, again.repeated, again.refused) == (1, 2, {})
    assert (late.applied, late.refused) == (0, {"SUPERSEDED": 3})
    assert (first.event, first.version, first.sequence, first.command) == ("e", 3, 5, again.command)
    assert (ended.ended, ended.command) == (3, first.command)
    assert applied_twice([first, again, late, ended]) == []


def test_a_command_that_was_applied_twice_would_be_seen(deliver: Callable[..., list[Entry]]) -> None:
    first, again, *_ = deliver(5, 5)
    repeated = Entry(**{**asdict(again), "applied": 2})
    assert applied_twice([first, repeated]) == [repeated]
