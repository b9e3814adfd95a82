"""What a procedure hears of a peer that asks by itself: from the last thing that was done on, or from earlier."""

from collections.abc import Mapping, Sequence
from itertools import islice

from conformance.answers import Answer
from conformance.api.script import Heard, all_fitting, first_fitting
from conformance.api.ven_steps import Hear, Silence
from conformance.run import Stopped
from conformance.server.hearing import SILENT, Stage


class Ear:
    """One procedure's, over all that was heard since the harness began to listen."""

    def __init__(self, heard: Sequence[Heard], stage: Stage) -> None:
        self._heard = heard
        self._stage = stage
        self._mark = self._began = len(heard)
        """From here on something is news."""
        self._next = self._mark
        """After what was heard last."""

    def mark(self) -> None:
        """Something is done: what comes of it is news."""
        self._mark = self._next = len(self._heard)

    def hear(self, step: Hear, within_s: float, variables: Mapping[str, str]) -> Answer:
        """Stopped if it does not come."""
        start = 0 if step.ever else self._next if step.again else self._mark
        found = self._stage.wait(lambda: first_fitting(step.asked, self._heard, start, variables), within_s)
        if found is None:
            raise Stopped(f"line {step.line}: no {step.asked.method} {step.asked.path.pattern} came")
        self._next, heard = found
        return heard.what

    def unwanted(self, step: Silence, variables: Mapping[str, str]) -> Answer:
        """The first that is one too many; SILENT if none came."""
        start = 0 if step.ever else self._began if step.all_along else len(self._heard)

        def one_too_many() -> Heard | None:
            fitting = all_fitting(step.asked, self._heard, start, variables)
            came = (one for _, one in fitting if step.answered in {None, one.status})
            return next(islice(came, step.allowed, None), None)

        found = self._stage.wait(one_too_many, step.for_s)
        return SILENT if found is None else found.what
