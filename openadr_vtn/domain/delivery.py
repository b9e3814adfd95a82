"""The delivery ledger: what a party is owed, what it was sent, and what proves that it has it.

A row is written when an event is, in the same transaction, so it is the outbox too. What to send
now is derived from the rows and the time; nothing else remembers it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from openadr_core.limits import (
    CANCELLED_SENDS_MAX,
    CANCELLED_TOLD_S,
    PUSH_REMINDER_FIRST_S,
    PUSH_REMINDER_MAX_S,
    PUSH_REMINDERS_MAX,
    RETRY_JITTER,
    UNANSWERED_SENDS_MAX,
)
from openadr_core.model.event import DrEvent, delivery_order
from openadr_vtn.domain.errand import BEFORE_EVENTS, RESENT, Errand, next_errand
from openadr_vtn.domain.pace import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One piece of news about one event, owed to one party."""

    event_id: str
    version: int
    """The number under which the party is told: the event's own, unless the party has heard that number already (it
    lost the event, or got it back, while the event itself stayed as it was). Each news to it counts (2.0b R5, R10)."""
    event_version: int
    """What of the event it tells."""
    party_id: str
    entitled_at: datetime
    withdrawn: bool = False
    """The event is no longer for the party, which had an earlier version: it sees a cancelled event."""
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


