"""A utility's 2030.5 server, an aggregator's agent and its fleet: real processes, TLS 1.2 with CCM-8 between them.

What the operator types is what the devices do and the meter sees; what the agent answers is what the operator reads.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from demo.lab import FLEET, Lab, Ports
from demo.processes import run_command
from openadr_ven.cli.root import cli as openadr_ven
from openadr_ven.simulator.meter import read_meter
from openadr_vtn.cli.main import main as openadr_vtn
from tests.rig import VEN_SETTINGS, write_small_fleet
from tests.vtn.protocols.sep2.sep2_bench import a_lfdi

pytestmark = pytest.mark.timeout(300)

OF_THE_AGENT = {name: value for name, value in VEN_SETTINGS.items() if "_VTN__" not in name} | {
    "OPENADR_VEN_SEP2__ENROLMENT_RETRY_S": "1",
}
BATTERIES = 60
SHARED_W = 60_000.0
HOME = a_lfdi(1)
"""Of one of the fleet's homes, which the utility knows by itself too."""
SUBSCRIPTIONS = 6
"""Devices, assignments, both lists of programs, both lists of controls."""


@dataclass(frozen=True, slots=True)
class Desks:
    lab: Lab

    def vtn(self, *arguments: str) -> str:
        environment = {"OPENADR_OPERATOR": str(self.lab.vtn / "operator.toml")}
        result = CliRunner(env=environment).invoke(openadr_vtn, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return str(result.output)

    def vtn_json(self, *arguments: str) -> Any:
        return json.loads(self.vtn(*arguments, "--json"))

    def ven(self, *arguments: str) -> str:
        named = (*arguments, "--config", str(self.lab.ven / "ven.toml"))
        result = CliRunner(env={"OPENADR_VEN_FLEET__NAME": FLEET}).invoke(openadr_ven, named, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return str(result.output)

    def notices(self) -> str:
        return (self.lab.processes.logs / "ven.log").read_text()

    def answers(self, group: str = "feeder-1") -> list[int]:
        (control,) = self.vtn_json("control", "list", group)
        return sorted(one["status"] for one in control["responses"])

    def subscriptions(self) -> int:
        with closing(sqlite3.connect(self.lab.vtn / "vtn.db")) as store:
            return int(store.execute("SELECT count(*) FROM sep2_subscription").fetchone()[0])

    def has_readings_of(self, lfdi: str) -> bool:
        """Of its own meter."""
        with closing(sqlite3.connect(self.lab.vtn / "vtn.db")) as store:
            query = "SELECT count(*) FROM reading WHERE source = ?"
            return bool(store.execute(query, (f"{lfdi},DER",)).fetchone()[0])

    def fleet_w(self) -> float:
        return float(read_meter(self.lab.meter).device_w[-1].sum())


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    folder = tmp_path_factory.mktemp("sep2")
    ports = Ports.free()
    port, told_at = ports.oadr3 + 10_000, ports.parties + 10_000
    lab = Lab(
        folder=folder / "lab",
        ports=ports,
        vtn_settings={
            "OPENADR_VTN_SEP2__NOTIFICATIONS__NETWORKS": '["127.0.0.0/8", "::1/128"]',
            "OPENADR_VTN_SEP2__NOTIFICATIONS__PORTS": f"[{told_at}]",
        },
        ven_settings=OF_THE_AGENT
        | {
            "OPENADR_VEN_SEP2__DEVICES": str(folder / "devices.csv"),
            "OPENADR_VEN_SEP2__NOTIFICATIONS__ADDRESS": f"https://localhost:{told_at}/told",
            "OPENADR_VEN_SEP2__NOTIFICATIONS__PORT": str(told_at),
        },
    )
    try:
        fleet = write_small_fleet(folder / "fleet.csv")
        (folder / "devices.csv").write_text(f"lfdi,name\n{HOME},home-1\n")
        run_command(
            "openadr_vtn", "init", lab.vtn, "--sep2-pen", "28547", "--sep2-port", str(port),
            "--parties-port", str(lab.ports.parties), "--operator-port", str(lab.ports.operator),
            "--oadr3-port", str(lab.ports.oadr3), "--console-port", str(lab.ports.vtn_console),
        )  # fmt: skip
        lab.start_vtn()
        lab.start_broker()
        lab.start_simulator("--fleet", fleet)
        _make_agent(lab, fleet, port)
        lab.start_ven()
        yield Desks(lab)
    finally:
        lab.processes.stop_all()


def _make_agent(lab: Lab, fleet: Path, port: int) -> None:
    certificates = lab.folder / "certificates"
    run_command(
        "openadr_vtn", "certificate", "mint", "--profile", "sep2-device", "--name", "aggregator",
        "--authorities", lab.vtn / "certs", "--out", certificates,
    )  # fmt: skip
    run_command(
        "openadr_ven", "init", lab.ven, "--protocol", "sep2", "--vtn-url", f"https://localhost:{port}",
        "--certificate", certificates / "aggregator.pem", "--key", certificates / "aggregator.key",
        "--trust", certificates / "trust.pem",
    )  # fmt: skip
    lab.ven_command("fleet", "load", fleet)


def test_an_aggregators_fleet_does_what_a_control_asks_and_the_operator_reads_its_answers(desks: Desks) -> None:
    wait = desks.lab.processes.wait_until
    assert "IEEE 2030.5 (/dcap)" in desks.ven("check")
    wait("the agent to knock", lambda: bool(desks.vtn_json("party", "list")))
    wait("the agent to say whom to ask", lambda: "ask the utility to let in the LFDI" in desks.notices())
    (knocked,) = desks.vtn_json("party", "list")
    desks.vtn("party", "approve", knocked["id"], "--name", "aggregator")
    desks.vtn("device", "rate", "EndDevice", "2")
    desks.vtn("device", "add-group", "feeder-1", "--primacy", "3")
    desks.vtn("device", "add", "aggregator", knocked["certificates"][0]["lfdi"], "--group", "feeder-1")
    desks.vtn("device", "add", "aggregator", HOME)
    wait("the agent to find itself", lambda: "registered" in desks.notices())
    wait("the agent to subscribe", lambda: desks.subscriptions() >= SUBSCRIPTIONS)
    # Polls are 15 minutes apart: from here on the agent only knows what it is told of.

    made = desks.vtn("control", "create", "feeder-1", "opModTargetW=60000", "--duration", "10m")
    wait("the fleet to give 60 kW", lambda: desks.fleet_w() < -0.9 * SHARED_W, wait_s=20)
    (control,) = desks.vtn_json("control", "list", "feeder-1")
    assert control["mrid"] in made
    wait("the operator to read that it was received, and begun", lambda: desks.answers() == [1, 2])
    desks.vtn("control", "cancel", control["mrid"])
    wait("the operator to read that it is cancelled", lambda: desks.answers() == [1, 2, 6])
    wait("the fleet to be let go", lambda: desks.fleet_w() > -0.1 * SHARED_W, wait_s=20)
    lfdi = knocked["certificates"][0]["lfdi"]
    said = {"der/1/dercap", "der/1/derg", "der/1/ders"}
    wait("the operator to read how the fleet is", lambda: set(desks.vtn_json("device", "show", lfdi)["said"]) >= said)
    said |= {"der/1/dera"}
    wait("the operator to read how a home is", lambda: set(desks.vtn_json("device", "show", HOME)["said"]) >= said)
    wait("the operator to read what a home's meter saw", lambda: desks.has_readings_of(HOME))
    assert f"{control['mrid']}.opModTargetW" in desks.ven("event", "list")


def test_an_event_of_openadr_moves_the_fleet_and_its_answer_is_an_opt(desks: Desks, tmp_path: Path) -> None:
    """After the test above: the agent is let in. The bridge makes a control of the event."""
    wait = desks.lab.processes.wait_until
    desks.vtn("program", "create", "dispatch")
    (program,) = desks.vtn_json("program", "list")
    asked = {
        "programID": program["id"],
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "PT10M"},
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "DISPATCH_SETPOINT", "units": "KW"}
        ],
        "intervals": [{"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT", "values": [-SHARED_W / 1000]}]}],
    }
    (tmp_path / "event.json").write_text(json.dumps(asked))
    event_id = desks.vtn_json("event", "create", "--file", str(tmp_path / "event.json"))["id"]
    wait("the fleet to give 60 kW", lambda: desks.fleet_w() < -0.9 * SHARED_W, wait_s=20)

    def row() -> dict[str, Any]:
        found: list[dict[str, Any]] = desks.vtn_json("event", "show", event_id)["ledger"]
        return max(found, key=lambda one: int(one["version"]))

    wait("the operator to read that it takes part", lambda: (row()["opt"] or {}).get("type") == "optIn")
    assert row()["fetched_at"] is not None
    desks.vtn("event", "cancel", event_id)
    wait("the fleet to be let go", lambda: desks.fleet_w() > -0.1 * SHARED_W, wait_s=20)
    wait("the operator to read that the cancel was heard", lambda: row()["answered_at"] is not None)
    assert row()["version"] == 1
