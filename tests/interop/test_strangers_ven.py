"""Somebody else's VEN, the client of the openleadr package, at our VTN over mutual TLS: a VEN's whole life."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openleadr.utils import certificate_fingerprint

from demo.lab import Lab, Ports
from openadr_core.oadr2 import messages as m
from openadr_vtn.cli.operator_api import OperatorApi
from tests.interop.strangers import MODES, Mode, Stranger, documented, first_certificate, running
from tests.rig import VTN_SETTINGS

PROGRAM = {
    "objectType": "PROGRAM",
    "programName": "levels",
    "payloadDescriptors": [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "SIMPLE"}],
}


# Each step waits for what it can see, however long a busy machine takes.
pytestmark = [pytest.mark.timeout(400), pytest.mark.openadr20b("R514", "S7", "S8", "S9")]


@dataclass(slots=True, kw_only=True)
class Utility:
    """Our VTN and its operator, and the stranger's place in their books."""

    lab: Lab
    operator: OperatorApi
    mode: Mode

    @property
    def name(self) -> str:
        return f"stranger-{self.mode.name}"

    def party(self) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = (one for one in self.operator.admin("parties") if one["name"] == self.name)
        return found

    def tell(self, command: str, **wish: Any) -> None:
        self.operator.command(f"parties/{self.name}/{command}", wish)

    def event(self, start: datetime, *levels: int) -> bytes:
        """A document of OpenADR 3.1: each level for ten minutes."""
        period = {"start": start.isoformat(), "duration": "PT10M"}
        intervals = [
            {
                "id": index,
                "intervalPeriod": period | {"start": (start + index * timedelta(minutes=10)).isoformat()},
                "payloads": [{"type": "SIMPLE", "values": [level]}],
            }
            for index, level in enumerate(levels)
        ]
        program_id = self.operator.list("programs")[0]["id"]
        wanted = {"programID": program_id, "targets": [self.name], "intervals": intervals}
        return json.dumps({"objectType": "EVENT"} | wanted).encode()

    def opts(self, event_id: str) -> list[tuple[int, str, str]]:
        """Version, opt and code of each answer."""
        ledger = self.operator.admin(f"events/{event_id}")["ledger"]
        return [(row["opt"]["version"], row["opt"]["type"], row["opt"]["code"]) for row in ledger if row["opt"]]

    def reported_on(self, event_id: str) -> bool:
        """Whether the party has measured something during the event."""
        return any(row["reported_at"] for row in self.operator.admin(f"events/{event_id}")["ledger"])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(folder=tmp_path_factory.mktemp("interop") / "lab", ports=Ports.free(), vtn_settings=VTN_SETTINGS)
    try:
        made.make_vtn()
        made.start_vtn()
        OperatorApi(made.vtn / "operator.toml").write("POST", "programs", json.dumps(PROGRAM).encode())
        yield made
    finally:
        made.processes.stop_all()


@pytest.fixture(params=MODES, ids=lambda mode: mode.name)
def utility(lab: Lab, request: pytest.FixtureRequest) -> Utility:
    utility = Utility(lab=lab, operator=OperatorApi(lab.vtn / "operator.toml"), mode=request.param)
    lab.mint(utility.name, kind=utility.mode.kind)
    return utility


@contextmanager
def stranger_at(utility: Utility) -> Iterator[Stranger]:
    lab = utility.lab
    certificate = lab.folder / "certificates" / f"{utility.name}.pem"
    ours = first_certificate(lab.vtn / "certs" / "vtn-ecc.pem")
    signing = ["--vtn-fingerprint", certificate_fingerprint(ours)] if utility.mode.signed else []
    with running(
        "openleadr_ven.py", "--name", utility.name, "--vtn", lab.vtn_url, "--certificate", certificate,
        "--key", certificate.with_suffix(".key"), "--trust", lab.authority, *signing,
        log=lab.processes.logs / "stranger.log",
    ) as stranger:  # fmt: skip
        yield stranger


@pytest.mark.openadr20b("R401", "R402", "R403", "R404", "R407", "R517", "G1", "G2", "G3", "G7", "G10", "R301", "R344")
def test_it_lives_a_whole_life(utility: Utility) -> None:
    with stranger_at(utility) as ven:
        party = it_knocks_and_is_let_in(ven, utility)
        it_offers_reports_and_is_asked_for_them(ven)
        it_answers_events_and_reports_on_them(ven, utility)
        it_registers_again(ven, utility, party)
        it_is_sent_away(ven, utility)
        exchanged = ven.exchanged(self_as="VEN")
        assert {said.signed for said in ven.said} == {utility.mode.signed}
    with stranger_at(utility) as ven:
        it_comes_back_and_leaves(ven, utility, party)
        exchanged |= ven.exchanged(self_as="VEN")
        assert {said.signed for said in ven.said} == {utility.mode.signed}
    assert exchanged == documented("their VEN at our VTN")


