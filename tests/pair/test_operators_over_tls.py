"""Both operators at their command lines, two real processes and mutual TLS between: opts, and registrations."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from demo.lab import FLEET, VEN_NAME, Lab
from openadr_ven.cli.root import cli as openadr_ven
from openadr_vtn.cli.main import main as openadr_vtn
from tests.rig import PROGRAM, running_lab

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Desks:
    """What each operator types, in this process; the VTN and the VEN are others."""

    lab: Lab

    def vtn(self, *arguments: str) -> str:
        return self._typed(openadr_vtn, arguments, {"OPENADR_OPERATOR": str(self.lab.vtn / "operator.toml")})

    def vtn_json(self, *arguments: str) -> Any:
        return json.loads(self.vtn(*arguments, "--json"))

    def ven(self, *arguments: str) -> str:
        named = (*arguments, "--config", str(self.lab.ven / "ven.toml"))
        return self._typed(openadr_ven, named, {"OPENADR_VEN_FLEET__NAME": FLEET})

    def ven_opts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ven("opt", "list", "--json"))
        return found

    def create_event(self) -> str:
        made = self.vtn_json(
            "event", "create", "--program", PROGRAM, "--payload-type", "DISPATCH_SETPOINT_RELATIVE", "--units", "KW",
            "--value", "60", "--duration", "10m", "--target", VEN_NAME,
        )  # fmt: skip
        return str(made["id"])

    def answer_to(self, event_id: str) -> tuple[str, str] | None:
        (party,) = self.vtn_json("event", "show", event_id)["parties"]
        return None if party["opt"] is None else (party["opt"]["type"], party["opt"]["reason"])

    def registration_id(self) -> str | None:
        found = self.vtn_json("party", "show", VEN_NAME)["registration"]
        return None if found is None else str(found["id"])

    def _typed(self, command: Any, arguments: tuple[str, ...], environment: dict[str, str]) -> str:
        result = CliRunner(env=environment).invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    with running_lab(tmp_path_factory.mktemp("operators")) as lab:
        yield Desks(lab)


@pytest.mark.openadr20b("R202", "R204", "R205", "R206", "R17", "R48", "O3", "O5", "O10")
def test_opts_reach_the_vtns_operator_and_rule_the_fleet(desks: Desks) -> None:
    wait = desks.lab.processes.wait_until
    desks.ven("opt", "out", "--when", "now/4h", "--reason", "emergency")
    wait("the VTN to take the schedule", lambda: desks.ven_opts()[0]["vtn"] == "told")
    (seen,) = desks.vtn_json("opt", "list")
    assert (seen["type"], seen["reason"], seen["status"], seen["party"]) == (
        "optOut",
        "emergency",
        "in force",
        VEN_NAME,
    )
    (now,) = desks.vtn_json("opt", "availability")
    assert [step["type"] for step in now["steps"]] == ["optOut", "optIn"]
    event_id = desks.create_event()
    out = ("optOut", f"out by opt schedule {seen['opt_id']}: emergency")
    wait("the VEN to opt out", lambda: desks.answer_to(event_id) == out)

    desks.ven("opt", "cancel", seen["opt_id"])
    wait("the VEN to come back in", lambda: desks.answer_to(event_id) == ("optIn", ""))
    assert desks.vtn_json("opt", "list")[0]["status"] == "cancelled"
    desks.ven("opt", "event", event_id, "out", "--resource", "gateway-1", "--reason", "mustRun")
    wait("the VTN to hear it", lambda: bool(desks.vtn_json("event", "show", event_id)["qualifications"]))
    (part,) = desks.vtn_json("event", "show", event_id)["qualifications"]
    assert (part["type"], part["reason"], part["scope"]["targets"]) == ("optOut", "mustRun", [["group", "gateway-1"]])
    desks.vtn("stop")


@pytest.mark.openadr20b("R401", "R403", "R405", "R407", "G5", "G7", "G8", "Q1")
def test_registrations_are_ended_and_begun_from_both_sides(desks: Desks) -> None:
    wait = desks.lab.processes.wait_until
    first = desks.registration_id()
    desks.vtn("party", "poll-interval", VEN_NAME, "2")
    wait("the VEN to register again", lambda: "every 2 s" in desks.ven("registration", "show"))
    assert desks.registration_id() == first
    assert desks.vtn_json("party", "show", VEN_NAME)["waiting"] == []

    desks.vtn("party", "cancel-registration", VEN_NAME)
    wait("the VEN to confirm, and to come back", lambda: desks.registration_id() not in {None, first})

    desks.ven("registration", "leave")
    wait("the VEN to leave", lambda: desks.registration_id() is None)
    assert "to stay away" in desks.ven("registration", "show")
    desks.ven("registration", "join")
    wait("the VEN to come back", lambda: desks.registration_id() is not None)
