"""Procedures that listen: what every run does that waits for what the peer says by itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from conformance.answers import Answer
from conformance.procedure import Step
from conformance.run import Inapplicable, Run, Stopped
from conformance.server.listener import Heard, Listener
from conformance.server.steps import Attempt, Hear, Reply, Serve, Shown, Silence

Found = TypeVar("Found")
SILENT = Answer(failure="nothing came", silent=True)


class Stage(Protocol):
    """Where the peer and the listener meet: sockets, or a model of both."""

    attempts: list[Answer]
    """How each connection's handshake ended."""

    def utc(self) -> datetime: ...

    def seconds(self) -> float:
        """A clock that only goes forward."""

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        """What ``found`` gives as soon as it gives something, while the peer goes on; None if time is over."""

    def serve(self, certificate: Shown, *, certification_suites: bool) -> None:
        """Be this server from now on, on new connections only."""

    def tell_tester(self, text: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Ear:
    """What a procedure under way has heard."""

    listener: Listener
    stage: Stage
    patience_s: float
    """For anything that the peer does by itself."""
    mark: int = 0
    """From here on something is news."""
    marked_s: float = 0.0
    last: int = -1
    """What was heard last."""
    attempts: int = 0
    """So many handshakes were looked at."""

    def __post_init__(self) -> None:
        self.move_mark()
        self.last = self.mark - 1

    def move_mark(self) -> None:
        self.mark, self.marked_s = len(self.listener.heard), self.stage.seconds()

    def first(self, wanted: Hear | Silence, since: int, variables: dict[str, str]) -> tuple[int, Heard] | None:
        for index, heard in enumerate(self.listener.heard[since:], since):
            if heard.payload in wanted.payloads and (
                wanted.where is None or (heard.what.root is not None and wanted.where.truth(heard.what.root, variables))
            ):
                return index, heard
        return None

    def hear(self, step: Hear, within_s: float, variables: dict[str, str]) -> Answer | None:
        """What the step waits for, and how long after what came before it came."""
        since = self.last + 1 if step.again else self.mark
        found = self.stage.wait(lambda: self.first(step, since, variables), within_s)
        before_s = self.listener.heard[self.last].at_s if step.again else self.marked_s
        if found is None:
            return None
        self.last, heard = found
        return replace(heard.what, elapsed_s=heard.at_s - before_s)

    def unwanted(self, step: Silence, for_s: float, variables: dict[str, str], *, since: int) -> Answer:
        """What the step wants not to hear, if it comes; SILENT if it does not."""
        found = self.stage.wait(lambda: self.first(step, since, variables), for_s)
        return SILENT if found is None else found[1].what

    def next_attempt(self) -> Answer:
        """How the peer's next handshake ends."""

        def next_one() -> Answer | None:
            later = self.stage.attempts[self.attempts :]
            return later[0] if later else None

        found = self.stage.wait(next_one, self.patience_s)
        self.attempts += found is not None
        return found or Answer(failure="no connection")


class ListeningRun(Run):
    """One procedure, with an ear for what the peer says by itself; some peers are only asked, and need none."""

    _ear: Ear | None

    @property
    def ear(self) -> Ear:
        if self._ear is None:
            raise Inapplicable("an address at which the harness can be pushed to")
        return self._ear

    def perform(self, step: Step) -> None:
        match step:
            case Hear():
                self._hear(step)
            case Silence():
                self.last = self.unwanted(step)
                self.judge_last(step)
            case Reply():
                self.ear.move_mark()
                self.ear.listener.replies.append((step, {**self.variables}))
            case Serve():
                self.ear.attempts = len(self.ear.stage.attempts)
                self.ear.stage.serve(step.certificate, certification_suites=step.certification_suites)
            case Attempt():
                self.last = self.ear.next_attempt()
                self.judge_last(step)

    def unwanted(self, step: Silence) -> Answer:
        """From now on: what came before may have crossed what was just sent."""
        now = len(self.ear.listener.heard)
        return self.ear.unwanted(step, float(self.render(step.for_s)), self.variables, since=now)

    def _hear(self, step: Hear) -> None:
        within_s = float(self.render(step.within_s) or self.ear.patience_s)
        heard = self.ear.hear(step, within_s, self.variables)
        self.last = heard or SILENT
        self.judge_last(step if heard else replace(step, capture={}))
        if heard is None:
            raise Stopped(f"line {step.line}: no {' or '.join(step.payloads)} in {within_s:g} s")
