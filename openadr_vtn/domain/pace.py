"""The pace at which something is said again: pauses that double up to a cap."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

DOUBLED_MAX = 16
"""So often is enough to reach any cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    first_s: float
    longest_s: float
    jitter: float = 0.0
    """Each pause may be longer or shorter by this part of it, so that those who were told together part."""

    def next_at(self, said_at: datetime, times: int, key: str = "") -> datetime:
        """When what was said ``times`` times, last at ``said_at``, is said once more.

        The part that is left to chance follows from ``key``: it is the same whoever asks, and after a restart.
        """
        pause_s = min(self.first_s * 2 ** min(times - 1, DOUBLED_MAX), self.longest_s)
        return said_at + timedelta(seconds=pause_s * (1 + self.jitter * _chance(f"{key} {times}")))


def _chance(key: str) -> float:
    """Anything from -1 to 1."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**63 - 1
