"""One event of the operator's command line, acted on by a VEN of 2.0b and read by a CSIP-AUS inverter: real TLS.

The inverter is a plain client: it follows links from DeviceCapability over TLS 1.2 with CCM-8, and answers.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from demo.lab import VEN_NAME, Lab, Ports
from demo.processes import run_command
from openadr_core.identity import Peer, peer_of
from openadr_core.sep2.controls import DERControl, DERControlList, DERProgramList
from openadr_core.sep2.decode import read
from openadr_core.sep2.devices import EndDeviceList, FunctionSetAssignmentsList
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.power import magnitude
from openadr_core.sep2.responses import DERControlResponse
from openadr_core.sep2.server import DeviceCapability
from tests.rig import PROGRAM, running_lab

T = TypeVar("T")
pytestmark = pytest.mark.timeout(400)  # six processes that start, and the machine may have other work
WAIT_S = 60
LOOK_EVERY_S = 1.0
INVERTER = "inverter-1"
INJECTED_W = 60_000
EXPORT_W = 1_500
LASTS_S = 600
MEDIA_TYPE = "application/sep+xml"
RECEIVED, STARTED, OPT_OUT = 1, 2, 4
CANCELLED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverter:
    http: httpx.Client
    peer: Peer

    def get(self, path: str, kind: type[T]) -> T:
        answer = self.http.get(path, headers={"accept": MEDIA_TYPE})
        assert answer.status_code == 200, (path, answer.status_code)
        found = read(etree.fromstring(answer.content))
        assert isinstance(found, kind)
        return found

    def controls(self) -> list[DERControl]:
        """By links alone, of every program."""
        capability = self.get("/csipaus-1.2/dcap", DeviceCapability)
        assert capability.end_device_list_link is not None
        (itself,) = self.get(f"{capability.end_device_list_link.href}?l=10", EndDeviceList).end_device
        link = itself.function_set_assignments_list_link
        assert link is not None
        if not link.all:
            return []  # nothing was ever asked of it
        path = link.href
        (assignment,) = self.get(f"{path}?l=10", FunctionSetAssignmentsList).function_set_assignments
        assert assignment.der_program_list_link is not None
        found: list[DERControl] = []
        for program in self.get(f"{assignment.der_program_list_link.href}?l=10", DERProgramList).der_program:
            assert program.der_control_list_link is not None
            found += self.get(f"{program.der_control_list_link.href}?l=10", DERControlList).der_control
        return found

    def respond(self, control: DERControl, status: int) -> None:
        assert control.reply_to is not None
        response = DERControlResponse(
            created_date_time=int(time.time()), end_device_lfdi=self.peer.lfdi, status=status, subject=control.mrid
        )
        body = encode(response, csipaus=CsipAus.V1_2)
        answer = self.http.post(control.reply_to, content=body, headers={"content-type": MEDIA_TYPE})
        assert answer.status_code == 201


@pytest.fixture(scope="module")
def port() -> int:
    return Ports.free().parties


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("bridge"), init=("--sep2-pen", "28547", "--sep2-port", str(port))) as lab:
        yield lab


@pytest.fixture(scope="module")
def inverter(lab: Lab, port: int) -> Iterator[Inverter]:
    folder = lab.folder / "certificates"
    run_command(
        "openadr_vtn", "certificate", "mint", "--profile", "sep2-device", "--name", INVERTER,
        "--authorities", lab.vtn / "certs", "--out", folder,
    )  # fmt: skip
    certificate = x509.load_pem_x509_certificate((folder / f"{INVERTER}.pem").read_bytes())
    peer = peer_of(certificate.public_bytes(Encoding.DER), subject="")
    context = ssl.create_default_context(cafile=str(folder / "trust.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
    context.load_cert_chain(folder / f"{INVERTER}.pem", folder / f"{INVERTER}.key")
    with httpx.Client(base_url=f"https://localhost:{port}", verify=context) as http:
        http.get("/csipaus-1.2/dcap")
        waits = next(one for one in lab.operator_json("party", "list") if one["state"] == "pending")
        lab.operator_command("party", "approve", waits["id"], "--name", INVERTER)
        lab.operator_command("device", "add", INVERTER, peer.lfdi)
        yield Inverter(http=http, peer=peer)


def wait_for(lab: Lab, what: str, found: Callable[[], bool]) -> None:
    def look() -> bool:
        time.sleep(LOOK_EVERY_S)
        return found()

    lab.processes.wait_until(what, look, wait_s=WAIT_S)


def fleet_kw(lab: Lab, event_id: str) -> float:
    """What the devices of the VEN of 2.0b have given, as its own command line shows it."""
    if event_id not in lab.ven_command("event", "list"):
        return 0.0
    shown: dict[str, Any] = json.loads(lab.ven_command("event", "show", event_id, "--json"))
    return float((shown["delivered"] or {"delivered_w": 0.0})["delivered_w"]) / 1000


def ledger(lab: Lab, event_id: str, party: str) -> dict[str, Any]:
    """The newest news to the party."""
    rows: list[dict[str, Any]] = lab.operator_json("event", "show", event_id)["ledger"]
    return max((row for row in rows if row["party"] == party), key=lambda row: row["version"])


def asked(program_id: str) -> dict[str, Any]:
    payloads = [
        {"type": "DISPATCH_SETPOINT", "values": [-INJECTED_W / 1000]},
        {"type": "EXPORT_CAPACITY_LIMIT", "values": [EXPORT_W / 1000]},
    ]
    return {
        "programID": program_id,
        "intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": f"PT{LASTS_S}S"},
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": payload["type"], "units": "KW"}
            for payload in payloads
        ],
        "intervals": [{"id": 0, "payloads": payloads}],
    }


def test_one_event_is_acted_on_by_2_0b_and_by_a_csip_aus_client(lab: Lab, inverter: Inverter, tmp_path: Path) -> None:
    (program_id,) = [one["id"] for one in lab.operator_json("program", "list") if one["programName"] == PROGRAM]
    file = tmp_path / "event.json"
    file.write_text(json.dumps(asked(program_id)))
    preview = lab.operator_command("event", "create", "--file", file, "--dry-run")
    assert "IEEE 2030.5 (1 device)" in preview
    assert inverter.controls() == []
    made = lab.operator_json("event", "create", "--file", file)
    event_id = made["id"]

    target, limit = sorted(inverter.controls(), key=lambda one: one.der_control_base.op_mod_target_w is None)
    assert target.der_control_base.op_mod_target_w is not None
    assert magnitude(target.der_control_base.op_mod_target_w) == INJECTED_W
    assert limit.der_control_base.op_mod_exp_lim_w is not None
    assert magnitude(limit.der_control_base.op_mod_exp_lim_w) == EXPORT_W
    created_at = datetime.fromisoformat(made["createdDateTime"]).timestamp()
    for control in (target, limit):
        assert control.interval.duration == LASTS_S
        assert abs(control.interval.start - created_at) <= 1
        assert control.event_status.current_status == 1
    assert ledger(lab, event_id, INVERTER)["fetched_at"] is not None
    for status in (RECEIVED, STARTED, OPT_OUT):
        inverter.respond(target, status)
    row = ledger(lab, event_id, INVERTER)
    assert row["answered_at"] is not None
    assert (row["opt"]["type"], row["opt"]["reason"]) == ("optOut", "opted out")

    wait_for(lab, "the fleet of 2.0b", lambda: fleet_kw(lab, event_id) > 0)
    assert ledger(lab, event_id, VEN_NAME)["opt"]["type"] == "optIn"
    lab.operator_command("event", "cancel", event_id)
    assert {control.event_status.current_status for control in inverter.controls()} == {CANCELLED}
    wait_for(lab, "2.0b to let go", lambda: "cancelled" in lab.ven_command("event", "list"))
