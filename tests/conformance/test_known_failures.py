"""What is expected to fail must fail, and nothing else may."""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.known import KNOWN_FILE, Judged, Known, judge, load_known, load_not_done
from conformance.loading import load_suite
from conformance.outcomes import Finding, Outcome, Verdict
from openadr_core.errors import ConfigError

SUITE = load_suite("openadr20b-vtn")
PROCEDURE = SUITE.procedures[0]
FAILED_CHECK, PASSED_CHECK = (check.id for check in PROCEDURE.checks[:2])


def finding(check_id: str, *, passed: bool) -> Finding:
    return Finding(check_id=check_id, clauses=("R1",), passed=passed, expected="this", found="that", line=3)


OUTCOME = Outcome(
    procedure=PROCEDURE,
    verdict=Verdict.FAILED,
    findings=(finding(FAILED_CHECK, passed=False), finding(PASSED_CHECK, passed=True)),
)


def judged(outcome: Outcome, **reasons: str) -> Judged:
    return judge(
        outcome, Known(reasons={outcome.procedure.id: {name.replace("_", "-"): why for name, why in reasons.items()}})
    )


def test_a_failure_nobody_expected_is_a_surprise() -> None:
    result = judged(OUTCOME)
    assert not result.as_expected
    assert result.surprises == {FAILED_CHECK: "that"}
    assert result.label == "failed"


def test_a_failure_that_was_expected_is_as_expected() -> None:
    result = judge(OUTCOME, Known(reasons={PROCEDURE.id: {FAILED_CHECK: "old"}}))
    assert result.as_expected
    assert (result.label, result.known) == ("failed (known)", {FAILED_CHECK: "old"})


def test_an_unexpected_pass_is_not_as_expected() -> None:
    result = judge(OUTCOME, Known(reasons={PROCEDURE.id: {FAILED_CHECK: "old", PASSED_CHECK: "older"}}))
    assert not result.as_expected
    assert (result.label, result.unexpected_passes) == ("unexpected pass", {PASSED_CHECK: "older"})


@pytest.mark.parametrize(
    ("verdict", "name"), [(Verdict.BLOCKED, "blocked"), (Verdict.NOT_RUN, "not_run"), (Verdict.FAILED, "stopped")]
)
def test_not_coming_to_a_verdict_must_be_expected_too(verdict: Verdict, name: str) -> None:
    outcome = Outcome(procedure=PROCEDURE, verdict=verdict, reason="why not")
    assert not judged(outcome).as_expected
    assert judged(outcome, **{name: "known"}).as_expected
    assert not judged(replace(outcome, verdict=Verdict.PASSED, reason=""), **{name: "known"}).as_expected


def test_the_file_that_ships_fits_the_procedures() -> None:
    known = load_known(KNOWN_FILE, "openleadr", SUITE)
    assert known.reasons["registration-query"]["no-ven-id"]
    assert load_not_done(KNOWN_FILE, "openadr20b")["R507"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[targets.other]", "no section [targets.x]"),
        ("[targets.x.openadr20b-vtn.no-such]\na = 'b'", "no-such]: no such procedure"),
        ("[targets.x.openadr20b-vtn.poll-empty]\nno-such = 'b'", "poll-empty.no-such: no such check, or no reason"),
        ("[targets.x.openadr20b-vtn.poll-empty]\nanswer = ''", "poll-empty.answer: no such check, or no reason"),
        ("[targets", "known.toml: "),
    ],
)
def test_an_entry_that_would_excuse_nothing_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "known.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_known(file, "x", SUITE)
    assert complaint in str(refused.value)
