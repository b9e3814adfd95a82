"""Figures taken in turns, so that whatever else the machine is doing hits all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 9
ROUND_MIN_S = 0.02
"""A round shorter than this is repeated within itself, so that the clock's own cost is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What was measured, round by round."""

    rounds: Mapping[str, tuple[float, ...]]
    """By the name of what was measured; as many figures each."""

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, to: str) -> float:
        """The median of the rounds' own ratios: steadier than the ratio of two medians."""
        return statistics.median(
            figure / other for figure, other in zip(self.rounds[name], self.rounds[to], strict=True)
        )


def cpu_s(calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS) -> Paired:
    """CPU-seconds of one call of each, in this process; a neighbour's work does not count."""
    repeats = {name: _repeats(call) for name, call in calls.items()}
    figures: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            figures[name].append(_cpu_s(call, repeats[name]) / repeats[name])
    return Paired(rounds={name: tuple(values) for name, values in figures.items()})


def _repeats(call: Callable[[], object]) -> int:
    repeats = 1
    while _cpu_s(call, repeats) < ROUND_MIN_S:
        repeats *= 2
    return repeats


def _cpu_s(call: Callable[[], object], repeats: int) -> float:
    before = time.process_time()
    for _ in range(repeats):
        call()
    return time.process_time() - before
