"""The harness judges this project's own client of 2030.5 from outside."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.__main__ import cli as conformance
from conformance.api.ven_steps import Store
from conformance.client.address import Address, peer_shown_by
from conformance.client.line import Line
from conformance.client.steps import Identity
from conformance.loading import load_suite
from conformance.outcomes import Verdict
from conformance.procedure import flattened
from conformance.queries import rendered
from conformance.schema import sep2_schema_fault
from conformance.sep2.client_run import ClientTarget, run_suite
from conformance.sep2.script import Sep2Script
from conformance.server.certificates import foreign_twin
from conformance.server.listening import Listening
from conformance.server.steps import Shown
from conformance.ven.run import Patience
from demo.lab import FLEET, Lab, Ports
from demo.processes import run_command
from openadr_core.sep2.extensions import pass_over
from openadr_core.sep2.names import CsipAus
from openadr_core.shell.tls import Chain, server_context
from openadr_core.xml.parse import parse
from tests.rig import VEN_SETTINGS, write_small_fleet

SUITE = load_suite("ieee2030_5-client")
CLIENT, PIN = "aggregator", "111115"
MANAGED = {f"{number:032X}00028547": f"battery-{number}" for number in (1, 2)}
STRANGE = "https://utility.example/next"
"""Of a namespace that no client knows."""
OVER_SOCKETS = (
    "pin", "discovery", "links", "control", "lost", "redirected", "impostor", "mirror", "default", "in-band",
    "managed", "subscribed", "poll-rate",
)  # fmt: skip
"""All others are kept by its core alone, in a time of its own (``test_our_sep2_core``)."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Certificates of 2030.5, and devices behind a broker."""
    lab = Lab(folder=tmp_path / "lab", ports=Ports.free(), vtn_settings={}, ven_settings={})
    try:
        lab.make_vtn("--sep2-pen", "28547", "--sep2-port", str(lab.ports.oadr3 + 10_000))
        run_command(
            "openadr_vtn", "certificate", "mint", "--profile", "sep2-device", "--name", CLIENT,
            "--authorities", lab.vtn / "certs", "--out", lab.folder / "client",
        )  # fmt: skip
        lab.start_broker()
        lab.start_simulator("--fleet", write_small_fleet(tmp_path / "fleet.csv"))
        yield lab
    finally:
        lab.processes.stop_all()


def own_chain(lab: Lab) -> Chain:
    certificate = lab.vtn / "certs" / "sep2.pem"
    return Chain(certificate=certificate, key=certificate.with_suffix(".key"))


def reach_of(lab: Lab) -> Callable[[str], Line]:
    """As a utility's server reaches its clients."""
    return lambda origin: Line(
        Address(
            url=origin,
            trust=trust_of(lab),
            certificates={Identity.ENROLLED: own_chain(lab)},
            profile="sep2-strict",
            is_named=False,
        ),
        Identity.ENROLLED,
    )


def trust_of(lab: Lab) -> Path:
    return lab.folder / "client" / "trust.pem"


def target_of(lab: Lab) -> ClientTarget:
    return ClientTarget(
        peer=peer_shown_by(lab.folder / "client" / f"{CLIENT}.pem"), pin=PIN, power_w=20_000,
        subscribes=True, in_band=True, managed=tuple(MANAGED), patience=Patience(connect_s=60, answer_s=30),
    )  # fmt: skip


def start_client(lab: Lab, fleet: Path, port: int) -> None:
    folder, certificates = lab.folder / CLIENT, lab.folder / "client"
    run_command(
        "openadr_ven", "init", folder, "--protocol", "sep2", "--vtn-url", f"https://localhost:{port}",
        "--certificate", certificates / f"{CLIENT}.pem", "--key", certificates / f"{CLIENT}.key",
        "--trust", trust_of(lab),
    )  # fmt: skip
    config = folder / "ven.toml"
    told_at = lab.ports.oadr3 + 11_000
    devices = folder / "devices.csv"
    devices.write_text("lfdi,name\n" + "".join(f"{lfdi},{name}\n" for lfdi, name in MANAGED.items()))
    run_command("openadr_ven", "fleet", "load", fleet, "--config", config)
    settings = {
        **{name: value for name, value in VEN_SETTINGS.items() if "VEN_VTN__" not in name},
        "OPENADR_VEN_SEP2__DCAP": "/entry",
        "OPENADR_VEN_SEP2__PIN": PIN,
        "OPENADR_VEN_SEP2__IN_BAND": "true",
        "OPENADR_VEN_SEP2__NOTIFICATIONS__ADDRESS": f"https://localhost:{told_at}",
        "OPENADR_VEN_SEP2__NOTIFICATIONS__PORT": str(told_at),
        "OPENADR_VEN_SEP2__DEVICES": str(devices),
        "OPENADR_VEN_SEP2__POST_RATE_S": "1",
        "OPENADR_VEN_SEP2__ENROLMENT_RETRY_S": "1",
        "OPENADR_VEN_GATEWAYS__PORT": str(lab.ports.broker),
        "OPENADR_VEN_CONSOLE__PORT": "0",
        "OPENADR_VEN_FLEET__NAME": FLEET,
    }
    lab.processes.start(CLIENT, "openadr_ven", "run", "--config", config, environment=settings)


