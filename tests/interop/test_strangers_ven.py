"""Somebody else's VEN, the client of the openleadr package, against our VTN over mutual TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.lab import MARKET_CONTEXT, Lab, Ports
from tests.rig import VTN_SETTINGS

NAME = "stranger"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(folder=tmp_path / "lab", ports=Ports.free(), vtn_settings=VTN_SETTINGS)
    try:
        made.make_vtn()
        made.start_vtn()
        certificate = made.mint(NAME)
        made.processes.start(
            NAME, "demo.stranger", "--name", NAME, "--vtn", made.vtn_url,
            "--certificate", certificate, "--key", certificate.with_suffix(".key"), "--trust", made.authority,
        )  # fmt: skip
        yield made
    finally:
        made.processes.stop_all()


def test_it_knocks_is_let_in_and_answers_events(lab: Lab) -> None:
    def parties() -> list[dict[str, object]]:
        found: list[dict[str, object]] = lab.operator_json("party", "list")
        return found

    lab.processes.wait_until("the stranger to knock", lambda: bool(parties()))
    (party,) = parties()
    assert (party["name"], party["state"], party["registered_at"]) == (NAME, "pending", None)
    lab.operator_command("party", "approve", NAME)
    lab.processes.wait_until("the stranger to register", lambda: bool(parties()[0]["registered_at"]))
    lab.operator_command("program", "create", "levels", "--market-context", MARKET_CONTEXT)

    def opts_of(event_id: str) -> list[object]:
        return [row["opt"] for row in lab.operator_json("event", "show", event_id)["ledger"]]

    created = lab.operator_json(
        "event", "create", "--program", "levels", "--payload-type", "SIMPLE", "--value", "2", "--duration", "60s"
    )
    event_id = created["id"]
    lab.processes.wait_until("its answer", lambda: any(opts_of(event_id)))
    (opt,) = opts_of(event_id)
    assert isinstance(opt, dict)
    assert (opt["type"], opt["version"], opt["code"]) == ("optIn", 0, "200")

    lab.operator_command("stop")
    lab.processes.wait_until("its answer to the cancellation", lambda: len([o for o in opts_of(event_id) if o]) == 2)
    assert lab.operator_json("event", "show", event_id)["status"] == "cancelled"
