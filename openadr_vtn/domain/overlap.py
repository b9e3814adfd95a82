"""Events that would run at once: allowed by 2.0b (R18), unless their program says otherwise."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from openadr_core.model.event import DrEvent


def occupied_until(event: DrEvent, acknowledged_at: datetime | None) -> datetime | None:
    """R18: until when the event may keep a party busy; None for ever.

    The start tolerance counts, and a cancel counts from the party's acknowledgement. Interpretation: while the party
    has not acknowledged it, it may be going on.
    """
    until = event.kept_until()
    if event.cancelled_at is None or acknowledged_at is None:
        return until
    stopped_at = acknowledged_at + event.start_after
    return stopped_at if until is None else min(until, stopped_at)


def overlapping(
    event: DrEvent, others: Iterable[DrEvent], acknowledged_at: Mapping[str, datetime | None]
) -> DrEvent | None:
    """The first of one party's other events that would run at once with this one; none if they only touch.

    ``acknowledged_at``: by event id, when the party has acknowledged its cancel.
    """
    end = occupied_until(event, None)
    for other in others:
        other_end = occupied_until(other, acknowledged_at.get(other.id))
        if (end is None or other.starts_at < end) and (other_end is None or event.starts_at < other_end):
            return other
    return None
