"""How far the news of an event has been written out to those that it is for: so many parties at a time.

An operator is answered once the event is in the store, and does not wait for ten thousand parties to
be looked at. What is still to be done is a row beside the event, written in the same transaction, and
gone with the last party: it outlives the process, and whoever comes next goes on where it stands.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Parties whose ids lie between these, in the database's own order."""

    after: str
    """Empty: from the first on."""
    upto: str | None
    """This one too; None: to the last."""


EVERYBODY = Span(after="", upto=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """Of one event, at whichever version it has by then: to write it anew begins anew."""

    event_id: str
    at: datetime
    """Since when its parties are entitled to the news."""
    reached: str = ""
    """Parties up to this id have been looked at."""
    owed: int = 0
    """How many deliveries have come of it."""
