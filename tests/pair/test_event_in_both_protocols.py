"""One event of the operator's command line, acted on by a VEN of 2.0b and a VEN of 3.1: processes, TLS, devices.

The VEN of 3.1 polls once in an hour, so what it knows in time its webhook has told it to read.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.lab import MARKET_CONTEXT, Lab, Ports
from demo.processes import run_command
from tests.rig import BASELINE_S, PROGRAM, VEN_SETTINGS, running_lab, write_small_fleet

WAIT_S = 60
LOOK_EVERY_S = 1.0
"""A look is a command line that starts anew: as many as there is time for would leave none to the agents."""
pytestmark = pytest.mark.timeout(400)  # six processes that start, and the machine may have other work
HOUSE = "house-3"
ASKED_KW = 60
STEP_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The VEN of OpenADR 3.1, with devices of its own behind the same broker."""

    lab: Lab
    ports: Ports

    @property
    def folder(self) -> Path:
        return self.lab.folder / HOUSE

    @property
    def config(self) -> Path:
        return self.folder / "ven.toml"

    @property
    def environment(self) -> dict[str, str]:
        certificate = self.lab.vtn / "certs" / "vtn-ecc.pem"
        return {
            **{name: value for name, value in VEN_SETTINGS.items() if "VEN_VTN__" not in name},
            "OPENADR_VEN_OADR3__POLL_INTERVAL_S": "3600",
            "OPENADR_VEN_OADR3__WEBHOOK__ADDRESS": f"https://localhost:{self.ports.parties}/hook",
            "OPENADR_VEN_OADR3__WEBHOOK__PORT": str(self.ports.parties),
            "OPENADR_VEN_OADR3__WEBHOOK__CERTIFICATE": str(certificate),
            "OPENADR_VEN_OADR3__WEBHOOK__KEY": str(certificate.with_suffix(".key")),
            "OPENADR_VEN_GATEWAYS__PORT": str(self.lab.ports.broker),
            "OPENADR_VEN_GATEWAYS__CLIENT_ID": HOUSE,
            "OPENADR_VEN_CONSOLE__PORT": str(self.ports.ven_console),
            "OPENADR_VEN_FLEET__NAME": HOUSE,
        }

    def command(self, *arguments: str | Path) -> str:
        return run_command("openadr_ven", *arguments, "--config", self.config, environment=self.environment)

    def start(self) -> None:
        lab, fleet = self.lab, write_small_fleet(self.lab.folder / "house.csv")
        told = run_command(
            "openadr_vtn", "client", "create", HOUSE, "--role", "ven", "--id", HOUSE,
            "--config", lab.vtn / "vtn.toml", environment=lab.vtn_settings,
        )  # fmt: skip
        run_command(
            "openadr_ven", "init", self.folder, "--protocol", "oadr3", "--name", HOUSE,
            "--vtn-url", f"https://localhost:{lab.ports.oadr3}", "--trust", lab.authority,
            "--market-context", MARKET_CONTEXT,
        )  # fmt: skip
        (self.folder / "client-secret").write_text(told.split("client_secret")[1].split()[0])
        self.command("fleet", "load", fleet)
        lab.processes.start(
            "house-devices", "openadr_ven", "simulate", "--out", self.folder / "meter", "--fleet-name", HOUSE,
            "--port", str(lab.ports.broker), "--fleet", fleet,
        )  # fmt: skip
        lab.processes.start("house", "openadr_ven", "run", "--config", self.config, environment=self.environment)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    ports = Ports.free()
    webhooks = {
        "OPENADR_VTN_WEBHOOKS__NETWORKS": '["127.0.0.0/8", "::1/128"]',
        "OPENADR_VTN_WEBHOOKS__PORTS": f"[{ports.parties}]",
    }
    folder = tmp_path_factory.mktemp("both")
    webhooks["OPENADR_VTN_WEBHOOKS__TRUST"] = json.dumps([str(folder / "lab/vtn/certs/openadr-ecc-root.pem")])
    with running_lab(folder, webhooks) as lab:
        house = House(lab=lab, ports=ports)
        house.start()
        wait_for(lab, "the house to subscribe", lambda: bool(lab.operator_json("subscription", "list")))
        time.sleep(BASELINE_S + 1)
        yield house


def wait_for(lab: Lab, what: str, found: Callable[[], bool]) -> None:
    def look() -> bool:
        time.sleep(LOOK_EVERY_S)
        return found()

    lab.processes.wait_until(what, look, wait_s=WAIT_S)


def delivered_kw(command: Callable[..., str], event_id: str) -> float:
    """What its devices have given, as the VEN's own command line shows it."""
    if event_id not in command("event", "list"):
        return 0.0
    shown: dict[str, Any] = json.loads(command("event", "show", event_id, "--json"))
    return float((shown["delivered"] or {"delivered_w": 0.0})["delivered_w"]) / 1000


@pytest.mark.openadr3("U12")
def test_an_event_of_the_command_line_is_acted_on_in_both_protocols(house: House, tmp_path: Path) -> None:
    lab = house.lab
    (program_id,) = [one["id"] for one in lab.operator_json("program", "list") if one["programName"] == PROGRAM]
    asked = {
        "programID": program_id,
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": f"PT{STEP_S}S"},
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "DISPATCH_SETPOINT_RELATIVE", "units": "KW"}
        ],
        "reportDescriptors": [
            {"payloadType": "DEMAND", "units": "KW", "aggregate": True, "frequency": 1, "repeat": -1}
        ],
        "intervals": [
            {"id": number, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [ASKED_KW]}]}
            for number in range(60)
        ],
    }  # fmt: skip
    file = tmp_path / "event.json"
    file.write_text(json.dumps(asked))
    event_id = lab.operator_json("event", "create", "--file", file)["id"]
    wait_for(lab, "the fleet of 2.0b", lambda: delivered_kw(lab.ven_command, event_id) > 0)
    wait_for(lab, "the fleet of 3.1", lambda: delivered_kw(house.command, event_id) > 0)

    def reported() -> bool:
        found = lab.operator_json("report", "readings", HOUSE)
        return any(one["quality"] == "good" for one in found)

    wait_for(lab, "the report of 3.1", reported)
    lab.operator_command("event", "cancel", event_id)
    wait_for(lab, "the house to let go", lambda: "cancelled" in house.command("event", "list"))
    wait_for(lab, "2.0b to let go", lambda: "cancelled" in lab.ven_command("event", "list"))
