"""A VEN that calls off, goes on or starts as none may is found out, each by the procedure that is for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import pytest

from conformance.api.script import ApiScript
from conformance.api.ven_run import ApiVenRun, ApiVenTarget
from conformance.commands.openadr3_ven import BASE
from conformance.loading import load_suite
from conformance.outcomes import Verdict
from conformance.run import run_procedures
from conformance.server.hearing import Stage
from conformance.ven.run import Patience

from .model_api_ven import ModelApiVen

SUITE = load_suite("openadr3-ven")
NAMES = ("page-that-fails", "bad-answers", "changed", "called-off-in-place", "randomised")
TARGET = ApiVenTarget(program="p", patience=Patience(connect_s=20, answer_s=20))


def verdicts(wrong: str) -> Mapping[str, Verdict]:
    script = ApiScript(base=BASE, client_id="house", client_secret="x")  # noqa: S106  # a test's own
    ven = ModelApiVen(script=script, wrong=wrong)

    stage = cast("Stage", ven)  # the harness only waits on it

    class Run(ApiVenRun):
        def utc(self) -> datetime:
            return ven.now

    outcomes = run_procedures(SUITE, lambda: Run(TARGET, script, stage), lambda _: "", only=NAMES)
    return {one.procedure.id: one.verdict for one in outcomes}


def test_a_good_one_passes() -> None:
    assert verdicts("") == dict.fromkeys(NAMES, Verdict.PASSED)


@pytest.mark.parametrize(
    ("wrong", "found_by"),
    [
        ("takes half a list for all", ["page-that-fails", "bad-answers"]),
        ("takes a failure for nothing", ["page-that-fails", "bad-answers"]),
        ("reads whatever says 200", ["bad-answers"]),
        ("forgets nothing", ["page-that-fails"]),
        ("follows no change", ["changed", "called-off-in-place"]),
        ("goes on with what was called off", ["called-off-in-place"]),
        ("starts at random", ["randomised"]),
    ],
)
def test_a_wrong_one_is_found_out(wrong: str, found_by: list[str]) -> None:
    found = verdicts(wrong)
    assert [name for name in NAMES if found[name] is Verdict.FAILED] == found_by
