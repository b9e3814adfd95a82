"""An operator's IEEE 2030.5 commands against a VTN that runs, and a device that connects with its own certificate."""

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from lxml import etree

from openadr_core.identity import Peer, peer_of
from openadr_core.sep2.controls import DERControlList, DERProgramList
from openadr_core.sep2.decode import read
from openadr_core.sep2.devices import EndDeviceList, Registration
from openadr_core.sep2.encode import encode
from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.responses import DERControlResponse
from openadr_core.sep2.server import DeviceCapability, Time
from openadr_core.shell.tls import Chain, client_context
from tests.free_ports import free_ports
from tests.vtn.cli.conftest import Utility, init

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFiles:
    chain: Chain
    trust: Path

    @property
    def peer(self) -> Peer:
        first = self.chain.certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        return peer_of(ssl.PEM_cert_to_DER_cert(first))


OWNER = "solar-co"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A 2030.5 client."""

    http: httpx.Client
    peer: Peer

    def get(self, path: str, kind: type[T]) -> T:
        answer = self.http.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        found = read(etree.fromstring(answer.content))
        assert isinstance(found, kind)
        return found


@pytest.fixture(scope="module")
def utility(start: Callable[[Path], Utility], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Utility]:
    """One that speaks 2030.5 too."""
    folder = tmp_path_factory.mktemp("sep2") / "utility"
    config = init(folder, "--sep2-pen", "28547", "--sep2-port", str(free_ports(1)[0]))
    config.write_text(
        config.read_text().replace('time_zone = "UTC"', 'time_zone = "Australia/Sydney"\nlab_clock = true')
    )
    running = start(config)
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0


@pytest.fixture(scope="module")
def lab(utility: Utility) -> DeviceFiles:
    """An inverter's certificate, as the command mints it."""
    folder = utility.folder / "inverter"
    told = utility.run(
        "certificate", "mint", "--profile", "sep2-device", "--name", "inverter", "--out", str(folder),
        "--authorities", str(utility.folder / "certs"),
    )  # fmt: skip
    files = DeviceFiles(
        chain=Chain(certificate=folder / "inverter.pem", key=folder / "inverter.key"), trust=folder / "trust.pem"
    )
    assert files.peer.lfdi in told
    assert str(files.peer.sfdi) in told
    return files


@pytest.fixture(scope="module")
def stranger(utility: Utility, lab: DeviceFiles) -> Iterator[Device]:
    context = client_context("sep2-strict", lab.chain, [lab.trust])
    with httpx.Client(verify=context, base_url=utility.ready["sep2"], trust_env=False) as http:
        yield Device(http=http, peer=lab.peer)


@pytest.fixture
def device(utility: Utility, stranger: Device) -> Device:
    """Let in, by whichever of these tests came first."""
    if not any(one["name"] == OWNER for one in utility.read("party", "list")):
        stranger.get("/dcap", DeviceCapability)
        let_in(utility, stranger)
    return stranger


def let_in(utility: Utility, device: Device) -> str:
    """Who has knocked is approved and gets a place; what the command says."""
    (knocked,) = utility.read("party", "list")
    assert knocked["certificates"][0]["lfdi"] == device.peer.lfdi
    utility.run("party", "approve", knocked["id"], "--name", OWNER)
    utility.run("device", "add-group", "system", "--primacy", "9")
    utility.run("device", "add-group", "feeder-7", "--in", "system", "--primacy", "3")
    return utility.run("device", "add", OWNER, device.peer.lfdi, "--group", "feeder-7", "--pin", "111115")


