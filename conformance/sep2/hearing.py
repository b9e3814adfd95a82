"""The harness as a subscriber: it takes every notification, but where a procedure answers otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.answers import Answer
from conformance.api.ear import Ear
from conformance.api.script import Heard, Planned, planned_answer
from conformance.api.ven_steps import Hear, Reply, Silence
from conformance.exchanges import Exchange, RawRequest
from conformance.sep2.script import written
from conformance.server.hearing import Stage
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


class Listener:
    """What one procedure hears, and answers otherwise."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._receiver = subscriber.receiver
        self._patience_s = subscriber.patience_s
        self._before = len(self._receiver.exchanges)
        self._ear = Ear(self._receiver.heard, subscriber.stage)

    def mark(self) -> None:
        """From here on something is news."""
        self._ear.mark()

    def plan(self, step: Reply, variables: Mapping[str, str]) -> None:
        self.mark()
        self._receiver.planned.append(Planned(reply=step, variables=dict(variables), left=step.times))

    def hear(self, step: Hear, variables: Mapping[str, str]) -> Answer:
        """Stopped if it does not come."""
        return self._ear.hear(step, self._patience_s, variables)

    def unwanted(self, step: Silence, variables: Mapping[str, str]) -> Answer:
        """SILENT if it did not come."""
        return self._ear.unwanted(step, variables)

    def end(self) -> list[Exchange]:
        """The procedure is over, and nothing is answered oddly any more: all that was said."""
        self._receiver.planned.clear()
        return self._receiver.exchanges[self._before :]
