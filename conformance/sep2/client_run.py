"""Runs procedures against a client of IEEE 2030.5: changes what its server has, and waits for what it asks and says."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conformance.api.hearing import HearingRun
from conformance.api.ven_steps import Drop, Store
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.run import run_procedures
from conformance.schema import sep2_schema_fault
from conformance.sep2.script import Document, Sep2Script
from conformance.server.hearing import Stage
from conformance.ven.run import Patience
from openadr_core.identity import Peer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTarget:
    """What the tester gave."""

    peer: Peer
    """Whose certificate the client shows."""
    pin: str
    patience: Patience


def run_suite(
    suite: Suite, target: ClientTarget, script: Sep2Script, stage: Stage, *, only: Iterable[str] = ()
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    return run_procedures(suite, lambda: Sep2ClientRun(target, script, stage), lambda _: "", only=only)


class Sep2ClientRun(HearingRun[Sep2Script]):
    """One procedure at a client."""

    def __init__(self, target: ClientTarget, script: Sep2Script, stage: Stage) -> None:
        peer = target.peer
        facts = {"lfdi": peer.lfdi, "sfdi": str(peer.sfdi), "pin": target.pin, "poll_rate": "1"}
        super().__init__(script, stage, target.patience, facts, sep2_schema_fault)
        self.variables["mrid"] = f"{self.variables['run_id'].upper():0>24}00028547"
        self.variables["second_mrid"] = f"1{self.variables['mrid'][1:]}"

    def renew(self) -> None:
        super().renew()
        self.variables["epoch"] = self.script.epoch

    def store(self, step: Store) -> None:
        self.script.documents[self.render(step.path)] = Document(
            template=step.body, variables={name: text for name, text in self.variables.items() if name != "epoch"}
        )

    def drop(self, step: Drop) -> None:
        self.script.documents.pop(self.render(step.path))
