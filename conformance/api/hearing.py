"""Runs procedures against a client of a web API: its server's script changes, and what it asks for is waited for."""

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from conformance.answers import SchemaFault
from conformance.api.ear import Ear
from conformance.api.script import Heard, Planned
from conformance.api.ven_steps import Drop, Hear, Reply, Silence, Store
from conformance.exchanges import Exchange
from conformance.procedure import Step
from conformance.run import Run
from conformance.server.hearing import Stage
from conformance.ven.run import Patience


class Script(Protocol):
    """What the server has, and what it heard."""

    @property
    def heard(self) -> list[Heard]: ...

    @property
    def planned(self) -> list[Planned]: ...

    @property
    def exchanges(self) -> list[Exchange]: ...


ItsScript = TypeVar("ItsScript", bound=Script)


class HearingRun(Run, Generic[ItsScript]):
    """One procedure at a client. What its server has is stored by each protocol in its own way."""

    def __init__(
        self,
        script: ItsScript,
        stage: Stage,
        patience: Patience,
        variables: Mapping[str, str],
        schema_fault: SchemaFault,
    ) -> None:
        super().__init__(variables, schema_fault)
        self.script = script
        self._stage = stage
        self._patience = patience
        self._seen_before = len(script.exchanges)
        self._ear = Ear(script.heard, stage)

    def store(self, step: Store) -> None:
        raise NotImplementedError

    def drop(self, step: Drop) -> None:
        raise NotImplementedError

    def perform(self, step: Step) -> None:
        match step:
            case Store():
                self.move_mark()
                self.renew()
                self.store(step)
            case Drop():
                self.move_mark()
                self.drop(step)
            case Reply():
                self.move_mark()
                self.script.planned.append(Planned(reply=step, variables=dict(self.variables), left=step.times))
            case Hear():
                self._hear(step)
            case Silence():
                self.last = self._ear.unwanted(step, self.variables)
                self.judge_last(step)

    def pause(self, seconds: float) -> None:
        self._stage.wait(lambda: None, seconds)

    def close(self) -> None:
        """The server says nothing odd any more."""
        self.script.planned.clear()
        self.exchanges.extend(self.script.exchanges[self._seen_before :])

    def move_mark(self) -> None:
        self._ear.mark()

    def _hear(self, step: Hear) -> None:
        is_awaited = step.returns or not self.script.heard
        within_s = self._patience.connect_s if is_awaited else self._patience.answer_s
        self.last = self._ear.hear(step, within_s, self.variables)
        self.judge_last(step)
