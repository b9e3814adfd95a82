"""Reports between our VTN and our VEN as they run: processes, TLS, the operator's command line, real devices' data."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.lab import VEN_NAME, Lab
from tests.rig import running_lab

WAIT_S = 45


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("reports")) as lab:
        yield lab


def wait_for(lab: Lab, what: str, found: Callable[[], bool]) -> None:
    lab.processes.wait_until(what, found, wait_s=WAIT_S)


def request_of(lab: Lab, request_id: str) -> dict[str, Any]:
    (found,) = [one for one in lab.operator_json("report", "requests", VEN_NAME) if one["id"] == request_id]
    return dict(found)


@pytest.mark.openadr20b("R-8", "R-10", "R-24", "R335", "R345")
def test_an_operator_has_a_report_made_and_ended(lab: Lab, tmp_path: Path) -> None:
    offers = {one["specifier"]: one["name"] for one in lab.operator_json("report", "offers", VEN_NAME)}
    assert sorted(offers.values()) == ["HISTORY_USAGE", "TELEMETRY_STATUS", "TELEMETRY_USAGE"]
    asked = lab.operator_json(
        "report", "request", VEN_NAME, "fleet_usage", "--point", "energy", "--granularity", "2s", "--back", "2s"
    )
    wait_for(lab, "the report", lambda: request_of(lab, asked["id"])["received_at"] is not None)
    assert request_of(lab, asked["id"])["state"] == "pending"
    readings = lab.operator_json("report", "readings", VEN_NAME, "--measurand", "usage")
    assert {one["quality"] for one in readings} <= {"good", "estimated"}
    assert {one["unit"] for one in readings} == {"W", "Wh"}
    file = tmp_path / "out.csv"
    lab.operator_command("report", "readings", VEN_NAME, "--csv", str(file))
    with file.open(newline="") as lines:
        assert len(list(csv.DictReader(lines))) >= len(readings)
    lab.operator_command("report", "cancel", VEN_NAME, asked["id"], "--one-more")
    wait_for(lab, "the end", lambda: request_of(lab, asked["id"])["state"] == "cancelled")


@pytest.mark.openadr20b("R-6", "R306")
def test_the_ven_offers_anew_when_it_is_asked(lab: Lab) -> None:
    before = {one["id"] for one in lab.operator_json("report", "requests", VEN_NAME) if one["state"] == "pending"}
    lab.operator_command("report", "ask-metadata", VEN_NAME)

    def renewed() -> bool:
        waiting = lab.operator_json("party", "show", VEN_NAME)["waiting"]
        running = {one["id"] for one in lab.operator_json("report", "requests", VEN_NAME) if one["state"] == "pending"}
        return "CreateReport" not in {one["kind"] for one in waiting} and bool(running)

    wait_for(lab, "the metadata", renewed)
    assert before, "the VTN asked for telemetry at registration"


@pytest.mark.openadr20b("R-21")
def test_the_ven_says_how_its_resources_stand(lab: Lab) -> None:
    asked = lab.operator_json(
        "report", "request", VEN_NAME, "fleet_status", "--granularity", "10s", "--back", "10s"
    )  # fmt: skip
    wait_for(lab, "the report", lambda: request_of(lab, asked["id"])["received_at"] is not None)
    found = lab.operator_json("report", "status", VEN_NAME)
    assert len({one["source"] for one in found}) == 2
    assert {(one["online"], one["manual_override"]) for one in found} == {(True, False)}
