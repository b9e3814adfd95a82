"""How long to pause after what went wrong, and when to go on without what the VTN fails over."""

import random

from openadr_core.limits import RETRY_FIRST_S, RETRY_JITTER

DOUBLED_MAX = 16
STUMBLES_MAX = 5
"""How often a VTN may fail over one thing that we say before we go on without: about half a minute of pauses."""


class Backoff:
    """OpenADR 2.0b 9.1.7: truncated binary exponential back-off, capped near the poll interval."""

    def __init__(self, longest_s: float, dice: random.Random) -> None:
        self._longest_s = max(RETRY_FIRST_S, longest_s)
        self._dice = dice
        self.failures = 0
        """Since something last went well."""
        self._stumbles = 0

    def went_well(self) -> int:
        """Begin anew; how many failures there had been."""
        failures, self.failures, self._stumbles = self.failures, 0, 0
        return failures

    def went_wrong(self, *, at_least_s: float = 0.0) -> float:
        """The pause before the next try, in seconds."""
        doubled = RETRY_FIRST_S * 2.0 ** min(self.failures, DOUBLED_MAX)
        self.failures += 1
        return max(min(doubled, self._longest_s) * self.jitter(), at_least_s)

    def stumbled(self, *, again: bool) -> bool:
        """The VTN answered and failed, over the same thing ``again``: whether that was once too often."""
        self._stumbles = self._stumbles + 1 if again else 0
        return self._stumbles >= STUMBLES_MAX

    def jitter(self) -> float:
        return self._dice.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER)
