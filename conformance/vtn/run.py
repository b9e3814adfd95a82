"""Runs procedures against a VTN, one exchange after the other."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from conformance.answers import SchemaFault
from conformance.client.line import Connect, Line
from conformance.client.sender import Sender
from conformance.client.steps import Identity, Send
from conformance.hook import run_hook
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Operate, Procedure, Step, flattened
from conformance.run import Run, run_procedures, steps_of
from conformance.vtn.target import Target

NOTHING: Mapping[str, str] = MappingProxyType({})


def run_suite(
    suite: Suite,
    target: Target,
    schema_fault: SchemaFault,
    *,
    only: Iterable[str] = (),
    connect: Connect = Line,
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    return run_procedures(
        suite,
        lambda: VtnRun(target, schema_fault, connect),
        lambda procedure: ", ".join(unmet_needs(procedure, suite, target)),
        only=only,
    )


def unmet_needs(procedure: Procedure, suite: Suite, target: Target) -> Iterator[str]:
    """The options that the tester would have to give for this procedure to run."""
    steps = tuple(flattened(steps_of(procedure, suite)))
    shown = {step.identity for step in steps if isinstance(step, Send)} - {Identity.NONE}
    yield from (f"--{identity}-certificate" for identity in sorted(shown - set(target.certificates)))
    if not target.hook and any(isinstance(step, Operate) for step in steps):
        yield "--operator-hook"


class VtnRun(Run):
    """One procedure at a VTN, with its connections."""

    def __init__(self, target: Target, schema_fault: SchemaFault, connect: Connect) -> None:
        super().__init__(
            {"ven_name": target.ven_name},
            schema_fault,
            operate=partial(run_hook, target.hook) if target.hook else None,
            latency_s=target.latency_s,
        )
        self._sender = Sender(target, connect)

    def perform(self, step: Step) -> None:
        match step:
            case Send(for_each=None):
                self._send(step)
            case Send():
                self._send_for_each(step)

    def close(self) -> None:
        self._sender.close()

    def _send_for_each(self, step: Send) -> None:
        root = self.last.root
        if root is None or step.for_each is None:
            return
        for node in step.for_each.nodes(root, self.variables):
            taken = {name: query.string(node, self.variables).strip() for name, query in step.take.items()}
            self._send(step, taken)

    def _send(self, step: Send, taken: Mapping[str, str] = NOTHING) -> None:
        self.renew()
        own = {**self.variables, **taken}
        own |= {name: self.render(template, own=own) for name, template in step.given.items()}
        exchanges = [self._sender.send(step, own) for _ in range(step.times)]
        self.exchanges.extend(exchanges)
        answers = [exchange.answer for exchange in exchanges]
        self.last = min(answers, key=lambda answer: answer.elapsed_s if answer.status else math.inf)
        self.judge_last(step)
