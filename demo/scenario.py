"""What happens in the demo, in order: an evening at a utility and an aggregator, with two accidents and a Stop.

Every step is a command or a signal that a user could have sent; the figures come from the VTN's own
API and from the meter's file, and are judged at the end (:mod:`demo.verdict`).
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from demo import story
from demo.feeder import class_table, write_demo_fleet
from demo.judge import BASELINE_S, delivered_w
from demo.lab import MARKET_CONTEXT, VEN_NAME, Lab, Ports
from demo.processes import DemoFailed
from openadr_ven.simulator.meter import read_meter

SEED = 7
PROGRAM = "evening-relief"
STRANGER = "stranger"
SILENT_VENDOR = "Eastwind"
TARGET_KW = 5_000
EVENT_S = 120
FAULT_AT_S, KILL_AT_S, STOP_AT_S = 40.0, 70.0, 110.0
RELEASE_WATCHED_S = 25.0
SIMPLE_S = 15
LISTENING_S = 5.0
"""From the VEN's start to the first telemetry it hears, generously."""

VTN_SETTINGS = {
    "OPENADR_VTN_PARTIES__POLL_INTERVAL_S": "2",
    "OPENADR_VTN_REPORTS__GRANULARITY_S": "5",
    "OPENADR_VTN_REPORTS__REPORT_BACK_S": "5",
}
# The envelope is explicit: 6 MW an event, 1.5 MW/s up, 0.5 MW/s back, four reversals an hour, 20 % left in batteries.
VEN_SETTINGS = {
    "OPENADR_VEN_VTN__POLL_INTERVAL_S": "2",
    "OPENADR_VEN_ENVELOPE__EVENT_MAX_W": "6000000",
    "OPENADR_VEN_ENVELOPE__RAMP_W_PER_S": "1500000",
    "OPENADR_VEN_ENVELOPE__RELEASE_RAMP_W_PER_S": "500000",
    "OPENADR_VEN_ENVELOPE__STEP_MAX_W": "3000000",
    "OPENADR_VEN_ENVELOPE__NOTICE_MIN_S": "0",
    "OPENADR_VEN_ENVELOPE__REVERSALS_PER_HOUR": "4",
    "OPENADR_VEN_ENVELOPE__REVERSAL_DEADBAND_W": "600000",
    "OPENADR_VEN_ENVELOPE__SOC_FLOOR": "0.2",
}


@dataclass(slots=True, kw_only=True)
class Evening:
    """What has happened so far; times are seconds since 1970."""

    lab: Lab
    event: dict[str, Any] = field(default_factory=dict)
    posted_s: float = 0.0
    fault_s: float = 0.0
    killed_s: float = 0.0
    ven_started_s: float = 0.0
    restarted_s: float = 0.0
    stopped_s: float = 0.0
    simple_event_id: str = ""

    @property
    def event_id(self) -> str:
        return str(self.event["id"])


