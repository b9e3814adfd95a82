"""Runs procedures against a client of IEEE 2030.5: changes what its server has, and waits for what it asks and says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from conformance.api.hearing import HearingRun
from conformance.api.ven_steps import Drop, Hear, Store
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Procedure, Step
from conformance.run import run_procedures
from conformance.schema import sep2_schema_fault
from conformance.sep2.client_steps import Leap, Lost
from conformance.sep2.script import Document, Sep2Script
from conformance.server.hearing import Stage
from conformance.ven.run import Patience
from openadr_core.identity import Peer

NEEDS: Mapping[str, str] = {"pin": "--pin"}
"""What a procedure may need to know of the client, by the option that says it."""
PIN_OF_NOBODY, ANOTHER_PIN = "111115", "222220"
"""Each with its check digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTarget:
    """What the tester gave."""

    peer: Peer
    """Whose certificate the client shows."""
    pin: str = ""
    """That the client was told; empty if it was told none."""
    patience: Patience


def run_suite(
    suite: Suite, target: ClientTarget, script: Sep2Script, stage: Stage, *, only: Iterable[str] = ()
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    return run_procedures(
        suite, lambda: Sep2ClientRun(target, script, stage), lambda one: unmet_needs(one, target), only=only
    )


def unmet_needs(procedure: Procedure, target: ClientTarget) -> str:
    """The options that the tester would have to give for this procedure to run."""
    return ", ".join(option for need, option in NEEDS.items() if need in procedure.needs and not getattr(target, need))


class Sep2ClientRun(HearingRun[Sep2Script]):
    """One procedure at a client."""

    def __init__(self, target: ClientTarget, script: Sep2Script, stage: Stage) -> None:
        peer = target.peer
        facts = {
            "lfdi": peer.lfdi,
            "sfdi": str(peer.sfdi),
            "pin": target.pin or PIN_OF_NOBODY,
            "another_pin": PIN_OF_NOBODY if target.pin == ANOTHER_PIN else ANOTHER_PIN,
            "poll_rate": "1",
        }
        super().__init__(script, stage, target.patience, facts, sep2_schema_fault)
        self.variables["mrid"] = f"{self.variables['run_id'].upper():0>24}00028547"
        for number, name in enumerate(("second_mrid", "third_mrid"), 1):
            self.variables[name] = f"{number}{self.variables['mrid'][1:]}"

    def perform(self, step: Step) -> None:
        match step:
            case Leap():
                self.move_mark()
                self.script.ahead_s += step.seconds
            case Lost():
                self.script.is_lost = True
                self.pause(step.seconds)
                self.script.is_lost = False
                self.move_mark()
            case Hear():
                super().perform(step)
                self.variables["at"] = self.last.path
            case _:
                super().perform(step)

    def renew(self) -> None:
        super().renew()
        self.variables["epoch"] = self.script.epoch

    def store(self, step: Store) -> None:
        self.script.documents[self.render(step.path)] = Document(
            template=step.body, variables={name: text for name, text in self.variables.items() if name != "epoch"}
        )

    def drop(self, step: Drop) -> None:
        self.script.documents.pop(self.render(step.path))