def test_a_device_goes_from_stranger_to_answer(utility: Utility, stranger: Device) -> None:
    device = stranger
    capability = device.get("/dcap", DeviceCapability)
    assert capability.end_device_list_link is not None
    assert capability.end_device_list_link.all == 0
    assert device.http.get("/edev").status_code == 403
    added = let_in(utility, device)
    assert str(device.peer.sfdi) in added

    capability = device.get("/dcap", DeviceCapability)
    assert capability.end_device_list_link is not None
    (own,) = device.get(f"{capability.end_device_list_link.href}?l=5", EndDeviceList).end_device
    assert own.registration_link is not None
    assert own.function_set_assignments_list_link is not None
    assert device.get(own.registration_link.href, Registration).pin == 111115
    programs = device.get(f"{own.function_set_assignments_list_link.href}/1/derp?l=9", DERProgramList)
    assert [program.description for program in programs.der_program] == ["feeder-7", "system"]

    made = utility.run("control", "create", "feeder-7", "opModExpLimW=100000", "--duration", "5m")
    link = programs.der_program[0].der_control_list_link
    assert link is not None
    (control,) = device.get(f"{link.href}?l=9", DERControlList).der_control
    assert control.mrid in made
    limit = control.der_control_base.op_mod_exp_lim_w
    assert limit is not None
    assert (limit.value, limit.multiplier) == (10_000, 1)

    said = DERControlResponse(end_device_lfdi=device.peer.lfdi, status=1, subject=control.mrid, created_date_time=5)
    body = encode(said, csipaus=CsipAus.V1_2)
    answer = device.http.post(str(control.reply_to), content=body, headers={"Content-Type": "application/sep+xml"})
    assert (answer.status_code, answer.content) == (201, b"")
    (shown,) = utility.read("control", "list", "feeder-7")
    assert (shown["status"], shown["responses"][0]["lfdi"]) == ("active", device.peer.lfdi)
    assert "opModExpLimW 100 kW" in utility.run("control", "list", "feeder-7")
    utility.run("control", "cancel", control.mrid)
    assert utility.read("control", "list", "feeder-7")[0]["status"] == "cancelled"
    (control,) = device.get(f"{link.href}?l=9", DERControlList).der_control
    assert control.event_status.current_status == 2


def test_a_laboratory_moves_the_time(utility: Utility, device: Device) -> None:
    before = device.get("/tm", Time)
    assert before.quality == 7
    assert "3600 s ahead" in utility.run("device", "clock", "--ahead", "3600")
    assert device.get("/tm", Time).current_time >= before.current_time + 3600
    assert utility.read("device", "clock")["ahead_s"] == 3600
    utility.run("device", "clock", "--ahead", "0")
    assert device.get("/tm", Time).current_time < before.current_time + 3600


def test_rates_of_everybody_of_a_group_and_of_a_device(utility: Utility, device: Device) -> None:
    utility.run("device", "rate", "EndDeviceList", "60")
    assert device.get("/edev?l=5", EndDeviceList).poll_rate == 60
    utility.run("device", "rate", "EndDeviceList", "50", "--group", "system")
    assert device.get("/edev?l=5", EndDeviceList).poll_rate == 50
    assert "EndDeviceList 50 s" in utility.run("device", "groups")
    utility.run("device", "rate", "EndDeviceList", "40", "--device", device.peer.lfdi)
    assert device.get("/edev?l=5", EndDeviceList).poll_rate == 40
    assert "EndDeviceList 40 s" in utility.run("device", "show", device.peer.lfdi)
    utility.run("device", "rate", "EndDeviceList", "--take-back", "--device", device.peer.lfdi)
    assert "group system" in utility.run("device", "rates", "--device", device.peer.lfdi)
    assert utility.read("device", "rates")["EndDeviceList"] == 60
    assert "say either" in utility.run("device", "rate", "EndDeviceList", status=2)
    assert "name one of them" in utility.run("device", "rates", "--device", "x", "--group", "y", status=2)


