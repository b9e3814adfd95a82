"""The harness judges this project's own VTN of OpenADR 3 from outside; and no answer that it accepts is beyond doubt.

What the VTN answered is spoilt one way at a time, always into well-formed HTTP and JSON: a check that none of these
can fail would be an ornament.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.__main__ import cli as conformance
from conformance.answers import Sight
from conformance.api.run import ApiRun, identity_of, unmet_needs
from conformance.api.steps import Ask, Who
from conformance.api.target import ApiTarget, Client
from conformance.api.tokens import Tokens
from conformance.checks import Check
from conformance.client.line import Line
from conformance.loading import load_suite, without_extensions
from conformance.procedure import Step
from conformance.run import Stopped, run_procedures

from .our_vtn_of_openadr3 import OurVtn, running_vtn
from .spoiling import spoilt

SUITE = load_suite("openadr3-vtn")


@pytest.fixture(scope="module")
def our_vtn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurVtn]:
    with running_vtn(tmp_path_factory.mktemp("vtn") / "home") as vtn:
        yield vtn


@pytest.mark.openadr3("U9")
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


def test_who_gave_a_token_is_told_that_narrower_ones_take_a_secret(our_vtn: OurVtn) -> None:
    (scopes,) = (one for one in SUITE.procedures if one.id == "scopes-of-tokens")
    target = our_vtn.target
    with_token = {**target.clients, Who.BUSINESS: Client(id="c-business", token="x")}  # noqa: S106  # a test's own
    assert list(unmet_needs(scopes, SUITE, target)) == []
    (webhook,) = (one for one in SUITE.procedures if one.id == "webhook")
    assert list(unmet_needs(webhook, SUITE, target)) == ["--callback-url"]
    assert list(unmet_needs(scopes, SUITE, replace(target, clients=with_token))) == ["--business-secret"]


def test_a_scope_that_no_token_is_given_for_ends_the_procedure(our_vtn: OurVtn) -> None:
    run = ApiRun(our_vtn.target, Tokens(our_vtn.target, identity_of(our_vtn.target), Line), Line)
    with pytest.raises(Stopped, match=r"line 7: no token for write_events: .* gives c-ven no token: HTTP 400"):
        run.perform(Ask(line=7, method="GET", path="events", body="", who=Who.VEN, scope="write_events"))


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
    with our_vtn.told() as target:
        seen = _seen(target)
    told = {(procedure, check.id) for procedure, check, _ in seen}
    assert {(one.id, check.id) for one in SUITE.procedures for check in one.checks} <= told
    ornaments = {
        f"{procedure}/{check.id}"
        for procedure, check, sight in seen
        if check.judge(sight).passed and all(check.judge(wrong).passed for wrong in spoilt(sight))
    }
    assert ornaments == set()


def _seen(target: ApiTarget) -> list[tuple[str, Check, Sight]]:
    tokens = Tokens(target, identity_of(target), Line)
    seen: list[tuple[str, Check, Sight]] = []

    for procedure in SUITE.procedures:

        def start(name: str = procedure.id) -> ApiRun:
            run = Watching(target, tokens, Line)
            run.seen, run.procedure = seen, name
            return run

        assert list(unmet_needs(procedure, SUITE, target)) == []
        list(run_procedures(SUITE, start, lambda _: "", only=[procedure.id]))
    return seen
