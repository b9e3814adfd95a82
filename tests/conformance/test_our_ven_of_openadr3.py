"""The harness judges this project's own VEN of OpenADR 3 from outside; and nothing that it accepts is beyond doubt."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.__main__ import cli as conformance
from conformance.answers import Sight
from conformance.api.script import ApiScript
from conformance.api.ven_run import ApiVenRun, ApiVenTarget
from conformance.checks import Check
from conformance.commands.openadr3_ven import BASE
from conformance.loading import load_suite
from conformance.outcomes import Verdict
from conformance.procedure import Step
from conformance.run import run_procedures
from conformance.server.listening import Listening
from conformance.server.steps import Shown
from conformance.ven.run import Patience
from demo.lab import Lab, Ports
from demo.processes import run_command
from openadr_core.shell.tls import Chain, server_context
from tests.rig import BASELINE_S, VEN_SETTINGS, write_small_fleet

from .spoiling import spoilt

SUITE = load_suite("openadr3-ven")
PROGRAM, HOUSE, SECRET = "conformance", "house", "s3cret"
TARGET = ApiVenTarget(program=PROGRAM, patience=Patience(connect_s=60, answer_s=60))
pytestmark = pytest.mark.timeout(480)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Certificates, and devices behind a broker."""
    lab = Lab(folder=tmp_path / "lab", ports=Ports.free(), vtn_settings={}, ven_settings={})
    try:
        lab.make_vtn()
        lab.start_broker()
        lab.start_simulator("--fleet", write_small_fleet(tmp_path / "fleet.csv"))
        yield lab
    finally:
        lab.processes.stop_all()


def listening(lab: Lab, script: ApiScript) -> Listening:
    certificate = lab.vtn / "certs" / "vtn-ecc.pem"
    chain = Chain(certificate=certificate, key=certificate.with_suffix(".key"))
    context = server_context("oadr3", [chain], [], "none")
    return Listening(host="127.0.0.1", port=0, contexts={(Shown.GOOD, False): context}, script=script)


def start_ven(lab: Lab, fleet: Path, port: int) -> None:
    folder = lab.folder / HOUSE
    run_command(
        "openadr_ven", "init", folder, "--protocol", "oadr3", "--name", HOUSE, "--trust", lab.authority,
        "--vtn-url", f"https://localhost:{port}", "--market-context", f"urn:openadr:program:{PROGRAM}",
    )  # fmt: skip
    (folder / "client-secret").write_text(SECRET)
    config = folder / "ven.toml"
    run_command("openadr_ven", "fleet", "load", fleet, "--config", config)
    settings = {
        **{name: value for name, value in VEN_SETTINGS.items() if "VEN_VTN__" not in name},
        "OPENADR_VEN_OADR3__POLL_INTERVAL_S": "1",
        "OPENADR_VEN_OADR3__ENROLMENT_RETRY_S": "1",
        "OPENADR_VEN_GATEWAYS__PORT": str(lab.ports.broker),
        "OPENADR_VEN_CONSOLE__PORT": "0",
        "OPENADR_VEN_FLEET__NAME": "demo",
    }
    lab.processes.start(HOUSE, "openadr_ven", "run", "--config", config, environment=settings)


class Watching(ApiVenRun):
    """Keeps what each check saw."""

    seen: list[tuple[Check, Sight]]

    def judge_last(self, step: Step) -> None:
        for check in step.expect:
            sight = Sight(answer=self.last, variables=dict(self.variables), schema_fault=lambda _: "")
            self.seen.append((check, sight))
        super().judge_last(step)


def test_our_own_ven_passes_and_every_check_can_fail(lab: Lab, tmp_path: Path) -> None:
    script = ApiScript(base=BASE, client_id=HOUSE, client_secret=SECRET)
    stage = listening(lab, script)
    seen: list[tuple[Check, Sight]] = []

    def start() -> ApiVenRun:
        run = Watching(TARGET, script, stage)
        run.seen = seen
        return run

    try:
        start_ven(lab, tmp_path / "fleet.csv", stage.port)
        outcomes = []
        for outcome in run_procedures(SUITE, start, lambda _: ""):
            outcomes.append(outcome)
            if len(outcomes) == 1:
                time.sleep(BASELINE_S + 1)  # what it reports is what its devices have told it
    finally:
        stage.close()
    told = {one.procedure.id: (one.verdict, one.shortcomings) for one in outcomes}
    assert told == dict.fromkeys(told, (Verdict.PASSED, {})), lab.processes.tail(HOUSE)
    assert {check.id for one in SUITE.procedures for check in one.checks} <= {check.id for check, _ in seen}
    ornaments = {check.id for check, sight in seen if all(check.judge(wrong).passed for wrong in spoilt(sight))}
    assert ornaments == set()


def test_a_ven_that_does_not_come_fails(lab: Lab) -> None:
    certificate = lab.vtn / "certs" / "vtn-ecc.pem"
    ended = CliRunner().invoke(
        conformance,
        ["run", "openadr3-ven", "--listen", "127.0.0.1:0", "--certificate", str(certificate), "--client-secret", "x",
         "--key", str(certificate.with_suffix(".key")), "--connect-s", "0.2", "--patience-s", "0.2"],
    )  # fmt: skip
    assert ended.exit_code == 1
    assert "stopped: line 4: no GET ^auth/server$ came" in ended.output
    assert "12 blocked, 1 failed" in ended.output


def test_wrong_usage_is_told(lab: Lab) -> None:
    certificate = lab.vtn / "certs" / "vtn-ecc.pem"
    where = ["--certificate", str(certificate), "--key", str(certificate.with_suffix(".key")), "--client-secret", "x"]
    ended = CliRunner().invoke(conformance, ["run", "openadr3-ven", "--listen", "here", *where])
    assert (ended.exit_code, "--listen: HOST:PORT, not 'here'" in ended.output) == (2, True)
