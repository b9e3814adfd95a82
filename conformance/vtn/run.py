"""Runs procedures against a VTN, one exchange after the other."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from conformance.answers import Answer, SchemaFault
from conformance.client.line import Connect, Line
from conformance.client.sender import Sender
from conformance.client.steps import Identity, Send
from conformance.hook import run_hook
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Operate, Procedure, Step, flattened
from conformance.run import run_procedures, steps_of
from conformance.server.hearing import Ear, ListeningRun, Stage
from conformance.server.steps import Attempt, Hear, Reply, Serve, Shown, Silence
from conformance.vtn.pushed_ven import PushedVen
from conformance.vtn.target import Target

NOTHING: Mapping[str, str] = MappingProxyType({})
IDS = frozenset({"ven_id", "registration_id"})
LISTENING = (Hear, Silence, Reply, Serve, Attempt)
SERVED_AS: Mapping[Shown, Identity] = {
    Shown.GOOD: Identity.ENROLLED,
    Shown.EXPIRED: Identity.EXPIRED,
    Shown.FOREIGN: Identity.FOREIGN,
    Shown.OTHER: Identity.OTHER,
}
"""Whose certificate the harness shows where it is pushed to; the foreign one is made for the enrolled party's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """Where the VTN under test can push to."""

    ven: PushedVen
    stage: Stage


def run_suite(
    suite: Suite,
    target: Target,
    schema_fault: SchemaFault,
    *,
    only: Iterable[str] = (),
    connect: Connect = Line,
    pushing: Pushing | None = None,
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    return run_procedures(
        suite,
        lambda: VtnRun(target, schema_fault, connect, pushing),
        lambda procedure: ", ".join(unmet_needs(procedure, suite, target)),
        only=only,
    )


def unmet_needs(procedure: Procedure, suite: Suite, target: Target) -> Iterator[str]:
    """The options that the tester would have to give for this procedure to run."""
    steps = tuple(flattened(steps_of(procedure, suite)))
    sent = {step.identity for step in steps if isinstance(step, Send)} - {Identity.NONE}
    served = {SERVED_AS[step.certificate] for step in steps if isinstance(step, Serve)} - {Identity.FOREIGN}
    yield from (f"--{identity}-certificate" for identity in sorted((sent | served) - set(target.certificates)))
    yield from (f"--{need}" for need in procedure.needs if need not in target.given)
    if not target.hook and any(isinstance(step, Operate) for step in steps):
        yield "--operator-hook"
    if not target.push_address and any(isinstance(step, LISTENING) for step in steps):
        yield "--push-listen"


class VtnRun(ListeningRun):
    """One procedure at a VTN, with its connections."""

    def __init__(
        self, target: Target, schema_fault: SchemaFault, connect: Connect, pushing: Pushing | None = None
    ) -> None:
        super().__init__(
            {"ven_name": target.ven_name, "push_address": target.push_address, **target.prepared},
            schema_fault,
            operate=partial(run_hook, target.hook) if target.hook else None,
            latency_s=target.latency_s,
        )
        self._sender = Sender(target, connect)
        self._ven = pushing.ven if pushing else None
        self._ear = Ear(listener=pushing.ven, stage=pushing.stage, patience_s=target.patience_s) if pushing else None
        self._pushes_before = 0
        if self._ven is not None:
            self._ven.ids.clear()
            self._pushes_before = len(self._ven.exchanges)

    def perform(self, step: Step) -> None:
        match step:
            case Send(for_each=None):
                self._send(step)
            case Send():
                self._send_for_each(step)
            case _:
                super().perform(step)

    def pause(self, seconds: float) -> None:
        if self._ear is None:
            super().pause(seconds)
        else:
            self._ear.stage.wait(lambda: None, seconds)

    @property
    def others(self) -> Sequence[Answer]:
        """What was pushed in the whole run besides."""
        return [*super().others, *(heard.what for heard in self._ven.heard)] if self._ven else super().others

    def before_operating(self) -> None:
        if self._ear is not None:
            self._ear.move_mark()

    def close(self) -> None:
        self._sender.close()
        if self._ven is not None:
            self._ven.replies.clear()
            pushes = self._ven.exchanges[self._pushes_before :]
            self.exchanges = sorted([*self.exchanges, *pushes], key=lambda exchange: exchange.at)

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
        self._tell_the_ven()

    def _tell_the_ven(self) -> None:
        """What it is called, as soon as the VTN has said so: it may be pushed to at once."""
        if self._ven is not None and set(self.variables) >= IDS:
            self._ven.ids |= {name: self.variables[name] for name in IDS}
