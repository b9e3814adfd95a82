"""Runs procedures against a VEN of OpenADR 3: changes what its VTN has, and waits for what it asks and says."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conformance.api.script import ApiScript, Heard, Planned, first_fitting
from conformance.api.ven_steps import Asked, Drop, Expire, Hear, Reply, Silence, Store
from conformance.loading import Suite
from conformance.outcomes import Outcome
from conformance.procedure import Step
from conformance.run import Run, Stopped, run_procedures
from conformance.server.hearing import SILENT, Stage
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


class ApiVenRun(Run):
    """One procedure at a VEN."""

    def __init__(self, target: ApiVenTarget, script: ApiScript, stage: Stage) -> None:
        super().__init__({"program": target.program}, _no_schema)
        self._script = script
        self._stage = stage
        self._patience = target.patience
        self._seen_before = len(script.exchanges)
        self._mark = self._began = len(script.heard)
        """From here on something is news."""
        self._next = self._mark
        """After what was heard last."""
        self.variables |= {name: f"{name}-{self.variables['run_id']}" for name in ("program_id", "event_id")}
        self.renew()

    def perform(self, step: Step) -> None:
        match step:
            case Store():
                self._move_mark()
                self.renew()
                self._script.store(self.render(step.path), json.loads(self.render(step.body)))
            case Drop():
                self._move_mark()
                collection, _, name = self.render(step.path).partition("/")
                self._script.objects[collection].pop(name)
            case Expire():
                self._move_mark()
                self._script.tokens.clear()
            case Reply():
                self._move_mark()
                self._script.planned.append(Planned(reply=step, variables=dict(self.variables), left=step.times))
            case Hear():
                self._hear(step)
            case Silence():
                self._silence(step)

    def pause(self, seconds: float) -> None:
        self._stage.wait(lambda: None, seconds)

    def close(self) -> None:
        """The VTN has nothing for the VEN any more, and says nothing odd."""
        self._script.planned.clear()
        for collection in ("programs", "events"):
            self._script.objects[collection].clear()
        self.exchanges.extend(self._script.exchanges[self._seen_before :])

    def _move_mark(self) -> None:
        self._mark = self._next = len(self._script.heard)

    def _hear(self, step: Hear) -> None:
        patience_s = self._patience.answer_s if self._script.heard else self._patience.connect_s
        start = self._next if step.again else self._mark
        found = self._heard(step.asked, start, patience_s)
        if found is None:
            raise Stopped(f"line {step.line}: no {step.asked.method} {step.asked.path.pattern} came")
        self._next, heard = found
        self.last = heard.what
        self.judge_last(step)

    def _silence(self, step: Silence) -> None:
        start = self._began if step.all_along else len(self._script.heard)
        found = self._heard(step.asked, start, step.for_s)
        self.last = found[1].what if found else SILENT
        self.judge_last(step)

    def _heard(self, asked: Asked, start: int, within_s: float) -> tuple[int, Heard] | None:
        """The first such request from there on, and the place after it."""
        heard = self._script.heard
        return self._stage.wait(lambda: first_fitting(asked, heard, start, self.variables), within_s)


def _no_schema(_: Element) -> str:
    return "no procedure of this suite asks for a schema"
