"""Our VEN with its fleet at somebody else's VTN, the server of the openleadr package, over mutual TLS."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from demo.lab import MARKET_CONTEXT, Lab, Ports
from openadr_core.oadr2 import messages as m
from tests.interop.strangers import MODES, Mode, Stranger, documented, running
from tests.rig import VEN_SETTINGS, write_small_fleet

NAME = "ours"
VEN_ID = f"VEN-{NAME}"


# Each step waits for what it can see, however long a busy machine takes.
pytestmark = [pytest.mark.timeout(400), pytest.mark.openadr20b("R514", "S7", "S8", "S9")]


@dataclass(slots=True, kw_only=True)
class Abroad:
    lab: Lab
    vtn: Stranger
    mode: Mode

    def wish(self, **wish: Any) -> str:
        """What their operator does; the id of the event, if it is about one."""
        answer = httpx.post(self.vtn.facts[0]["control"], json={"ven_id": VEN_ID} | wish, timeout=30)
        return answer.raise_for_status().text

    def opts(self, event_id: str) -> list[tuple[int, str, str]]:
        """Version, opt and code of each of our answers."""
        return [
            (one.modification_number, one.opt_type, one.response_code)
            for message in self.vtn.messages("oadrCreatedEvent", sent=False)
            for one in message.event_responses
            if one.event_id == event_id
        ]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Our fleet, and certificates for a VTN that is not ours."""
    folder = tmp_path_factory.mktemp("abroad")
    made = Lab(folder=folder / "lab", ports=Ports.free())
    try:
        fleet = write_small_fleet(folder / "fleet.csv")
        made.make_vtn()
        made.start_broker()
        made.start_simulator("--fleet", fleet)
        made.make_ven(fleet)
        yield made
    finally:
        made.processes.stop_all()


@pytest.fixture(params=MODES, ids=lambda mode: mode.name)
def abroad(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Abroad]:
    mode: Mode = request.param
    certificates, logs = lab.vtn / "certs", lab.processes.logs
    ours = lab.mint(f"{NAME}-{mode.name}", kind=mode.kind)
    root = certificates / f"openadr-{mode.kind}-root.pem"
    with running(
        "openleadr_vtn.py", "serve", "--tell", "--poll-s", "1", "--port", str(lab.ports.parties),
        "--certificate", certificates / f"vtn-{mode.kind}.pem", "--key", certificates / f"vtn-{mode.kind}.key",
        "--trust", root, "--enrol", NAME, ours, *(["--signed"] if mode.signed else []),
        log=logs / "stranger.log",
    ) as vtn:  # fmt: skip
        vtn.wait_until("the VTN", lambda: bool(vtn.facts))
        lab.ven_settings = VEN_SETTINGS | {
            "OPENADR_VEN_STORE": f"sqlite:///{lab.ven / mode.name}.db",
            "OPENADR_VEN_VTN__CERTIFICATE": str(ours),
            "OPENADR_VEN_VTN__KEY": str(ours.with_suffix(".key")),
            "OPENADR_VEN_VTN__TRUST": str(root),
            "OPENADR_VEN_VTN__FINGERPRINTS": json.dumps([lab.vtn_fingerprint(kind=mode.kind)]),
            "OPENADR_VEN_VTN__SIGNATURES": "require" if mode.signed else "off",
        }
        lab.start_ven()
        try:
            yield Abroad(lab=lab, vtn=vtn, mode=mode)
        finally:
            lab.processes.stop("ven")


@pytest.mark.openadr20b("R405", "R407", "R501", "R12", "R42", "R43", "R56", "R57", "R329", "R336", "G5", "G7", "T14")
def test_it_lives_a_whole_life_there(abroad: Abroad) -> None:
    we_register_and_offer_reports(abroad.vtn)
    we_report(abroad.vtn)
    we_answer_events(abroad)
    we_are_asked_for_one_report_more(abroad)
    we_stop_a_report(abroad)
    we_register_again(abroad)
    we_are_sent_away_and_come_back(abroad)
    assert {said.signed for said in abroad.vtn.said} == {abroad.mode.signed}
    assert abroad.vtn.exchanged(self_as="VTN") == documented("our VEN at their VTN")


def we_register_and_offer_reports(vtn: Stranger) -> None:
    registered: m.CreatedPartyRegistration = vtn.wait_for("oadrCreatedPartyRegistration", sent=True)
    assert (registered.response.response_code, registered.ven_id) == ("200", VEN_ID)
    asked: m.RegisteredReport = vtn.wait_for("oadrRegisteredReport", sent=True)
    created: m.CreatedReport = vtn.wait_for("oadrCreatedReport", sent=False)
    assert set(created.pending_report_request_ids) == {one.report_request_id for one in asked.report_requests}
    vtn.wait_for("oadrRequestEvent", sent=False)
    vtn.wait_for("oadrPoll", sent=False, count=2)


