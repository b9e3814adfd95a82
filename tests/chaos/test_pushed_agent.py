"""The products as they are run, by their command lines, with an agent that does not poll: killed, and found again."""

import random
from pathlib import Path

import pytest

from demo.lab import MARKET_CONTEXT, VEN_NAME, Lab, Ports, _listens
from tests.rig import PROGRAM, VEN_SETTINGS, VTN_SETTINGS, write_small_fleet

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(300),
    pytest.mark.openadr20b("R38", "R402", "R500", "Q5", "T10", "T12", "T13"),
]


def a_port() -> int:
    candidates = random.SystemRandom().sample(range(30_000, 32_000), k=50)
    return next(port for port in candidates if not _listens(port))


def create_event(lab: Lab) -> str:
    made = lab.operator_json(
        "event", "create", "--program", PROGRAM, "--payload-type", "DISPATCH_SETPOINT_RELATIVE",
        "--value", "10", "--units", "KW", "--start", "now", "--duration", "10m",
    )  # fmt: skip
    return str(made["id"])


def test_an_agent_that_is_pushed_to_is_found_again_after_it_was_killed(tmp_path: Path) -> None:
    port = a_port()
    pushing = {"OPENADR_VTN_PUSH__NETWORKS": '["127.0.0.0/8"]', "OPENADR_VTN_PUSH__PORTS": f"[{port}]"}
    listening = {
        "OPENADR_VEN_PUSH__ADDRESS": f"https://127.0.0.1:{port}/ven/",
        "OPENADR_VEN_PUSH__HOST": "127.0.0.1",
        "OPENADR_VEN_PUSH__PORT": str(port),
    }
    lab = Lab(
        folder=tmp_path / "lab", ports=Ports.free(), vtn_settings=VTN_SETTINGS | pushing,
        ven_settings=VEN_SETTINGS | listening,
    )  # fmt: skip
    wait = lab.processes.wait_until
    try:
        fleet = write_small_fleet(tmp_path / "fleet.csv")
        lab.make_vtn()
        lab.start_vtn()
        lab.start_broker()
        lab.start_simulator("--fleet", fleet)
        lab.make_ven(fleet)
        lab.start_ven()
        wait("the agent to knock", lambda: bool(lab.operator_json("party", "list")))
        lab.operator_command("party", "approve", VEN_NAME)
        lab.operator_command(
            "program", "create", PROGRAM, "--relief-sign", "POSITIVE", "--market-context", MARKET_CONTEXT
        )
        wait("the agent to register", lambda: lab.operator_json("party", "list")[0]["transport"] == "push")
        first = create_event(lab)
        wait("the answer", lambda: _is_answered(lab, first))
        lab.processes.kill("ven")
        second = create_event(lab)
        wait("the VTN to find nobody", lambda: lab.operator_json("party", "show", VEN_NAME)["push"]["failures"] > 0)
        lab.start_ven()
        wait("the answer", lambda: _is_answered(lab, second))
        shown = lab.operator_command("party", "show", VEN_NAME)
        assert f"https://127.0.0.1:{port}/ven/" in shown
        assert "Traceback" not in (lab.folder / "logs" / "vtn.log").read_text()
    finally:
        lab.processes.stop_all()


def _is_answered(lab: Lab, event_id: str) -> bool:
    ledger = lab.operator_json("event", "show", event_id)["ledger"]
    return bool(ledger) and all(row["answered_at"] for row in ledger)