def it_knocks_and_is_let_in(ven: Stranger, utility: Utility) -> dict[str, Any]:
    refused: m.CreatedPartyRegistration = ven.wait_for("oadrCreatedPartyRegistration", sent=False, count=2)
    assert (refused.response.response_code, refused.ven_id, refused.registration_id) == ("463", None, None)
    pending = utility.party()
    assert (pending["state"], pending["registered_at"]) == ("pending", None)
    utility.tell("approve")
    ven.wait_until("registration", lambda: bool(registrations(ven)))
    (registered,) = registrations(ven)
    assert (registered.response.response_code, registered.ven_id) == ("200", pending["id"])
    return utility.party()


def it_offers_reports_and_is_asked_for_them(ven: Stranger) -> None:
    asked: m.RegisteredReport = ven.wait_for("oadrRegisteredReport", sent=False)
    created: m.CreatedReport = ven.wait_for("oadrCreatedReport", sent=True)
    assert set(created.pending_report_request_ids) == {one.report_request_id for one in asked.report_requests}
    # Ours come with its first poll: none.
    ours: m.RegisterReport = ven.wait_for("oadrRegisterReport", sent=False)
    answer: m.RegisteredReport = ven.wait_for("oadrRegisteredReport", sent=True)
    assert ours.reports == ()
    assert answer.response.request_id == ours.request_id


def it_answers_events_and_reports_on_them(ven: Stranger, utility: Utility) -> None:
    operator = utility.operator
    start = datetime.now(UTC).replace(microsecond=0)
    event_id = operator.write("POST", "events", utility.event(start, 2, 2))["id"]
    ven.wait_until("its answer", lambda: (0, "optIn", "200") in utility.opts(event_id))
    operator.write("PUT", f"events/{event_id}", utility.event(start, 2, 1))
    ven.wait_until("its answer to the change", lambda: (1, "optIn", "200") in utility.opts(event_id))
    ven.wait_until("readings", lambda: utility.reported_on(event_id))
    it_qualifies_the_event(ven, event_id)
    operator.write("DELETE", f"events/{event_id}")
    ven.wait_until("its answer to the cancellation", lambda: (2, "optIn", "200") in utility.opts(event_id))
    assert operator.admin(f"events/{event_id}")["status"] == "cancelled"
    responses = [message.response.response_code for message in ven.messages("oadrResponse", sent=False)]
    assert set(responses) == {"200"}


def it_qualifies_the_event(ven: Stranger, event_id: str) -> None:
    ven.do(do="opt", opt_type="optOut", event_id=event_id, modification_number=1, opt_id="opt-event")
    created: m.CreatedOpt = ven.wait_for("oadrCreatedOpt", sent=False)
    assert (created.response.response_code, created.opt_id) == ("200", "opt-event")
    now = datetime.now(UTC).isoformat()
    ven.do(do="opt_for_a_time", opt_type="optOut", start=now, duration_s=3600, opt_id="opt-hour")
    scheduled: m.CreatedOpt = ven.wait_for("oadrCreatedOpt", sent=False, count=2)
    assert (scheduled.response.response_code, scheduled.opt_id) == ("200", "opt-hour")
    ven.do(do="cancel_opt", opt_id="opt-hour")
    cancelled: m.CanceledOpt = ven.wait_for("oadrCanceledOpt", sent=False)
    assert (cancelled.response.response_code, cancelled.opt_id) == ("200", "opt-hour")


def it_registers_again(ven: Stranger, utility: Utility, party: dict[str, Any]) -> None:
    utility.tell("request-reregistration")
    asked: m.RequestReregistration = ven.wait_for("oadrRequestReregistration", sent=False)
    assert asked.ven_id == party["id"]
    ven.wait_for("oadrResponse", sent=True)
    ven.wait_until("registration", lambda: len(registrations(ven)) == 2)
    before, after = registrations(ven)
    again: m.CreatePartyRegistration = ven.messages("oadrCreatePartyRegistration", sent=True)[-1]
    assert (again.ven_id, again.registration_id) == (party["id"], before.registration_id)
    assert (after.ven_id, after.registration_id) == (before.ven_id, before.registration_id)
    assert utility.party()["registered_at"]


def it_is_sent_away(ven: Stranger, utility: Utility) -> None:
    utility.tell("cancel-registration")
    cancelled: m.CanceledPartyRegistration = ven.wait_for("oadrCanceledPartyRegistration", sent=True)
    assert cancelled.response.response_code == "200"
    ven.wait_until("the end of its registration", lambda: utility.party()["registered_at"] is None)


def it_comes_back_and_leaves(ven: Stranger, utility: Utility, party: dict[str, Any]) -> None:
    ven.wait_for("oadrPoll", sent=True)
    ven.do(do="cancel_registration")
    ended: m.CanceledPartyRegistration = ven.wait_for("oadrCanceledPartyRegistration", sent=False)
    assert (ended.response.response_code, ended.ven_id) == ("200", party["id"])
    assert utility.party()["registered_at"] is None


def registrations(ven: Stranger) -> list[m.CreatedPartyRegistration]:
    """Those that were granted."""
    return [one for one in ven.messages("oadrCreatedPartyRegistration", sent=False) if one.registration_id]
