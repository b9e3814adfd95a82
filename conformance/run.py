"""Runs procedures against a peer: what is the same whichever side is under test."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from conformance.answers import Answer, SchemaFault, Sight
from conformance.checks import Check, Judgement
from conformance.exchanges import Exchange
from conformance.hook import HookCannot, HookFailed
from conformance.loading import Suite
from conformance.outcomes import Finding, Outcome, Verdict
from conformance.procedure import Operate, Procedure, Remember, Repeat, Step, Wait
from conformance.queries import WIRE_TIME, Query, rendered
from openadr_core.errors import ConfigError

Operator = Callable[[str, Mapping[str, Any], Mapping[str, str]], str]
"""Whoever operates the peer: an action, the wish and the variables of the run give what the hook prints."""


class Stopped(Exception):
    """The procedure cannot go on."""


class Inapplicable(Exception):
    """The peer has not what the procedure is about."""


class Run:
    """One procedure under way: its variables, what came last, what it found so far. A role adds its own steps."""

    def __init__(
        self,
        variables: Mapping[str, str],
        schema_fault: SchemaFault,
        *,
        operate: Operator | None = None,
        latency_s: float = 0.0,
    ) -> None:
        self.findings: dict[str, Finding] = {}
        self.exchanges: list[Exchange] = []
        self.variables = {"run_id": uuid.uuid4().hex[:8], **variables}
        self.last = Answer(failure="nothing was sent yet")
        self._schema_fault = schema_fault
        self._ask_operator = operate
        self._latency_s = latency_s

    # -- what a role adds --------------------------------------------------------------

    def perform(self, step: Step) -> None:
        """Do a step of the role's own, and note what came of it."""
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def utc(self) -> datetime:
        return datetime.now(UTC)

    @property
    def others(self) -> Sequence[Answer]:
        """All that came from the peer so far."""
        return [exchange.answer for exchange in self.exchanges]

    def before_operating(self) -> None:
        """The operator is about to be asked for something."""

    def close(self) -> None:
        """The procedure is over."""

    # -- a procedure -------------------------------------------------------------------

    def judge(self, procedure: Procedure, suite: Suite) -> tuple[Verdict, str]:
        """The verdict, and why it came to no verdict on all that was asked."""
        for name in procedure.preconditions:
            if problem := self._prepare(suite.sequences[name]):
                return Verdict.BLOCKED, f"{name}: {problem}"
        self.findings = {}
        try:
            self._walk(procedure.steps)
        except Stopped as stopped:
            return Verdict.FAILED, str(stopped)
        for check in procedure.checks:
            if check.id not in self.findings:
                unjudged = Judgement(passed=False, expected=check.kind.expected, found="it did not come to be judged")
                self._note(check, unjudged)
        return Verdict.PASSED if all(finding.passed for finding in self.findings.values()) else Verdict.FAILED, ""

    def tidy(self, sequences: Iterable[tuple[Step, ...]]) -> None:
        """Take away what the procedure made; what goes wrong here was not the question."""
        for steps in sequences:
            with contextlib.suppress(Stopped, Inapplicable):
                self._walk(steps)
        self.close()

    def _prepare(self, steps: tuple[Step, ...]) -> str:
        self.findings = {}
        stopped = ""
        try:
            self._walk(steps)
        except Stopped as why:
            stopped = str(why)
        for finding in self.findings.values():
            if not finding.passed:
                return f"{finding.check_id}: expected {finding.expected}, found {finding.found}"
        return stopped

    def _walk(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case Wait():
                    self.pause(step.seconds)
                case Remember():
                    self.renew()
                    self.variables |= {name: self.render(text) for name, text in step.given.items()}
                case Repeat():
                    self._repeat(step)
                case Operate():
                    self._operate(step)
                case _:
                    self.perform(step)

    # -- what every role does ----------------------------------------------------------

    def render(self, template: str, *, xml: bool = False, own: Mapping[str, str] | None = None) -> str:
        return rendered(template, self.variables if own is None else own, xml=xml)

    def renew(self) -> None:
        """The variables that are fresh in each message."""
        self.variables |= {"request_id": f"req-{uuid.uuid4().hex[:12]}", "now": self.utc().strftime(WIRE_TIME)}

    def judge_last(self, step: Step) -> None:
        """Note what the step's checks say of what came last, and take what it wants captured."""
        sight = Sight(
            answer=self.last,
            variables=self.variables,
            schema_fault=self._schema_fault,
            latency_s=self._latency_s,
            others=self.others,
        )
        for check in step.expect:
            if check.id not in self.findings or self.findings[check.id].passed:
                self._note(check, check.judge(sight), line=step.line)
        for name, query in step.capture.items():
            root = self.last.root
            value = query.string(root, self.variables).strip() if root is not None else ""
            if not value:
                raise Stopped(f"line {step.line}: no {name} in what came: {query.text} gives nothing")
            self.variables[name] = value

    def keep(self, step: Step, headers: Mapping[str, str]) -> None:
        """Variables from headers of what came last, ``name: Header``; one that is not there ends the procedure."""
        for name, header in headers.items():
            if (value := self.last.header(header)) is None:
                raise Stopped(f"line {step.line}: no {name} in what came: no header {header}")
            self.variables[name] = value

    def _note(self, check: Check, judged: Judgement, *, line: int = 0) -> None:
        self.findings[check.id] = Finding(
            check_id=check.id,
            clauses=check.clauses,
            passed=judged.passed,
            expected=judged.expected,
            found=judged.found,
            line=line,
        )

    def _operate(self, step: Operate) -> None:
        if self._ask_operator is None:
            raise Inapplicable("--operator-hook")
        self.before_operating()
        try:
            wish = {name: self.render(text) for name, text in step.wish.items()}
            event = step.event.document(self.utc(), self.render) if step.event else {}
        except ConfigError as missing:
            raise Stopped(f"line {step.line}: {step.action}: {missing}") from None
        try:
            printed = self._ask_operator(step.action, {**event, **wish}, self.variables)
        except HookCannot as cannot:
            raise Inapplicable(str(cannot)) from None
        except HookFailed as failed:
            raise Stopped(f"line {step.line}: {failed}") from None
        if step.variable:
            if not printed:
                raise Stopped(f"line {step.line}: the hook printed no {step.variable}")
            self.variables[step.variable] = printed

    def _repeat(self, step: Repeat) -> None:
        """The last time counts: what was found before is forgotten."""
        before = dict(self.findings)
        for round_ in range(step.at_most):
            self.pause(step.pause_s if round_ else 0.0)
            self.findings = dict(before)
            self._walk(step.steps)
            if self._seen(step.until):
                return
        raise Stopped(f"line {step.line}: {step.until.text} did not come in {step.at_most} times")

    def _seen(self, query: Query) -> bool:
        return self.last.root is not None and query.truth(self.last.root, self.variables)


def run_procedures(
    suite: Suite, start: Callable[[], Run], unmet: Callable[[Procedure], str], *, only: Iterable[str] = ()
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there; ``unmet`` names what a procedure lacks."""
    chosen = set(only)
    for procedure in suite.procedures:
        if not chosen or procedure.id in chosen:
            yield _outcome(procedure, suite, start, unmet(procedure))


def _outcome(procedure: Procedure, suite: Suite, start: Callable[[], Run], needs: str) -> Outcome:
    if needs:
        return Outcome(procedure=procedure, verdict=Verdict.NOT_RUN, reason=f"needs {needs}")
    started = time.perf_counter()
    run = start()
    try:
        verdict, reason = run.judge(procedure, suite)
        findings = tuple(run.findings.values())
    except Inapplicable as why:
        verdict, reason, findings = Verdict.NOT_RUN, f"needs {why}", ()
    finally:
        run.tidy(suite.sequences[name] for name in procedure.afterwards)
    return Outcome(
        procedure=procedure,
        verdict=verdict,
        findings=() if verdict is Verdict.BLOCKED else findings,
        reason=reason,
        exchanges=tuple(run.exchanges),
        elapsed_s=time.perf_counter() - started,
    )


def steps_of(procedure: Procedure, suite: Suite) -> tuple[Step, ...]:
    """Everything that it does, but for the tidying."""
    prepared = (step for name in procedure.preconditions for step in suite.sequences[name])
    return (*prepared, *procedure.steps)
