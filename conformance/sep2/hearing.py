"""The harness as a subscriber: it takes every notification, but where a procedure answers otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.answers import Answer
from conformance.api.script import Heard, Planned, first_fitting, planned_answer
from conformance.api.ven_steps import Asked, Hear, Reply, Silence
from conformance.exchanges import Exchange, RawRequest
from conformance.sep2.script import written
from conformance.server.hearing import SILENT, Stage
from conformance.server.listener import Answered


@dataclass(slots=True)
class Receiver:
    planned: list[Planned] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def ready(self, _what: Answer) -> bool:
        return True

    def listens(self, request: RawRequest, what: Answer, _arrived_s: float) -> Answered:
        answered = planned_answer(self.planned, what, request.path, written, xml=True) or written(204)
        self.heard.append(Heard(what=what, path=request.path, status=answered.status))
        return answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Where the server tells of changes, as the tester has arranged it."""

    receiver: Receiver
    stage: Stage
    patience_s: float


class Ear:
    """What one procedure hears."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._receiver = subscriber.receiver
        self._stage = subscriber.stage
        self._patience_s = subscriber.patience_s
        self._before = len(self._receiver.exchanges)
        self._began = self._next = self._news = len(self._receiver.heard)

    def mark(self) -> None:
        """From here on something is news."""
        self._next = self._news = len(self._receiver.heard)

    def plan(self, step: Reply, variables: Mapping[str, str]) -> None:
        self.mark()
        self._receiver.planned.append(Planned(reply=step, variables=dict(variables), left=step.times))

    def hear(self, step: Hear, variables: Mapping[str, str]) -> Answer | None:
        """None if it did not come."""
        found = self._first(step.asked, self._next if step.again else self._news, self._patience_s, variables)
        if found is None:
            return None
        self._next, heard = found
        return heard.what

    def unwanted(self, step: Silence, variables: Mapping[str, str]) -> Answer:
        """SILENT if it did not come."""
        start = self._began if step.all_along else len(self._receiver.heard)
        found = self._first(step.asked, start, step.for_s, variables)
        return SILENT if found is None else found[1].what

    def end(self) -> list[Exchange]:
        """The procedure is over, and nothing is answered oddly any more: all that was said."""
        self._receiver.planned.clear()
        return self._receiver.exchanges[self._before :]

    def _first(
        self, asked: Asked, start: int, within_s: float, variables: Mapping[str, str]
    ) -> tuple[int, Heard] | None:
        heard = self._receiver.heard
        return self._stage.wait(lambda: first_fitting(asked, heard, start, variables), within_s)