Key = tuple[str, int]
"""An event's id and a version: one row of one party's ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An event and the newest row about it in a party's ledger."""

    event: DrEvent
    delivery: Delivery

    @property
    def key(self) -> Key:
        return (self.delivery.event_id, self.delivery.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminding:
    """How a party is told again of an event that it does not answer."""

    pace: Pace
    times_max: int | None
    """None: as long as the event lasts."""
    cancelled_times_max: int
    """2.0b R52: of one that was cancelled."""


WHEN_IT_POLLS = Reminding(pace=RESENT, times_max=None, cancelled_times_max=CANCELLED_SENDS_MAX)
WHEN_PUSHED = Reminding(
    pace=Pace(first_s=PUSH_REMINDER_FIRST_S, longest_s=PUSH_REMINDER_MAX_S, jitter=RETRY_JITTER),
    times_max=PUSH_REMINDERS_MAX,
    cancelled_times_max=PUSH_REMINDERS_MAX,
)
"""Interpretation: who has taken what was pushed at it answers in a request of its own (2.0b T13). How long that may
take, and whether it is reminded, the standard leaves open: 9.1.7 is about exchanges that fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """All that is, or was, owed to one party and may matter still."""

    reminding: Reminding = WHEN_IT_POLLS
    dues: tuple[Due, ...] = ()
    errands: tuple[Errand, ...] = ()
    """In the order they were made."""

    def after(self, keys: Collection[Key], change: Callable[[Delivery], Delivery]) -> Mailbox:
        """The mailbox after these rows of the ledger have changed."""
        changed = (replace(due, delivery=change(due.delivery)) if due.key in keys else due for due in self.dues)
        return replace(self, dues=tuple(changed))

    def after_errand(self, errand: Errand) -> Mailbox:
        return replace(self, errands=tuple(errand if one.id == errand.id else one for one in self.errands))

    def without_errand(self, errand: Errand) -> Mailbox:
        return replace(self, errands=tuple(one for one in self.errands if one.id != errand.id))


def newest(deliveries: Iterable[Delivery]) -> dict[tuple[str, str], Delivery]:
    """By event and party: the last news; rows before it are settled by it."""
    found: dict[tuple[str, str], Delivery] = {}
    for row in deliveries:
        key = (row.event_id, row.party_id)
        if key not in found or found[key].version < row.version:
            found[key] = row
    return found


def owed(events: Iterable[DrEvent], deliveries: Iterable[Delivery]) -> list[Due]:
    """Each event with the newest of these rows of one party. What was withdrawn stays so, however the event goes on."""
    rows = {event_id: row for (event_id, _), row in newest(deliveries).items()}
    return [
        Due(event=event, delivery=row)
        for event in events
        if (row := rows.get(event.id)) is not None and (row.withdrawn or row.event_version == event.version)
    ]


def as_seen(due: Due) -> DrEvent:
    """The event as the party is to see it: under its own number, and cancelled where it is withdrawn."""
    row = due.delivery
    if not row.withdrawn and row.version == due.event.version:
        return due.event
    cancelled_at = due.event.cancelled_at or (row.entitled_at if row.withdrawn else None)
    return replace(due.event, version=row.version, cancelled_at=cancelled_at)


def over_at(event: DrEvent) -> datetime | None:
    """When nothing of it can still happen (2.0b R66), nor need be told; None for never."""
    if event.duration is None and event.cancelled_at is not None:
        return event.cancelled_at + timedelta(seconds=CANCELLED_TOLD_S)
    return event.kept_until()


def is_over(event: DrEvent, now: datetime) -> bool:
    until = over_at(event)
    return until is not None and until <= now


def is_outstanding(due: Due, now: datetime, reminding: Reminding) -> bool:
    """Whether the party must still be told: until it answers (2.0b R50), or, asked for no answer, has it.

    A cancelled event is told until it is acknowledged or over, or was told in vain often enough (R52): after that it is
    missing from what the party reads, which cancels it too (R61).
    """
    return _is_awaited(due, now) and not _was_told_enough(due, reminding)


def is_given_up(due: Due, now: datetime, reminding: Reminding) -> bool:
    """Whether the party was told in vain so often that it is not told again until something changes."""
    return _is_awaited(due, now) and _was_told_enough(due, reminding)


def _is_awaited(due: Due, now: datetime) -> bool:
    """Whether a word of the party is missing still, or, asked for none, a proof that it has the event."""
    delivery = due.delivery
    if is_over(due.event, now) or delivery.answered_at is not None:
        return False
    return due.event.response_required or delivery.fetched_at is None


def _was_told_enough(due: Due, reminding: Reminding) -> bool:
    if not due.event.response_required:
        most: int | None = UNANSWERED_SENDS_MAX
    else:
        most = reminding.times_max if as_seen(due).cancelled_at is None else reminding.cancelled_times_max
    return most is not None and due.delivery.attempts >= most


def next_telling(mailbox: Mailbox, now: datetime) -> datetime | None:
    """When a party must be told of events; None while there is nothing to tell.

    A change of status alone is no news (2.0b R502).
    """
    reminding = mailbox.reminding
    return min(
        (_telling_at(due, reminding) for due in mailbox.dues if is_outstanding(due, now, reminding)), default=None
    )


def _telling_at(due: Due, reminding: Reminding) -> datetime:
    row = due.delivery
    if row.sent_at is None:
        return row.entitled_at
    return reminding.pace.next_at(row.sent_at, row.attempts, f"{row.party_id} {row.event_id} {row.version}")


def snapshot(mailbox: Mailbox, now: datetime) -> list[Due]:
    """Everything the party is to hold now, in the order of 2.0b R15.

    All far, near and active events; a completed one until its start tolerance has passed (R66); a
    cancelled one until it is acknowledged (R50), in the place it had.
    """
    shown = [due for due in mailbox.dues if _is_shown(due, now, mailbox.reminding)]
    return sorted(shown, key=lambda due: delivery_order(replace(due.event, cancelled_at=None), now))


def _is_shown(due: Due, now: datetime, reminding: Reminding) -> bool:
    if is_over(due.event, now):
        return False
    return as_seen(due).cancelled_at is None or is_outstanding(due, now, reminding)


def sent(delivery: Delivery, now: datetime) -> Delivery:
    return replace(delivery, notified_at=delivery.notified_at or now, sent_at=now, attempts=delivery.attempts + 1)


def reported(delivery: Delivery, now: datetime) -> Delivery:
    return replace(delivery, reported_at=delivery.reported_at or now)


def fetched(delivery: Delivery, now: datetime) -> Delivery:
    return replace(delivery, fetched_at=delivery.fetched_at or now)


def answered(delivery: Delivery, now: datetime) -> Delivery:
    """An answer proves that the event arrived, however it came."""
    return replace(fetched(delivery, now), answered_at=delivery.answered_at or now)


def next_due_at(mailbox: Mailbox, now: datetime) -> datetime | None:
    """When the party must next be told something of its own; None while there is nothing."""
    errand = next_errand(mailbox.errands)
    moments = (next_telling(mailbox, now), errand[0] if errand else None)
    return min((moment for moment in moments if moment is not None), default=None)


def due_errand(mailbox: Mailbox, now: datetime) -> Errand | None:
    """The errand that a poll must be answered with now, or that is to be given up now; None: events come first."""
    found = next_errand(mailbox.errands)
    if found is None or found[0] > now:
        return None
    telling = next_telling(mailbox, now)
    waits = telling is not None and telling <= now and found[1].kind not in BEFORE_EVENTS
    return None if waits else found[1]


def last_told(mailbox: Mailbox, keys: Collection[Key], now: datetime) -> list[Key]:
    """Which of these the party is now told for the last time: it will be given up unless it answers."""
    after = mailbox.after(keys, lambda row: fetched(sent(row, now), now))
    return [due.key for due in after.dues if due.key in keys and is_given_up(due, now, mailbox.reminding)]


def unproved(mailbox: Mailbox, keys: Collection[Key]) -> list[Key]:
    """Which of these the party has not yet proved to have."""
    return [due.key for due in mailbox.dues if due.key in keys and due.delivery.fetched_at is None]