def open_lab(folder: Path) -> Evening:
    """An empty folder and free ports; what a former run left there is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return Evening(lab=Lab(folder=folder, ports=Ports.free(), vtn_settings=VTN_SETTINGS, ven_settings=VEN_SETTINGS))


def prepare(evening: Evening) -> None:
    """Fleet, certificates, settings and processes; nothing is enrolled yet."""
    lab, folder = evening.lab, evening.lab.folder
    story.chapter("A fleet on the IEEE 9500-node feeder, 18:30 on a July weekday")
    fleet = write_demo_fleet(folder / "fleet", seed=SEED, at_s=time.time())
    story.block(class_table(fleet))
    story.chapter("Two companies, each with its own processes and certificates")
    lab.make_vtn()
    lab.start_vtn()
    story.say("VTN running: mutual TLS for parties, TLS and tokens for the operator.")
    lab.start_broker()
    fleet_file = folder / "fleet" / "fleet.csv"
    lab.start_simulator("--fleet", fleet_file, "--site-loads", folder / "fleet" / "site_loads.csv")
    story.say("Broker and device simulator running: 23 gateways, and a meter that neither side reads.")
    lab.make_ven(fleet_file)
    lab.start_ven()
    evening.ven_started_s = time.time()
    _start_stranger(lab)
    story.say("VEN running, and somebody else's: the client of the openleadr package.")
    lab.processes.wait_until("both consoles", lambda: bool(lab.console_url("vtn") and lab.console_url("ven")))
    story.page("Utility's console", lab.console_url("vtn"))
    story.page("Aggregator's console", lab.console_url("ven"))


def enrol(evening: Evening) -> None:
    """Both VENs knock with good certificates and are refused until an operator has looked at them."""
    lab = evening.lab
    story.chapter("Enrolment: a certificate is not yet a party")
    _wait_for_parties(lab, lambda party: party["state"] == "pending", "both VENs to knock")
    story.block(lab.operator_command("party", "list"))
    for name in (VEN_NAME, STRANGER):
        story.command(f"openadr-vtn party approve {name}")
        lab.operator_command("party", "approve", name)
    story.command(f"openadr-vtn program create {PROGRAM} --relief-sign POSITIVE")
    lab.operator_command("program", "create", PROGRAM, "--relief-sign", "POSITIVE", "--market-context", MARKET_CONTEXT)
    _wait_for_parties(lab, lambda party: bool(party["registered_at"]), "both VENs to register")
    story.block(lab.operator_command("party", "list"))
    story.say(f"A minute of ordinary evening: the baseline is each device's mean power over {BASELINE_S:.0f} s.")
    _wait_with_progress(evening, evening.ven_started_s + BASELINE_S + LISTENING_S - time.time())


def relieve(evening: Evening) -> None:
    """Event 1, with a vendor outage, a crash of the VEN, and the operator's Stop."""
    lab = evening.lab
    story.chapter(f"Event 1: {TARGET_KW:,} kW of relief, now, for {EVENT_S} s")
    story.command(
        f"openadr-vtn event create --program {PROGRAM} --payload-type DISPATCH_SETPOINT_RELATIVE "
        f"--value {TARGET_KW} --duration {EVENT_S}s --target {VEN_NAME}"
    )
    evening.event = lab.operator_json(
        "event", "create", "--program", PROGRAM, "--payload-type", "DISPATCH_SETPOINT_RELATIVE",
        "--value", str(TARGET_KW), "--duration", f"{EVENT_S}s", "--target", VEN_NAME,
    )  # fmt: skip
    evening.posted_s = _moment_s(evening.event["createdDateTime"])
    story.table_head()
    _watch_until(evening, FAULT_AT_S)
    evening.fault_s = time.time()
    with (lab.meter / "faults").open("a") as faults:
        faults.write(f"silent:{SILENT_VENDOR}\n")
    story.accident(f"{SILENT_VENDOR}'s cloud goes down: a tenth of the batteries stop, and say nothing")
    _watch_until(evening, KILL_AT_S)
    evening.killed_s = time.time()
    pid = lab.processes.kill("ven")
    story.accident(f"kill -9 {pid}: the VEN is gone; every device holds a lease")
    _watch_until(evening, KILL_AT_S + 3)
    lab.start_ven()
    evening.restarted_s = time.time()
    story.accident("the VEN is started again, and goes on from its store")
    _watch_until(evening, STOP_AT_S)
    story.command("openadr-vtn stop --reason 'end of demonstration'")
    evening.stopped_s = time.time()
    lab.operator_command("stop", "--reason", "end of demonstration")
    _watch_until(evening, STOP_AT_S + RELEASE_WATCHED_S)