def we_report(vtn: Stranger) -> None:
    vtn.wait_until("two reports", lambda: len(readings(vtn)) >= 2)
    vtn.wait_for("oadrUpdatedReport", sent=True, count=2)
    assert {fact["r_id"] for fact in readings(vtn)} == {"power"}
    assert all(len(fact["readings"]) == 2 for fact in readings(vtn))


def we_answer_events(abroad: Abroad) -> None:
    wish = {"start": datetime.now(UTC).isoformat(), "durations_s": [600], "values": [1.0]}
    event_id = abroad.wish(
        action="create", signal_name="SIMPLE", signal_type="level", market_context=MARKET_CONTEXT, **wish
    )
    abroad.vtn.wait_until("our answer", lambda: (0, "optIn", "200") in abroad.opts(event_id))
    abroad.vtn.wait_until("its user's word", lambda: {"event": event_id, "opt": "optIn"} in abroad.vtn.facts)
    abroad.wish(action="modify", event_id=event_id, **wish | {"values": [2.0]})
    abroad.vtn.wait_until("our answer to the change", lambda: (1, "optIn", "200") in abroad.opts(event_id))
    abroad.wish(action="cancel", event_id=event_id)
    abroad.vtn.wait_until("our answer to the cancellation", lambda: (2, "optIn", "200") in abroad.opts(event_id))


def we_are_asked_for_one_report_more(abroad: Abroad) -> None:
    offered: m.RegisterReport = abroad.vtn.messages("oadrRegisterReport", sent=False)[0]
    usage = next(one for one in offered.reports if one.report_name == "METADATA_TELEMETRY_USAGE")
    specifier = {
        "report_specifier_id": usage.report_specifier_id,
        "granularity": "PT0S",
        "report_back_duration": "PT0S",
        "specifier_payloads": [{"r_id": "power", "reading_type": "x-notApplicable"}],
    }
    request = {"report_request_id": "once", "report_specifier": specifier}
    abroad.wish(action="say", payload="oadrCreateReport", fields={"report_requests": [request]})
    asked: m.CreateReport = abroad.vtn.wait_for("oadrCreateReport", sent=True)
    created: m.CreatedReport = abroad.vtn.wait_for("oadrCreatedReport", sent=False, count=2)
    assert (created.response.response_code, created.response.request_id) == ("200", asked.request_id)
    abroad.vtn.wait_until("the one report", lambda: "once" in reported(abroad.vtn))


def we_stop_a_report(abroad: Abroad) -> None:
    (periodic,) = reported(abroad.vtn) - {"once"}
    wish = {"report_request_id": periodic, "report_to_follow": False}
    abroad.wish(action="say", payload="oadrCancelReport", fields=wish)
    asked: m.CancelReport = abroad.vtn.wait_for("oadrCancelReport", sent=True)
    cancelled: m.CanceledReport = abroad.vtn.wait_for("oadrCanceledReport", sent=False)
    assert (cancelled.response.response_code, cancelled.response.request_id) == ("200", asked.request_id)
    assert periodic not in cancelled.pending_report_request_ids
    # It knows no oadrCanceledReport, and says so (459): that must not trouble us.
    abroad.vtn.wait_for("oadrPoll", sent=False, count=len(abroad.vtn.messages("oadrPoll", sent=False)) + 2)


def we_register_again(abroad: Abroad) -> None:
    before: m.CreatedPartyRegistration = abroad.vtn.messages("oadrCreatedPartyRegistration", sent=True)[-1]
    abroad.wish(action="say", payload="oadrRequestReregistration", fields={})
    again: m.CreatePartyRegistration = abroad.vtn.wait_for("oadrCreatePartyRegistration", sent=False, count=2)
    assert (again.ven_id, again.registration_id) == (VEN_ID, before.registration_id)
    assert abroad.vtn.messages("oadrResponse", sent=False)


def we_are_sent_away_and_come_back(abroad: Abroad) -> None:
    before: m.CreatedPartyRegistration = abroad.vtn.messages("oadrCreatedPartyRegistration", sent=True)[-1]
    wish = {"registration_id": before.registration_id}
    abroad.wish(action="say", payload="oadrCancelPartyRegistration", fields=wish)
    asked: m.CancelPartyRegistration = abroad.vtn.wait_for("oadrCancelPartyRegistration", sent=True)
    cancelled: m.CanceledPartyRegistration = abroad.vtn.wait_for("oadrCanceledPartyRegistration", sent=False)
    assert (cancelled.response.response_code, cancelled.response.request_id) == ("200", asked.request_id)
    # G8: after a while it tries again, as somebody new.
    again: m.CreatePartyRegistration = abroad.vtn.wait_for("oadrCreatePartyRegistration", sent=False, count=3)
    assert again.registration_id is None
    abroad.vtn.wait_for("oadrRegisterReport", sent=False, count=2)


def readings(vtn: Stranger) -> list[dict[str, Any]]:
    return [fact for fact in vtn.facts if "readings" in fact]


def reported(vtn: Stranger) -> set[str]:
    """The requests that we have reported on."""
    messages: list[m.UpdateReport] = vtn.messages("oadrUpdateReport", sent=False)
    return {report.report_request_id for message in messages for report in message.reports}
