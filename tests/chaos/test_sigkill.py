"""R1: VTN and VEN are killed at random moments of events; nothing is lost, and nothing is applied twice.

Real processes, real TLS, a real broker, real stores; what the devices did is read from their own log.
``OPENADR_CHAOS_KILLS`` says how many kills (CI: 50); ``OPENADR_CHAOS_SEED`` makes a run repeatable as far
as an operating system lets it.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.lab import VEN_NAME, Lab
from demo.processes import DemoFailed
from openadr_ven.simulator.device_log import applied_twice, read_device_log
from openadr_ven.simulator.meter import read_meter
from tests.rig import GATEWAYS, POWER_W, PROGRAM, running_lab

KILLS = int(os.environ.get("OPENADR_CHAOS_KILLS", "8"))
SEED = int(os.environ.get("OPENADR_CHAOS_SEED", "1"))
KILLS_PER_EVENT = 5
EVENT_LEAST_S = 20
TARGET_KW = 60
SETTLE_S = 20


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path) as made:
        yield made


@pytest.mark.chaos
@pytest.mark.timeout(180 + KILLS * 20)
def test_kills_lose_nothing_and_repeat_nothing(lab: Lab) -> None:
    dice = random.Random(SEED)
    events: list[str] = []
    killed: Counter[str] = Counter()
    event_s = outliving_the_kills_s(lab)
    while sum(killed.values()) < KILLS:
        events.append(insistently(lab, lambda lab: create_event(lab, event_s))["id"])
        ends_at = time.monotonic() + event_s
        for _ in range(min(KILLS_PER_EVENT, KILLS - sum(killed.values()))):
            time.sleep(dice.uniform(0.05, 1.5))
            name = dice.choice(["vtn", "ven"])
            lab.processes.kill(name)
            killed[name] += 1
            # A machine that dies is not back at once.
            time.sleep(dice.uniform(0.0, 0.3))
            (lab.start_vtn if name == "vtn" else lab.start_ven)()
        time.sleep(max(0.0, ends_at - time.monotonic()))
    assert min(killed["vtn"], killed["ven"]) > 0
    time.sleep(SETTLE_S)

    log = read_device_log(lab.meter)
    for event_id in events:
        reached = {entry.gateway for entry in log if entry.event == event_id and entry.applied}
        assert len(reached) == GATEWAYS, f"{event_id} reached {reached} only"
    assert not applied_twice(log)
    for event_id in events:
        shown = lab.operator_json("event", "show", event_id)
        assert [party["opt"]["type"] for party in shown["parties"]] == ["optIn"], event_id
    assert at_rest(lab)


def outliving_the_kills_s(lab: Lab) -> int:
    """An event that is over before anybody is up again is lost to nobody: how fast this machine is sets the pace."""
    began = time.monotonic()
    lab.processes.kill("vtn")
    lab.start_vtn()
    start_s = time.monotonic() - began
    return max(EVENT_LEAST_S, round(KILLS_PER_EVENT * (start_s + 1) + 4 * start_s))


def create_event(lab: Lab, event_s: int) -> Any:
    return lab.operator_json(
        "event", "create", "--program", PROGRAM, "--payload-type", "DISPATCH_SETPOINT_RELATIVE",
        "--value", str(TARGET_KW), "--duration", f"{event_s}s", "--target", VEN_NAME,
    )  # fmt: skip


def insistently(lab: Lab, command: Callable[[Lab], Any], tries: int = 20) -> Any:
    """What an operator does who finds the VTN down: try again."""
    for left in reversed(range(tries)):
        try:
            return command(lab)
        except DemoFailed:
            if not left:
                raise
            time.sleep(0.5)
    raise AssertionError


def at_rest(lab: Lab) -> bool:
    """No device still holds a setpoint: the last record of the meter is near its first minute's mean."""
    record = read_meter(lab.meter)
    fleet_w = record.device_w.sum(axis=1, dtype="float64")
    return abs(float(fleet_w[-1] - fleet_w[:4].mean())) < POWER_W
