"""The harness judges this project's own VEN as it judges a stranger's: from outside, by what is on the wire.

Most of a run is waiting for what a VEN does by itself, so seven VENs are judged at once, each by a part of the suite.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conformance.loading import load_suite
from demo.lab import FLEET, MARKET_CONTEXT, VEN_NAME, Lab, Ports
from demo.processes import run_command
from openadr_core.pki import issue
from openadr_core.shell.keyfiles import certificate_profile, read_authority, write_issued
from tests.rig import VEN_SETTINGS, write_small_fleet

from .conftest import ROOT

PROCEDURES = {procedure.id: procedure for procedure in load_suite("openadr20b-ven").procedures}
LONGEST = {"report-periodic", "report-to-follow", "report-later"}
VEN_ID = "Ven-Known-Before"
PATIENCE = ("--connect-s", "60", "--patience-s", "15", "--latency-s", "0.4")
OPERATOR = ROOT / "tests" / "interop" / "our_ven_operator.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one VEN is judged by."""

    name: str
    procedures: list[str]
    transport: str = "pull"
    signed: bool = False
    """It signs, and wants signatures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """The command under way, and the port that it listens at."""

    process: "subprocess.Popen[str]"
    port: int


def parts() -> list[Part]:
    """The suite in pieces of about the same length; events, registration and signatures once more by push."""
    signed = [name for name, procedure in PROCEDURES.items() if "signatures" in procedure.needs]
    names = [name for name, procedure in PROCEDURES.items() if "push" not in procedure.needs and name not in signed]
    longest = [name for name in names if name in LONGEST]
    reports = [name for name in names if name.startswith("report") and name not in LONGEST]
    lower = [name for name in names if name.startswith(("http", "tls"))]
    others = [name for name in names if name not in {*longest, *reports, *lower, "everything"}]
    pushed = [
        name
        for name, procedure in PROCEDURES.items()
        if "pull" not in procedure.needs and name.startswith(("registration", "push", "event"))
    ]
    kinds = {"longest": longest, "reports": reports, "lower": lower, "others": others}
    return [
        *(Part(name=name, procedures=[*kind, "everything"]) for name, kind in kinds.items()),
        Part(name="pushed", procedures=[*pushed, "everything"], transport="push"),
        Part(name="signed", procedures=[*signed, "everything"], signed=True),
        Part(name="signed-pushed", procedures=[*signed, "push-http", "everything"], transport="push", signed=True),
    ]


def expired_certificate(certs: Path) -> None:
    """A VTN's certificate of the lab's own authority whose day was a month ago."""
    then = datetime.now(UTC) - timedelta(days=30)
    authority = read_authority(certs, "openadr-ecc-ca")
    issued = issue(certificate_profile("openadr-ecc-vtn"), "old", authority, then, dns_names=["localhost"], days=1)
    write_issued(certs, "old", issued)


def judging(lab: Lab, part: Part) -> Harness:
    certs = lab.vtn / "certs"
    shown = [
        option
        for prefix, name in (("", "vtn-ecc"), ("rsa-", "vtn-rsa"), ("expired-", "old"))
        for option in (f"--{prefix}certificate", certs / f"{name}.pem", f"--{prefix}key", certs / f"{name}.key")
    ]
    command = [
        sys.executable, "-m", "conformance", "run", "openadr20b-ven", "--listen", "127.0.0.1:0", *shown,
        "--trust", lab.authority, "--market-context", MARKET_CONTEXT, "--transport", part.transport,
        "--operator-hook", f"{sys.executable} {OPERATOR} {lab.ven / 'ven.toml'}", "--target", "openadr-der", *PATIENCE,
        "--resource", FLEET, "--resource", f"{FLEET}-battery", "--preconfigured-ven-id", VEN_ID, "--ven-id", VEN_ID,
        *(["--signatures"] if part.signed else []),
        *(option for name in part.procedures for option in ("--only", name)),
    ]  # fmt: skip
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings_of(lab, part)},
    )
    assert process.stderr is not None
    listening = process.stderr.readline()
    return Harness(process=process, port=int(listening.rpartition("/OpenADR2")[0].rpartition(":")[2]))


def settings_of(lab: Lab, part: Part) -> dict[str, str]:
    """One of several agents beside each other: what two could not share is its own."""
    own = {
        "OPENADR_VEN_VTN__ENROLMENT_RETRY_S": "1",
        "OPENADR_VEN_STORE": f"sqlite:///{part.name}.db",
        "OPENADR_VEN_CONSOLE__PORT": "0",
        "OPENADR_VEN_GATEWAYS__PORT": str(lab.ports.broker),
        "OPENADR_VEN_GATEWAYS__CLIENT_ID": part.name,
        "OPENADR_VEN_FLEET__NAME": FLEET,
        "OPENADR_VEN_VTN__VEN_ID": VEN_ID,
    }
    if part.signed:
        own["OPENADR_VEN_VTN__SIGNATURES"] = "require"
    if part.transport == "push":
        port = str(lab.ports.parties if part.signed else lab.ports.operator)
        own["OPENADR_VEN_PUSH__ADDRESS"] = f"https://localhost:{port}/ven/"
        served = lab.folder / "served" / VEN_NAME
        own |= {"OPENADR_VEN_VTN__CERTIFICATE": f"{served}.pem", "OPENADR_VEN_VTN__KEY": f"{served}.key"}
        own |= {"OPENADR_VEN_PUSH__HOST": "127.0.0.1", "OPENADR_VEN_PUSH__PORT": port}
    return {**lab.ven_settings, **own}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A VEN with devices, its settings for a VTN that is not there yet."""
    made = Lab(folder=tmp_path / "lab", ports=Ports.free(), ven_settings=VEN_SETTINGS)
    try:
        fleet = write_small_fleet(tmp_path / "fleet.csv")
        made.make_vtn()
        expired_certificate(made.vtn / "certs")
        made.start_broker()
        made.start_simulator("--fleet", fleet)
        made.make_ven(fleet)
        # The VTN that pushes knows the agent by the name in its certificate.
        run_command(
            "openadr_vtn", "certificate", "mint", "--name", VEN_NAME, "--host", "localhost",
            "--authorities", made.vtn / "certs", "--out", made.folder / "served",
        )  # fmt: skip
        yield made
    finally:
        made.processes.stop_all()


@pytest.mark.timeout(480)
def test_our_own_ven_is_as_known(lab: Lab) -> None:
    judged = {part.name: (part, judging(lab, part)) for part in parts()}
    harnesses = [harness for _, harness in judged.values()]
    try:
        for name, (part, harness) in judged.items():
            where = {"OPENADR_VEN_VTN__URL": f"https://localhost:{harness.port}"}
            lab.processes.start(
                f"ven-{name}", "openadr_ven", "run", "--config", lab.ven / "ven.toml",
                environment={**settings_of(lab, part), **where},
            )  # fmt: skip
        told = [harness.process.communicate(timeout=420)[0] for harness in harnesses]
    finally:
        for harness in harnesses:
            harness.process.kill()
    assert [harness.process.returncode for harness in harnesses] == [0] * len(harnesses), "\n".join(told)
    lines = [line for text in told for line in text.splitlines() if line and not line.startswith(" ")]
    assert set(PROCEDURES) <= {line.split()[0] for line in lines}
