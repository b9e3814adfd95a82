"""Runs procedures against a target, one exchange after the other."""

import contextlib
import math
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from conformance.answers import Answer, SchemaFault, Sight
from conformance.checks import Check, Judgement
from conformance.event_hook import WIRE_TIME, HookFailed, run_hook
from conformance.loading import Suite
from conformance.openadr20b import CONTENT_TYPE
from conformance.outcomes import Finding, Outcome, Verdict
from conformance.procedure import (
    EventAction,
    Identity,
    MakeEvent,
    Procedure,
    Repeat,
    Send,
    Step,
    Wait,
    flattened,
    sends,
)
from conformance.queries import Query, rendered
from conformance.target import Target
from conformance.wire import Carrier, Connect, Exchange, Line, RawRequest

NOTHING: Mapping[str, str] = MappingProxyType({})


class Stopped(Exception):
    """The procedure cannot go on."""


def run_suite(
    suite: Suite,
    target: Target,
    schema_fault: SchemaFault,
    *,
    only: Iterable[str] = (),
    connect: Connect = Line,
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    chosen = set(only)
    for procedure in suite.procedures:
        if not chosen or procedure.id in chosen:
            yield run_procedure(procedure, suite, target, schema_fault, connect)


def run_procedure(
    procedure: Procedure, suite: Suite, target: Target, schema_fault: SchemaFault, connect: Connect
) -> Outcome:
    if needs := ", ".join(unmet_needs(procedure, suite, target)):
        return Outcome(procedure=procedure, verdict=Verdict.NOT_RUN, reason=f"needs {needs}")
    started = time.perf_counter()
    run = _Run(target, schema_fault, connect)
    try:
        verdict, reason = run.judge(procedure, suite)
        findings = tuple(run.findings.values())
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


def unmet_needs(procedure: Procedure, suite: Suite, target: Target) -> Iterator[str]:
    """The options that the tester would have to give for this procedure to run."""
    steps = [step for name in procedure.preconditions for step in suite.sequences[name]]
    steps.extend(procedure.steps)
    shown = {step.identity for step in sends(tuple(steps))} - {Identity.NONE}
    yield from (f"--{identity}-certificate" for identity in sorted(shown - set(target.certificates)))
    if not target.event_hook and any(isinstance(step, MakeEvent) for step in flattened(tuple(steps))):
        yield "--event-hook"


class _Run:
    """One procedure under way: its variables, its connections, what it found so far."""

    def __init__(self, target: Target, schema_fault: SchemaFault, connect: Connect) -> None:
        self.findings: dict[str, Finding] = {}
        self.exchanges: list[Exchange] = []
        self._target = target
        self._schema_fault = schema_fault
        self._connect = connect
        self._carriers: dict[tuple[Identity, str], Carrier] = {}
        self._last = Answer(failure="nothing was sent yet")
        self._variables = {"ven_name": target.ven_name, "run_id": uuid.uuid4().hex[:8]}

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
            with contextlib.suppress(Stopped):
                self._walk(steps)
        for carrier in self._carriers.values():
            carrier.close()

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
                case Send(for_each=None):
                    self._send(step)
                case Send():
                    self._send_for_each(step)
                case MakeEvent():
                    self._make_event(step)
                case Wait():
                    time.sleep(step.seconds)
                case Repeat():
                    self._repeat(step)

    def _send_for_each(self, step: Send) -> None:
        root = self._last.root
        if root is None or step.for_each is None:
            return
        for node in step.for_each.nodes(root, self._variables):
            taken = {name: query.string(node, self._variables).strip() for name, query in step.take.items()}
            self._send(step, taken)

    def _send(self, step: Send, taken: Mapping[str, str] = NOTHING) -> None:
        self._variables |= {
            "request_id": f"req-{uuid.uuid4().hex[:12]}",
            "now": datetime.now(UTC).strftime(WIRE_TIME),
        }
        own = {**self._variables, **taken}
        own |= {name: rendered(template, own) for name, template in step.given.items()}
        answers = [self._exchange(step, own) for _ in range(step.times)]
        self._last = min(answers, key=lambda answer: answer.elapsed_s if answer.status else math.inf)
        sight = Sight(
            answer=self._last,
            variables=self._variables,
            schema_fault=self._schema_fault,
            latency_s=self._target.latency_s,
        )
        for check in step.expect:
            if check.id not in self.findings or self.findings[check.id].passed:
                self._note(check, check.judge(sight), line=step.line)
        self._capture(step)

    def _note(self, check: Check, judged: Judgement, *, line: int = 0) -> None:
        self.findings[check.id] = Finding(
            check_id=check.id,
            clauses=check.clauses,
            passed=judged.passed,
            expected=judged.expected,
            found=judged.found,
            line=line,
        )

    def _exchange(self, step: Send, variables: Mapping[str, str]) -> Answer:
        offered = (step.identity, step.suite)
        if offered not in self._carriers:
            self._carriers[offered] = self._connect(self._target, *offered)
        exchange = self._carriers[offered].exchange(self._request(step, variables))
        self.exchanges.append(exchange)
        return exchange.answer

    def _request(self, step: Send, variables: Mapping[str, str]) -> RawRequest:
        body = rendered(step.body, variables, xml=True).encode(step.encoding)
        headers: dict[str, str | None] = {"Host": self._target.parts.netloc}
        if body:
            # OpenADR 2.0b 9.1.9: Host, Content-Length, Content-Type, and a length instead of chunks.
            headers["Content-Type"] = CONTENT_TYPE
            headers |= {"Transfer-Encoding": "chunked"} if step.chunked else {"Content-Length": str(len(body))}
        headers |= step.headers
        return RawRequest(
            method=step.method,
            path=self._target.prefix + rendered(step.path, variables),
            headers=[(name, rendered(value, variables)) for name, value in headers.items() if value is not None],
            body=body,
            chunked=step.chunked,
        )

    def _capture(self, step: Send) -> None:
        for name, query in step.capture.items():
            root = self._last.root
            value = query.string(root, self._variables).strip() if root is not None else ""
            if not value:
                raise Stopped(f"line {step.line}: no {name} in the answer: {query.text} gives nothing")
            self._variables[name] = value

    def _make_event(self, step: MakeEvent) -> None:
        if step.action is EventAction.CANCEL and step.variable not in self._variables:
            raise Stopped(f"line {step.line}: there is no {step.variable} to cancel")
        try:
            self._variables[step.variable] = run_hook(self._target.event_hook, step, self._variables)
        except HookFailed as failed:
            raise Stopped(f"line {step.line}: {failed}") from None

    def _repeat(self, step: Repeat) -> None:
        """The last time counts: what was found before is forgotten."""
        before = dict(self.findings)
        for round_ in range(step.at_most):
            time.sleep(step.pause_s if round_ else 0.0)
            self.findings = dict(before)
            self._walk(step.steps)
            if self._seen(step.until):
                return
        raise Stopped(f"line {step.line}: {step.until.text} did not come in {step.at_most} times")

    def _seen(self, query: Query) -> bool:
        return self._last.root is not None and query.truth(self._last.root, self._variables)