def test_defaults_curves_and_removal(utility: Utility, device: Device, tmp_path: Path) -> None:
    default, curve = tmp_path / "default.json", tmp_path / "curve.json"
    default.write_text(json.dumps({"DERControlBase": {"opModImpLimW": 1500}, "setGradW": 27}))
    utility.run("control", "default", "system", str(default))
    points = [{"xvalue": 92, "yvalue": 44}, {"xvalue": 108, "yvalue": -44}]
    curve.write_text(
        json.dumps({"curveType": 11, "xMultiplier": 0, "yMultiplier": 0, "yRefType": 2, "CurveData": points})
    )
    assert "opModImpLimW 1.5 kW, setGradW 0.27 %" in utility.run("control", "defaults")
    assert json.loads(utility.run("control", "show-default", "system")) == json.loads(default.read_text())
    assert "at version 1" in utility.run("control", "default", "system", str(default))
    utility.run("control", "remove-default", "system")
    assert "No group has a default" in utility.run("control", "defaults")
    href = utility.run("control", "curve", "feeder-7", str(curve)).split()[-1].rstrip(".")
    assert device.http.get(href).status_code == 200
    number = href.split("/")[-1]
    assert "VoltVar" in utility.run("control", "curves")
    assert json.loads(utility.run("control", "show-curve", "feeder-7", number, "--json")) == json.loads(
        curve.read_text()
    )
    assert "108.0" in utility.run("control", "show-curve", "feeder-7", number)
    curve.write_text(curve.read_text().replace("{", '{"description": "summer", ', 1))
    assert "to version 1" in utility.run("control", "change-curve", "feeder-7", number, str(curve))
    utility.run("control", "create", "feeder-7", f'opModVoltVar={{"href":"{href}"}}', "--duration", "5m")
    assert "opModVoltVar summer" in utility.run("control", "list", "feeder-7")
    assert "in use" in utility.run("control", "remove-curve", "feeder-7", number, status=1)
    curve.write_text("{")
    assert "is no JSON" in utility.run("control", "curve", "feeder-7", str(curve), status=2)
    assert "is not known here" in utility.run(
        "control", "create", "feeder-7", "opModToast=1", "--duration", "5m", status=1
    )
    (known,) = utility.read("device", "list")
    assert known["groups"] == ["feeder-7"]
    assert "feeder-7" in utility.run("device", "groups")
    utility.run("device", "aggregator", "solar-co", "28547", "--domain", "solar-co.example")
    refused = utility.run("device", "aggregator", "solar-co", "28547", "--domain", "https://x.example/", status=1)
    assert "a domain is the name of one" in refused
    assert "solar-co.example" in utility.run("device", "aggregators")
    utility.run("device", "withdraw-aggregator", "solar-co")
    assert "There is none" in utility.run("device", "aggregators")
    assert "It mirrors none" in utility.run("device", "meters", device.peer.lfdi)
    utility.run("device", "change", device.peer.lfdi, "--no-access")
    assert device.http.get(known["href"]).status_code == 404
    utility.run("device", "change", device.peer.lfdi, "--access", "--no-group", "--post-rate", "30")
    shown = utility.run("device", "show", device.peer.lfdi)
    assert "(none)" in shown
    assert "feeder-7" not in shown
    utility.run("device", "remove", device.peer.lfdi)
    utility.run("device", "remove-group", "feeder-7")
    utility.run("device", "remove-group", "system")
    assert "No group yet" in utility.run("device", "groups")


def test_http_is_as_the_standard_wants_it(device: Device) -> None:
    head = device.http.head("/dcap")
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "application/sep+xml")
    assert int(head.headers["content-length"]) == len(device.http.get("/dcap").content)
    refused = device.http.delete("/dcap")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert device.http.get("/tp").status_code == 404
    assert device.http.get("/csipaus-1.3/dcap").status_code == 200


def test_another_suite_is_not_spoken(utility: Utility, lab: DeviceFiles) -> None:
    context = client_context("sep2-compat", lab.chain, [lab.trust])
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{utility.ready['sep2']}/dcap", verify=context, trust_env=False)


def test_without_a_certificate_there_is_no_handshake(utility: Utility, lab: DeviceFiles) -> None:
    context = client_context("sep2-strict", None, [lab.trust])
    with pytest.raises((httpx.ConnectError, httpx.ReadError)):
        httpx.get(f"{utility.ready['sep2']}/dcap", verify=context, trust_env=False)