@pytest.mark.ieee2030_5("T1", "T8", "T9", "C2", "C6", "C8", "C11", "E9", "L6", "M10")
def test_our_own_client_passes_over_sockets(lab: Lab, tmp_path: Path) -> None:
    script, target = Sep2Script(), target_of(lab)
    shown = {Shown.GOOD: own_chain(lab), Shown.FOREIGN: foreign_twin(own_chain(lab), tmp_path)}
    contexts = {(kind, False): server_context("sep2-strict", [chain], [trust_of(lab)]) for kind, chain in shown.items()}
    stage = Listening(host="127.0.0.1", port=0, contexts=contexts, script=script)
    try:
        start_client(lab, tmp_path / "fleet.csv", stage.port)
        outcomes = list(run_suite(SUITE, target, script, stage, reach=reach_of(lab), only=OVER_SOCKETS))
    finally:
        stage.close()
    told = {one.procedure.id: (one.verdict, one.reason, one.shortcomings) for one in outcomes}
    assert told == dict.fromkeys(OVER_SOCKETS, (Verdict.PASSED, "", {})), lab.processes.tail(CLIENT)


def test_a_client_that_does_not_come_fails(lab: Lab) -> None:
    chain = own_chain(lab)
    ended = CliRunner().invoke(
        conformance,
        ["run", "ieee2030_5-client", "--listen", "127.0.0.1:0", "--certificate", str(chain.certificate),
         "--key", str(chain.key), "--trust", str(trust_of(lab)), "--connect-s", "0.2", "--patience-s", "0.2",
         "--client-certificate", str(lab.folder / "client" / f"{CLIENT}.pem")],
    )  # fmt: skip
    assert ended.exit_code == 1
    assert "no GET ^/entry\\b came" in ended.output
    assert "blocked, 1 failed, 7 not run" in ended.output


STORED = [
    pytest.param(step, id=f"{name}, line {step.line}")
    for name, steps in [*SUITE.sequences.items(), *((one.id, one.steps) for one in SUITE.procedures)]
    for step in flattened(steps)
    if isinstance(step, Store)
]


@pytest.mark.parametrize("step", STORED)
def test_what_the_harness_serves_is_valid(step: Store) -> None:
    names = {*re.findall(r"\$\{([a-z_]+)", step.body)}
    facts = {
        **dict.fromkeys(names, "1800000000"),
        **{name: "3E4F45AB31EDFE5B67E343E500028547" for name in names if name.endswith("mrid")},
        **{name: "1" for name in names if name.endswith(("_value", "_zeros"))},
        "lfdi": "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5", "sfdi": "167261211391", "pin": PIN, "another_pin": PIN,
        "poll_rate": "1",
    }  # fmt: skip
    served = parse(rendered(step.body, facts, xml=True).encode())
    if STRANGE in step.body:
        assert sep2_schema_fault(served)
        pass_over(served, csipaus=CsipAus.V1_3)
    assert sep2_schema_fault(served) == ""


def test_who_speaks_nothing_australian_is_judged_without_it() -> None:
    said = '<DERCapability xmlns="urn:ieee:std:2030.5:ns" xmlns:aus="https://csipaus.org/ns">'
    said += "<modesSupported>00</modesSupported><rtgMaxW><multiplier>0</multiplier><value>0</value></rtgMaxW>"
    ends = "<type>0</type>{}</DERCapability>"
    ours, plain = "<aus:doeModesSupported>00</aus:doeModesSupported>", ""
    assert sep2_schema_fault(parse((said + ends.format(ours)).encode())) == ""
    assert sep2_schema_fault(parse((said + ends.format(plain)).encode())) == ""
    assert sep2_schema_fault(parse((said.partition("<rtgMaxW>")[0] + ends.format(plain)).encode()))
    assert sep2_schema_fault(parse((said + ends.format(ours + ours)).encode()))