def ask_both(evening: Evening) -> None:
    """Event 2: SIMPLE level 1, which every VEN understands."""
    lab = evening.lab
    story.chapter("Event 2: SIMPLE level 1, to both VENs")
    story.command(
        f"openadr-vtn event create --program {PROGRAM} --payload-type SIMPLE --value 1 --duration {SIMPLE_S}s"
    )
    created = lab.operator_json(
        "event", "create", "--program", PROGRAM, "--payload-type", "SIMPLE", "--value", "1",
        "--duration", f"{SIMPLE_S}s",
    )  # fmt: skip
    evening.simple_event_id = str(created["id"])

    def answered() -> bool:
        return len(opts_of(lab.operator_json("event", "show", evening.simple_event_id))) == 2

    lab.processes.wait_until("both VENs to answer", answered, wait_s=SIMPLE_S)
    for name, opt in sorted(opts_of(lab.operator_json("event", "show", evening.simple_event_id)).items()):
        story.say(f"{name}: {opt}")
    _wait_with_progress(evening, SIMPLE_S)


def note_card(evening: Evening, text: str) -> None:
    """Put the final card with the event, where the operator's page shows it."""
    written = evening.lab.folder / "card.txt"
    written.write_text(text)
    evening.lab.operator_command("event", "note", evening.event_id, written)
    url = evening.lab.console_url("vtn").split("/?")[0]
    story.say(f"The card is with the event, on the utility's page: {url}/events/{evening.event_id}")


def opts_of(shown: dict[str, Any]) -> dict[str, str]:
    """What each party said, by name, from the operator's view of an event."""
    return {row["party"]: row["opt"]["type"] for row in shown["parties"] if row["opt"] is not None}


def _start_stranger(lab: Lab) -> None:
    certificate = lab.mint(STRANGER)
    lab.processes.start(
        STRANGER, "demo.stranger", "--name", STRANGER, "--vtn", lab.vtn_url,
        "--certificate", certificate, "--key", certificate.with_suffix(".key"), "--trust", lab.authority,
    )  # fmt: skip


def _wait_for_parties(lab: Lab, ready: Callable[[dict[str, Any]], bool], what: str) -> None:
    def both() -> bool:
        parties = {party["name"]: party for party in lab.operator_json("party", "list")}
        return {VEN_NAME, STRANGER} <= set(parties) and all(map(ready, parties.values()))

    lab.processes.wait_until(what, both, wait_s=60)


def _wait_with_progress(evening: Evening, seconds: float) -> None:
    until = time.time() + seconds
    while (left := until - time.time()) > 0:
        evening.lab.processes.check()
        story.progress(left)
        time.sleep(min(1.0, left))
    story.progress(0)


def _watch_until(evening: Evening, after_s: float) -> None:
    """Print target, the VTN's figure and the meter's, every five seconds of the event."""
    while (since_s := time.time() - evening.posted_s) < after_s:
        evening.lab.processes.check()
        next_line_s = min((since_s // 5 + 1) * 5, after_s)
        time.sleep(max(0.0, next_line_s - since_s))
        if next_line_s % 5 == 0:
            story.line(next_line_s, _target_kw(evening, next_line_s), _reported_kw(evening), metered_kw(evening))


def _target_kw(evening: Evening, since_s: float) -> float:
    stopped = evening.stopped_s and since_s > evening.stopped_s - evening.posted_s
    return 0.0 if stopped else float(TARGET_KW)


def _reported_kw(evening: Evening) -> float | None:
    """What the VTN computed from the VEN's latest report: baseline less metered."""
    try:
        shown = evening.lab.operator_json("event", "show", evening.event_id)
    except DemoFailed:
        return None
    return shown["delivered"][-1][2] if shown["delivered"] else None


def metered_kw(evening: Evening) -> float:
    """The meter's latest second."""
    record = read_meter(evening.lab.meter)
    relief_w = delivered_w(record.time_s, record.device_w.sum(axis=1, dtype="float64"), evening.posted_s)
    return float(relief_w[-1]) / 1000


def _moment_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
