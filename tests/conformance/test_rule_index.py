"""Which rule is held by what: the index, read from procedures and from the markers of tests."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import markers
from conformance.__main__ import cli
from conformance.known import KNOWN_FILE, load_not_done, own_failures
from conformance.loading import load_suite, suite_names
from conformance.markers import Marked, marked_tests, own_tests
from conformance.procedure import flattened
from conformance.reports.rule_index import lines, summary
from conformance.rules import Coverage, Rule, coverage, load_rules, protocols_with_rules
from openadr_core.errors import ConfigError

SUITE = load_suite("openadr20b-vtn")
RULES = load_rules("openadr20b")

MARKED = """
pytestmark = [pytest.mark.slow, pytest.mark.openadr20b("R1")]

@pytest.mark.openadr20b("R2", "R-3")
async def test_one(): ...

@pytest.mark.openadr20b("R4")
class TestAll:
    pytestmark = pytest.mark.openadr20b("R5")

    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.openadr20b("R6")), 2])
    def test_two(self, x): ...

@pytest.mark.openadr3("R7")
def test_other(): ...
"""


def test_markers_are_found_wherever_pytest_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "test_it.py").write_text(MARKED)
    (folder / "helper.py").write_text(MARKED)
    assert [(marked.test, marked.rules) for marked in marked_tests(folder, "openadr20b")] == [
        ("tests/deep/test_it.py", ("R1",)),
        ("tests/deep/test_it.py::test_one", ("R2", "R-3")),
        ("tests/deep/test_it.py::TestAll", ("R4",)),
        ("tests/deep/test_it.py::TestAll", ("R5",)),
        ("tests/deep/test_it.py::TestAll::test_two", ("R6",)),
    ]


def test_a_rule_that_no_reader_can_see_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("@pytest.mark.openadr20b(RULE)\ndef test_it(): ...\n")
    with pytest.raises(ConfigError, match=r"test_it\.py::test_it: line 1: a rule is named by a plain text"):
        list(marked_tests(tmp_path, "openadr20b"))


def covered_by(*, tests: tuple[str, ...] = (), reason: str = "", failing: bool = False) -> Coverage:
    """What covers R404, of which registration-query alone has checks."""
    suite = load_suite("openadr20b-vtn")
    checks = [
        f"{suite.name}:{procedure.id}/{check.id}"
        for procedure in suite.procedures
        for check in procedure.checks
        if "R404" in check.clauses
    ]
    (item,) = coverage(
        (Rule(id="R404", binds="VTN", gist="what a query is answered with"),),
        [suite],
        [Marked(test=test, line=1, rules=("R404",)) for test in tests],
        {"R404": reason} if reason else {},
        frozenset(checks if failing else checks[1:]),
    )
    return item


def test_a_check_that_passes_or_a_test_covers_a_rule() -> None:
    checked = covered_by()
    assert (checked.covered, checked.as_expected) == (True, True)
    assert checked.checks[0] == "openadr20b-vtn:registration-query/answer"
    tested = covered_by(failing=True, tests=("tests/test_x.py::test_y",))
    assert (tested.covered, tested.as_expected) == (True, True)
    assert "              test  tests/test_x.py::test_y" in list(lines(tested))


def test_a_check_that_our_own_product_fails_covers_nothing() -> None:
    failing = covered_by(failing=True)
    assert (failing.covered, failing.as_expected) == (False, False)
    assert list(lines(failing))[-1].strip() == "covered by nothing"
    assert "(known to fail)" in list(lines(failing))[1]
    assert "Covered by nothing, for no reason: R404" in summary([failing])


def test_a_reason_excuses_what_is_not_covered_and_nothing_else() -> None:
    excused = covered_by(failing=True, reason="not yet")
    assert (excused.covered, excused.as_expected) == (False, True)
    assert list(lines(excused))[-1].strip() == "not done: not yet"
    stale = covered_by(reason="not yet")
    assert not stale.as_expected
    assert list(lines(stale))[-1].strip() == "covered, and yet not done: not yet"
    assert "Covered, and yet with a reason: R404" in summary([stale])


@pytest.mark.parametrize(
    ("tests", "reasons", "where"),
    [
        ([Marked(test="tests/a.py::test_b", line=1, rules=("R11",))], {}, "tests/a.py::test_b"),
        ([], {"R11": "x"}, "kno"),
    ],
)
def test_a_rule_that_is_none_is_refused(tests: list[Marked], reasons: dict[str, str], where: str) -> None:
    with pytest.raises(ConfigError, match=f"^{where}.*: R11 is no rule"):
        list(coverage(RULES, [SUITE], tests, reasons))


def test_every_marker_of_this_checkout_names_a_rule() -> None:
    folder = own_tests()
    assert folder is not None
    marked = list(marked_tests(folder, "openadr20b"))
    assert "tests/core/oadr2/test_round_trip.py::test_a_message_stands_in_the_envelope_with_its_version" in {
        one.test for one in marked
    }
    reasons = load_not_done(KNOWN_FILE, "openadr20b")
    assert len(list(coverage(RULES, [SUITE], marked, reasons))) == len(RULES)


@pytest.mark.parametrize("protocol", protocols_with_rules())
def test_no_rule_is_uncovered_without_a_reason_and_no_reason_outlives_its_rule(protocol: str) -> None:
    folder = own_tests()
    assert folder is not None
    suites = [load_suite(name) for name in suite_names() if name.startswith(f"{protocol}-")]
    failing = frozenset().union(*(own_failures(KNOWN_FILE, suite) for suite in suites))
    items = coverage(
        load_rules(protocol), suites, marked_tests(folder, protocol), load_not_done(KNOWN_FILE, protocol), failing
    )
    assert [item.rule.id for item in items if not item.as_expected] == []


@pytest.mark.parametrize("protocol", ["openadr3", "ieee2030_5"])
def test_whatever_a_check_cites_is_a_rule(protocol: str) -> None:
    known = {rule.id for rule in load_rules(protocol)}
    suites = [load_suite(name) for name in suite_names() if name.startswith(f"{protocol}-")]
    cited = {
        clause
        for suite in suites
        for steps in (*(one.steps for one in suite.procedures), *suite.sequences.values())
        for step in flattened(steps)
        for check in step.expect
        for clause in check.clauses
    }
    assert cited
    assert cited - known == set()


def test_what_our_own_product_is_known_to_fail_is_no_cover() -> None:
    assert "openadr20b-vtn:registration-profiles/transport-xmpp" in own_failures(KNOWN_FILE, SUITE)


def test_the_command_shows_every_rule_with_what_covers_it() -> None:
    shown = CliRunner().invoke(cli, ["rules", "openadr20b"])
    assert "R404   VTN    what a query is answered with" in shown.stdout
    assert "check openadr20b-vtn:registration-query/no-ven-id" in shown.stdout
    assert (
        "test  tests/vtn/protocols/test_oadr2_conversations.py::test_the_start_that_the_harness_wants" in shown.stdout
    )
    few = CliRunner().invoke(cli, ["rules", "openadr20b", "--uncovered"]).stdout
    assert "R404 " not in few
    assert "R507 " in few


def test_an_installed_package_says_that_it_has_no_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(markers, "CHECKOUT", tmp_path)
    shown = CliRunner().invoke(cli, ["rules", "openadr20b"])
    assert shown.exit_code == 0
    assert "test  " not in shown.stdout
    assert "not shipped with the package" in shown.stdout
