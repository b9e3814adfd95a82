"""Answers that were made, by their ETag: who asks again for the same gets the same bytes, and nothing is read."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

KEPT_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    text: str
    headers: Mapping[str, str]


class KeptAnswers:
    """The ones that were asked for last, up to a bound. An ETag is another whenever the answer may be."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[str, KeptAnswer] = OrderedDict()
        self._bytes = 0

    def get(self, tag: str) -> KeptAnswer | None:
        found = self._kept.get(tag)
        if found is not None:
            self._kept.move_to_end(tag)
        return found

    def keep(self, tag: str, answer: KeptAnswer) -> None:
        if tag in self._kept:
            return
        self._kept[tag] = answer
        self._bytes += len(answer.text)
        while self._bytes > self._bytes_max and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.text)
