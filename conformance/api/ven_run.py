"""Runs procedures against a VEN of OpenADR 3: changes what its VTN has, and waits for what it asks and says."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conformance.api.hearing import HearingRun
from conformance.api.script import ApiScript
from conformance.api.ven_steps import Drop, Expire, Store
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Step
from conformance.run import run_procedures
from conformance.server.hearing import Stage
from conformance.ven.run import Patience
from openadr_core.xml.parse import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiVenTarget:
    """What the tester gave."""

    program: str
    """The name of a program that the VEN takes part in."""
    patience: Patience


def run_suite(
    suite: Suite, target: ApiVenTarget, script: ApiScript, stage: Stage, *, only: Iterable[str] = ()
) -> Iterator[Outcome]:
    """The outcomes in order, each as soon as it is there."""
    return run_procedures(suite, lambda: ApiVenRun(target, script, stage), lambda _: "", only=only)


class ApiVenRun(HearingRun[ApiScript]):
    """One procedure at a VEN."""

    def __init__(self, target: ApiVenTarget, script: ApiScript, stage: Stage) -> None:
        super().__init__(script, stage, target.patience, {"program": target.program}, _no_schema)
        self.variables |= {name: f"{name}-{self.variables['run_id']}" for name in ("program_id", "event_id")}
        self.renew()

    def perform(self, step: Step) -> None:
        if isinstance(step, Expire):
            self.move_mark()
            self.script.tokens.clear()
        else:
            super().perform(step)

    def store(self, step: Store) -> None:
        self.script.store(self.render(step.path), json.loads(self.render(step.body)))

    def drop(self, step: Drop) -> None:
        collection, _, name = self.render(step.path).partition("/")
        self.script.objects[collection].pop(name)

    def close(self) -> None:
        """The VTN has nothing for the VEN any more, and says nothing odd."""
        super().close()
        for collection in ("programs", "events"):
            self.script.objects[collection].clear()


def _no_schema(_: Element) -> str:
    return "no procedure of this suite asks for a schema"
