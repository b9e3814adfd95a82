"""The harness judges this project's own VTN of OpenADR 3 from outside; and no answer that it accepts is beyond doubt.

What the VTN answered is spoilt one way at a time, always into well-formed HTTP and JSON: a check that none of these
can fail would be an ornament.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from conformance.__main__ import cli as conformance
from conformance.answers import Answer, Sight
from conformance.api.run import ApiRun, identity_of, unmet_needs
from conformance.api.steps import Who
from conformance.api.tokens import Tokens
from conformance.checks import Check
from conformance.client.line import Line
from conformance.loading import load_suite, without_extensions
from conformance.procedure import Step
from conformance.run import run_procedures
from openadr_core.xml.parse import Element

from .our_vtn_of_openadr3 import OurVtn, running_vtn

SUITE = load_suite("openadr3-vtn")
OTHER_TEXT = "spoilt"


@pytest.fixture(scope="module")
def our_vtn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurVtn]:
    with running_vtn(tmp_path_factory.mktemp("vtn") / "home") as vtn:
        yield vtn


def test_our_own_vtn_is_as_known(our_vtn: OurVtn, tmp_path: Path) -> None:
    ended = our_vtn.judged("--extensions", "--target", "openadr-der", "--transcript", str(tmp_path / "said"))
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines()[-1].endswith("all as expected")
    said = "".join(file.read_text() for file in (tmp_path / "said").iterdir())
    assert "Authorization: [redacted]" in said
    assert not any(secret in said for secret in our_vtn.secrets.values())
    left = our_vtn.judged("--only", "lists")
    assert left.exit_code == 0, left.output


def test_who_has_no_second_ven_is_told_what_could_not_run(our_vtn: OurVtn) -> None:
    ended = our_vtn.judged("--only", "ven-privacy", "--only", "scopes", who=(Who.BUSINESS, Who.VEN))
    assert ended.exit_code == 1
    assert "needs --other-client" in ended.output
    assert "1 not run, 1 passed" in ended.output


def test_a_wrong_secret_is_the_testers_fault(our_vtn: OurVtn) -> None:
    wrong = replace(our_vtn, secrets={**our_vtn.secrets, Who.BUSINESS: "wrong"})
    ended = wrong.judged("--only", "program")
    assert ended.exit_code == 2
    assert "/auth/token gives c-business no token: HTTP 401" in ended.output


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--ven-client", "x"], "--ven-client goes with either --ven-secret or --ven-token"),
        (["--ven-client", "x", "--ven-secret", "y", "--ven-token", "z"], "--ven-client goes with either"),
        (["--ven-token", "z"], "--ven-client goes with either"),
        (["--certificate", __file__], "--certificate and --key go together"),
    ],
)
def test_wrong_usage_is_told(options: list[str], complaint: str) -> None:
    where = ["--url", "https://vtn.example/openadr3/3.1.0", "--trust", __file__]
    ended = CliRunner().invoke(conformance, ["run", "openadr3-vtn", *where, *options])
    assert ended.exit_code == 2
    assert complaint in " ".join(ended.output.split())


def test_a_stranger_is_not_judged_by_extensions() -> None:
    required = without_extensions(SUITE)
    checks = [check for procedure in required.procedures for check in procedure.checks]
    assert checks
    assert not any(check.extension for check in checks)
    left_out = {procedure.id for procedure in SUITE.procedures} - {procedure.id for procedure in required.procedures}
    assert left_out == {"conditional", "json"}


class Watching(ApiRun):
    """Keeps what each check saw."""

    seen: list[tuple[str, Check, Sight]]
    procedure: str

    def judge_last(self, step: Step) -> None:
        for check in step.expect:
            sight = Sight(answer=self.last, variables=dict(self.variables), schema_fault=lambda _: "")
            self.seen.append((self.procedure, check, sight))
        super().judge_last(step)


def test_every_check_can_fail(our_vtn: OurVtn) -> None:
    target = our_vtn.target
    tokens = Tokens(target, identity_of(target), Line)
    seen: list[tuple[str, Check, Sight]] = []

    for procedure in SUITE.procedures:

        def start(name: str = procedure.id) -> ApiRun:
            run = Watching(target, tokens, Line)
            run.seen, run.procedure = seen, name
            return run

        assert list(unmet_needs(procedure, SUITE, target)) == []
        list(run_procedures(SUITE, start, lambda _: "", only=[procedure.id]))
    told = {(procedure, check.id) for procedure, check, _ in seen}
    assert {(one.id, check.id) for one in SUITE.procedures for check in one.checks} <= told
    ornaments = {
        f"{procedure}/{check.id}"
        for procedure, check, sight in seen
        if check.judge(sight).passed and all(check.judge(spoilt).passed for spoilt in _spoilt(sight))
    }
    assert ornaments == set()


def _spoilt(sight: Sight) -> Iterator[Sight]:
    """The same answer, wrong in one way."""
    answer = sight.answer
    assert answer.status is not None
    for status in (200, 202, 500):
        if status != answer.status:
            yield replace(sight, answer=replace(answer, status=status))
    yield replace(sight, answer=replace(answer, headers=[]))
    yield replace(sight, answer=replace(answer, headers=[(name, OTHER_TEXT) for name, _ in answer.headers]))
    for root in _spoilt_trees(answer):
        yield replace(sight, answer=replace(answer, root=root))


def _spoilt_trees(answer: Answer) -> Iterator[Element]:
    if answer.root is None:
        return
    yield etree.Element("json", type="string")
    for place in range(1, sum(1 for _ in answer.root.iter())):
        for spoil in (_removed, _changed, _doubled):
            root = deepcopy(answer.root)
            spoil(list(root.iter())[place])
            yield root
    full = deepcopy(answer.root)
    if full.get("type") == "array":
        yield from _strangers(full)


def _removed(node: Element) -> None:
    parent = node.getparent()
    assert parent is not None
    parent.remove(node)


def _changed(node: Element) -> None:
    if not len(node):
        node.text = OTHER_TEXT


def _doubled(node: Element) -> None:
    if node.tag == "item":
        node.addnext(deepcopy(node))


def _strangers(root: Element) -> Iterator[Element]:
    """A list that holds one object too many."""
    etree.SubElement(etree.SubElement(root, "item", type="object"), "id").text = OTHER_TEXT
    yield root
