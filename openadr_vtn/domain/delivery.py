"""The delivery ledger: what a party is owed, what it was sent, and what proves that it has it.

A row is written when an event is, in the same transaction, so it is the outbox too. What to send
now is derived from the rows and the time; nothing else remembers it.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One version of one event, owed to one party."""

    event_id: str
    version: int
    party_id: str
    entitled_at: datetime
    withdrawn: bool = False
    """This version is no longer for the party, which had an earlier one: it sees a cancelled event."""
    notified_at: datetime | None = None
    """When it was first sent, which proves nothing yet."""
    sent_at: datetime | None = None
    """When it was last sent."""
    attempts: int = 0
    fetched_at: datetime | None = None
    """When it was proved that the party has it."""
    answered_at: datetime | None = None
    """When the party's opt for this version was stored."""
    reported_at: datetime | None = None
    """When the first reading from inside the event arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A message owed to a party that is not an event; gone when the party has answered it."""

    party_id: str
    kind: str
    """The 2.0b payload without ``oadr``: ``RegisterReport``."""
    made_at: datetime
    sent_at: datetime | None = None
    attempts: int = 0
