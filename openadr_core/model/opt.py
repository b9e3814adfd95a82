"""What a party said to an event: as a whole, or for some of its resources."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class OptType(StrEnum):
    IN = "optIn"
    OUT = "optOut"


REASONS = (
    "economic", "emergency", "mustRun", "notParticipating", "outageRunStatus", "overrideStatus", "participating",
    "x-schedule",
)  # fmt: skip
"""Of 2.0b's optReason; others begin with ``x-``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opt:
    event_id: str
    version: int
    """The version of the event that was answered."""
    opt_type: OptType
    at: datetime
    reason: str = ""
    """For a human; on the 2.0b wire it is the eventResponse's description."""
    code: str = "200"
    """2.0b response code: 200, or why the party is out (460 signal, 462 target, …)."""
