"""What a party is owed besides events: one queue each, first in, first told, until it is answered."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from openadr_core.limits import DELIVERY_RESEND_FIRST_S, DELIVERY_RESEND_MAX_S, UNANSWERED_SENDS_MAX
from openadr_vtn.domain.pace import Pace


class ErrandKind(StrEnum):
    """The 2.0b payload that does the errand, without ``oadr`` (8.6)."""

    REGISTER_REPORT = "RegisterReport"
    CANCEL_PARTY_REGISTRATION = "CancelPartyRegistration"
    """Its content is the registrationID."""
    REQUEST_REREGISTRATION = "RequestReregistration"
    CREATE_REPORT = "CreateReport"
    CANCEL_REPORT = "CancelReport"


BEFORE_EVENTS = frozenset({ErrandKind.REGISTER_REPORT, ErrandKind.CANCEL_PARTY_REGISTRATION})
"""What comes before any event: our reports, before other traffic (2.0b R301), and that there is no more to come.

All else waits while an event is to be told.
"""


RESENT = Pace(first_s=DELIVERY_RESEND_FIRST_S, longest_s=DELIVERY_RESEND_MAX_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A message owed to a party that is not an event; gone when the party has answered it, or never will.

    The payload is written each time it is sent, from ``content`` and from what the store holds then.
    """

    party_id: str
    id: str
    """The requestID it is sent under, by which its answer is known."""
    kind: ErrandKind
    made_at: datetime
    content: str = ""
    """What the kind needs in order to write it: a text of its own making."""
    sent_at: datetime | None = None
    """When it was last sent."""
    attempts: int = 0
    heard_at: datetime | None = None
    """When it was proved that the party has read it, if not yet answered it."""

    @property
    def is_spent(self) -> bool:
        """Said so often that it is given up when it would be said again."""
        return self.attempts >= UNANSWERED_SENDS_MAX


def next_errand(errands: Iterable[Errand]) -> tuple[datetime, Errand] | None:
    """The errand to run next (or, if it is spent, to give up), and when; ``errands`` in the order they were made.

    None overtakes one that the party may not have read: a report is not cancelled before it is
    asked for. While one that was read waits for its answer, the next is told (2.0b Annex C).
    """
    found: tuple[datetime, Errand] | None = None
    for errand in errands:
        at = errand.made_at if errand.sent_at is None else RESENT.next_at(errand.sent_at, errand.attempts)
        if found is None or at < found[0]:
            found = (at, errand)
        if errand.heard_at is None:
            break
    return found


def answered_errand(errands: Iterable[Errand], kind: ErrandKind, request_id: str) -> Errand | None:
    """Which of a party's errands this answers; None if it was answered before, or never run.

    Interpretation: R303 wants the requestID returned, but peers answer with an empty or a fixed
    one; then the oldest of its kind that was sent is meant.
    """
    run = [errand for errand in errands if errand.kind is kind and errand.attempts]
    return next((errand for errand in run if errand.id == request_id), run[0] if run else None)


def sent(errand: Errand, now: datetime) -> Errand:
    return replace(errand, sent_at=now, attempts=errand.attempts + 1)


def heard(errand: Errand, now: datetime) -> Errand:
    return replace(errand, heard_at=errand.heard_at or now)
