"""The harness judges this project's own server of 2030.5 from outside, and each of its checks can fail."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.__main__ import cli as conformance
from conformance.answers import Answer, Sight
from conformance.checks import Check, Holds, Occurs, QueryGives, SchemaValid, Sorted
from conformance.client.line import Connect, Line
from conformance.client.steps import Identity
from conformance.loading import load_suite
from conformance.procedure import Step
from conformance.run import run_procedures
from conformance.schema import sep2_schema_fault
from conformance.sep2.hearing import Receiver
from conformance.sep2.run import Sep2Run, path_of, unmet_needs
from conformance.server.listening import Listening
from conformance.server.steps import Shown
from openadr_core.shell.tls import server_context

from .our_sep2_server import OurServer, running_server
from .spoiling import OTHER_TEXT, spoilt
from .spoilt_documents import reordered, spoilt_documents
from .wrong_sep2_servers import WRONG, wrong_line

SUITE = load_suite("ieee2030_5-server")
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


PAUSE_MAX_S = 0.25


class Hurried(Sep2Run):
    """The server's clock does its waiting: what must begin soon has half a minute, on any machine.

    Its operator is asked without a process for each thing.
    """

    def __init__(self, server: OurServer, connect: Connect) -> None:
        super().__init__(server.target, connect, operate=server.operate)
        self._server = server

    def pause(self, seconds: float) -> None:
        super().pause(min(seconds, PAUSE_MAX_S))
        self._server.operate("move-clock", {"seconds": str(round(20 * seconds))}, self.variables)


class Watching(Hurried):
    """Keeps what each check saw."""

    seen: list[tuple[str, Check, Sight]]
    procedure: str

    def judge_last(self, step: Step) -> None:
        for check in step.expect:
            sight = Sight(answer=self.last, variables=dict(self.variables), schema_fault=sep2_schema_fault)
            self.seen.append((self.procedure, check, sight))
        super().judge_last(step)


def test_our_own_server_is_as_known_and_every_check_can_fail(our_server: OurServer) -> None:
    target = our_server.target
    seen: list[tuple[str, Check, Sight]] = []
    failed = {}
    for procedure in SUITE.procedures:

        def start(name: str = procedure.id) -> Sep2Run:
            run = Watching(our_server, Line)
            run.seen, run.procedure = seen, name
            return run

        assert list(unmet_needs(procedure, SUITE, target)) == []
        (outcome,) = run_procedures(SUITE, start, lambda _: "", only=[procedure.id])
        if outcome.verdict != "passed":
            failed[procedure.id] = (
                outcome.verdict,
                outcome.reason,
                [one for one in outcome.findings if not one.passed],
            )
    assert failed == {}
    told = {(procedure, check.id) for procedure, check, _ in seen}
    assert {(one.id, check.id) for one in SUITE.procedures for check in one.checks} <= told
    for procedure_id, check, sight in seen:
        if (procedure_id, check.id) in told and _can_fail(check, sight):
            told.remove((procedure_id, check.id))
    assert told == set()


def _can_fail(check: Check, sight: Sight) -> bool:
    """What looks into a document, by one of its own kind that is wrong in one place; an order, by another order."""
    return check.judge(sight).passed and not all(check.judge(one).passed for one in _wrong_for(check, sight))


def _wrong_for(check: Check, sight: Sight) -> Iterator[Sight]:
    match check.kind:
        case Sorted():
            yield from reordered(sight)
        case Holds() | Occurs() | QueryGives() | SchemaValid():
            yield from spoilt_documents(sight, check.kind.expected)
        case _:
            yield from _wrong(sight)


def _wrong(sight: Sight) -> Iterator[Sight]:
    yield from spoilt(sight)
    answer = sight.answer
    if answer.refused:
        yield replace(sight, answer=Answer(status=200))
    if answer.status is not None and not answer.body:
        yield replace(sight, answer=replace(answer, body=OTHER_TEXT.encode()))


def test_the_command_prints_what_it_found(our_server: OurServer, tmp_path: Path) -> None:
    some = (
        "--only",
        "discovery",
        "--only",
        "time",
        "--only",
        "tls",
        "--only",
        "notification",
        "--only",
        "certificates",
    )
    ended = our_server.judged(*some, "--target", "openadr-der", "--transcript", str(tmp_path / "said"))
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines()[-1].endswith("all as expected")
    assert "ECDHE-ECDSA-AES128-CCM8" in (tmp_path / "said" / "discovery.txt").read_text()


def test_the_one_suite_is_tried_whatever_else_the_harness_offers(our_server: OurServer) -> None:
    target = replace(our_server.target, profile="sep2-compat")
    (outcome,) = run_procedures(SUITE, lambda: Sep2Run(target, Line), lambda _: "", only=["tls"])
    assert outcome.verdict == "passed", outcome.shortcomings
    assert "TLSv1.2 ECDHE-ECDSA-AES128-CCM8" in {one.tls for one in outcome.exchanges}


def test_a_server_without_the_one_suite_is_found_out(our_server: OurServer) -> None:
    context = server_context("sep2-compat", [our_server.told], [our_server.trust])
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    stage = Listening(host="127.0.0.1", port=0, contexts={(Shown.GOOD, False): context}, script=Receiver())
    target = replace(our_server.target, url=f"https://127.0.0.1:{stage.port}/dcap", profile="sep2-compat")
    (tls,) = (replace(one, preconditions=()) for one in SUITE.procedures if one.id == "tls")
    run = Sep2Run(target, Line)
    try:
        run.judge(tls, SUITE)
    finally:
        run.close()
        stage.close()
    assert run.findings["tls-1-1"].passed
    assert not run.findings["the-one-suite"].passed


def test_what_could_not_run_is_told(our_server: OurServer) -> None:
    alone = replace(
        our_server.target,
        certificates={Identity.ENROLLED: our_server.chain(Identity.ENROLLED)},
        hook="",
        pin="",
        notification_uri="",
        subscriber=None,
        authority=None,
    )
    needs = {one.id: list(unmet_needs(one, SUITE, alone)) for one in SUITE.procedures}
    assert needs["certificates"] == ["--authority-certificate"]
    assert needs["notification"] == ["--notification-uri", "--operator-hook"]
    assert needs["tls"] == ["--pending-certificate"]
    assert needs["registration"] == ["--other-certificate", "--pin"]
    assert needs["access"] == ["--operator-hook"]
    assert needs["time"] == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--pen", "28547"], "--pen: 8 digits, not '28547'"),
        (["--other-certificate", __file__], "--other-certificate and --other-key go together"),
        (["--authority-key", __file__], "--authority-certificate and --authority-key go together"),
        (["--only", "nothing"], "no procedure nothing"),
    ],
)
def test_wrong_usage_is_told(options: list[str], complaint: str) -> None:
    where = ["--url", "https://server.example/dcap", "--trust", __file__, "--certificate", __file__, "--key", __file__]
    ended = CliRunner().invoke(conformance, ["run", "ieee2030_5-server", *where, *options])
    assert ended.exit_code == 2
    assert complaint in " ".join(ended.output.split())


def test_an_href_may_be_a_whole_address() -> None:
    assert path_of("https://server.example:8446/edev/3?s=0&l=2") == "/edev/3?s=0&l=2"
    assert path_of("/edev/3") == "/edev/3"
    assert path_of("/edev?a=7", "s=0&l=1") == "/edev?a=7&s=0&l=1"


@pytest.mark.parametrize(
    ("wrong", "found_by"),
    [
        (
            "lists stand upside down",
            [
                "list-orders/programs-by-primacy", "list-orders/controls-by-start", "list-orders/mirrors-by-mrid",
                "many-controls/by-start", "aggregator/by-sfdi", "curves/newest-first",
            ],
        ),
        ("a page is the whole list", ["paging/one-by-one", "many-controls/all"]),
        ("a page is all that there is", ["paging/all"]),
        ("what was cancelled is gone", ["control/cancelled"]),
        ("nothing is ever active", ["control-now/active", "control-random/begun", "clock/active"]),
        ("nothing is ever superseded", ["control-now/superseded"]),
        ("nothing is superseded in part", ["control-overlap/partly"]),
        ("versions stand still", ["default/version", "program-changed/version"]),
        ("every mRID is the same", ["list-orders/one-mrid-each"]),
        ("mRIDs are names", ["programs/mrids"]),
        ("powers are in watts alone", ["control-overlap/power-in-tens", "modes/generation-limit"]),
        ("poll rates stand still", ["rates/devices", "rates/programs"]),
        ("nobody's clock is right", ["time/now"]),
        (
            "everything is taken",
            [
                "foreign-device/another", "bad-documents/cut-short", "responses/unknown-control", "mirror/too-much",
                "subscription/without-tls", "der/settings-without-a-time", "aggregator/of-another-number",
            ],
        ),
        ("every method does", ["methods/delete", "methods-matrix/put-controls"]),
        (
            "everybody may read",
            ["registration/nobody-elses", "mirror/nobody-elses", "tls/stranger", "access/withdrawn"],
        ),
        ("it gives a new place each time", ["mirror/the-same", "subscription/the-same"]),
        ("it speaks the newest to all", ["versions/older-begins"]),
    ],
)  # fmt: skip
def test_a_wrong_server_is_found_out(our_server: OurServer, wrong: str, found_by: list[str]) -> None:
    connect = wrong_line(WRONG[wrong])
    named = dict.fromkeys(name.split("/")[0] for name in found_by)
    outcomes = run_procedures(SUITE, lambda: Hurried(our_server, connect), lambda _: "", only=named)
    failed = {
        f"{one.procedure.id}/{finding.check_id}" for one in outcomes for finding in one.findings if not finding.passed
    }
    assert set(found_by) <= failed


def test_every_wrong_server_is_tried() -> None:
    (table,) = (mark.args[1] for mark in test_a_wrong_server_is_found_out.pytestmark)  # type: ignore[attr-defined]
    assert [row[0] for row in table] == list(WRONG)
