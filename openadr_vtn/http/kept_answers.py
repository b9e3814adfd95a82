"""Answers that were made, by what they hang on: who asks again for the same gets the same bytes, and none are read."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

KEPT_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    tag: str
    body: bytes
    headers: Mapping[str, str]


class KeptAnswers:
    """The ones that were asked for last, up to a bound.

    A state is all that an answer hangs on, and another whenever the answer may be.
    """

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[str, KeptAnswer] = OrderedDict()
        self._bytes = 0

    def get(self, state: str) -> KeptAnswer | None:
        found = self._kept.get(state)
        if found is not None:
            self._kept.move_to_end(state)
        return found

    def keep(self, state: str, answer: KeptAnswer) -> None:
        if state in self._kept:
            return
        self._kept[state] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._bytes_max and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)
