"""The harness judges this project's own VEN as it judges a stranger's: from outside, by what is on the wire.

Most of a run is waiting for what a VEN does by itself, so four VENs are judged at once, each by a part of the suite.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conformance.loading import load_suite
from demo.lab import MARKET_CONTEXT, Lab, Ports
from openadr_core.pki import issue
from openadr_core.shell.keyfiles import certificate_profile, read_authority, write_issued
from tests.rig import VEN_SETTINGS, write_small_fleet

PROCEDURES = [procedure.id for procedure in load_suite("openadr20b-ven").procedures if "push" not in procedure.needs]
LONGEST = {"report-periodic", "report-to-follow", "report-later"}
PATIENCE = ("--connect-s", "60", "--patience-s", "15", "--latency-s", "0.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """The command under way, and the port that it listens at."""

    process: "subprocess.Popen[str]"
    port: int


def parts() -> list[list[str]]:
    """The suite in four, of about the same length; each ends with all that was said in it."""
    longest = [name for name in PROCEDURES if name in LONGEST]
    reports = [name for name in PROCEDURES if name.startswith("report") and name not in LONGEST]
    lower = [name for name in PROCEDURES if name.startswith(("http", "tls"))]
    others = [name for name in PROCEDURES if name not in {*longest, *reports, *lower, "everything"}]
    return [[*part, "everything"] for part in (longest, reports, lower, others)]


def expired_certificate(certs: Path) -> None:
    """A VTN's certificate of the lab's own authority whose day was a month ago."""
    then = datetime.now(UTC) - timedelta(days=30)
    authority = read_authority(certs, "openadr-ecc-ca")
    issued = issue(certificate_profile("openadr-ecc-vtn"), "old", authority, then, dns_names=["localhost"], days=1)
    write_issued(certs, "old", issued)


def judging(lab: Lab, only: Sequence[str]) -> Harness:
    certs = lab.vtn / "certs"
    shown = [
        option
        for prefix, name in (("", "vtn-ecc"), ("rsa-", "vtn-rsa"), ("expired-", "old"))
        for option in (f"--{prefix}certificate", certs / f"{name}.pem", f"--{prefix}key", certs / f"{name}.key")
    ]
    command = [
        sys.executable, "-m", "conformance", "run", "openadr20b-ven", "--listen", "127.0.0.1:0", *shown,
        "--trust", lab.authority, "--market-context", MARKET_CONTEXT, "--target", "openadr-der", *PATIENCE,
        *(option for name in only for option in ("--only", name)),
    ]  # fmt: skip
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    listening = process.stderr.readline()
    return Harness(process=process, port=int(listening.rpartition("/OpenADR2")[0].rpartition(":")[2]))


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
        yield made
    finally:
        made.processes.stop_all()


def start_ven(lab: Lab, number: int, vtn_port: int) -> None:
    """One of several beside each other: what two could not share is their own."""
    own = {
        "OPENADR_VEN_VTN__URL": f"https://localhost:{vtn_port}",
        "OPENADR_VEN_VTN__ENROLMENT_RETRY_S": "1",
        "OPENADR_VEN_STORE": f"sqlite:///ven-{number}.db",
        "OPENADR_VEN_CONSOLE__PORT": "0",
        "OPENADR_VEN_GATEWAYS__PORT": str(lab.ports.broker),
        "OPENADR_VEN_GATEWAYS__CLIENT_ID": f"ven-{number}",
        "OPENADR_VEN_FLEET__NAME": "demo",
    }
    lab.processes.start(
        f"ven-{number}", "openadr_ven", "run", "--config", lab.ven / "ven.toml", environment={**lab.ven_settings, **own}
    )


@pytest.mark.timeout(240)
def test_our_own_ven_is_as_known(lab: Lab) -> None:
    harnesses = [judging(lab, part) for part in parts()]
    try:
        for number, harness in enumerate(harnesses):
            start_ven(lab, number, harness.port)
        told = [harness.process.communicate(timeout=200)[0] for harness in harnesses]
    finally:
        for harness in harnesses:
            harness.process.kill()
    assert [harness.process.returncode for harness in harnesses] == [0, 0, 0, 0], "\n".join(told)
    judged = {line.split()[0] for text in told for line in text.splitlines() if line and not line.startswith(" ")}
    assert set(PROCEDURES) <= judged


def test_the_parts_are_the_whole() -> None:
    assert {name for part in parts() for name in part} == set(PROCEDURES)
