"""One notification on its way to one webhook: tried in order, again after a pause, and given up with a reason.

A subscription is one ordered stream: while its first waiting notification is not taken, the later ones
wait, and nobody else's do. One that the receiver will never take is put aside as a dead letter, so that it
does not stand in the way of the others (security T41); an operator can have it sent again.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from openadr_core.limits import RETRY_FIRST_S, RETRY_JITTER

NEVER_TAKEN = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_ACCEPTABLE,
        HTTPStatus.GONE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""The receiver has seen the message and does not want it; the same bytes again would fare no better."""
DOUBLED_MAX = 16
TAKEN = "taken"


class NotificationState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    number: int
    """Grows; the order of a subscription's stream."""
    subscription_id: str
    position: int
    """Which of the subscription's watches it is for."""
    change_number: int
    state: NotificationState = NotificationState.WAITING
    attempts: int = 0
    tried_at: datetime | None = None
    outcome: str = ""
    """Of the last attempt, for an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How it goes with a subscription's webhook."""

    subscription_id: str
    at: datetime
    outcome: str
    failures: int = 0
    """In a row."""
    retry_at: datetime | None = None
    """Nothing is tried before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    attempts_max: int
    longest: timedelta
    """The longest pause between two attempts; the first is a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of sending one."""

    status: int | None
    """The answer's; None: there was none."""
    reason: str
    at: datetime
    wait_s: float = 0.0
    """What the receiver asks us to wait (Retry-After)."""

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def attempted(notification: Notification, attempt: Attempt, rules: RetryRules) -> Notification:
    """The notification after this attempt."""
    attempts = notification.attempts + 1
    if attempt.is_taken:
        state = NotificationState.DELIVERED
    elif attempt.status in NEVER_TAKEN or attempts >= rules.attempts_max:
        state = NotificationState.DEAD
    else:
        state = NotificationState.WAITING
    return replace(
        notification, state=state, attempts=attempts, tried_at=attempt.at,
        outcome=TAKEN if attempt.is_taken else attempt.reason,
    )  # fmt: skip


def stream_after(
    before: StreamState | None, notification: Notification, attempt: Attempt, rules: RetryRules, dice: random.Random
) -> StreamState:
    """Truncated binary exponential back-off, ten per cent to either side; a refusal of one holds up no other."""
    if attempt.is_taken or attempt.status in NEVER_TAKEN:
        outcome = TAKEN if attempt.is_taken else attempt.reason
        return StreamState(subscription_id=notification.subscription_id, at=attempt.at, outcome=outcome)
    failures = 0 if before is None else before.failures
    doubled_s = RETRY_FIRST_S * 2 ** min(failures, DOUBLED_MAX)
    pause_s = min(doubled_s, rules.longest.total_seconds()) * dice.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER)
    return StreamState(
        subscription_id=notification.subscription_id,
        at=attempt.at,
        outcome=attempt.reason,
        failures=failures + 1,
        retry_at=attempt.at + timedelta(seconds=max(pause_s, attempt.wait_s)),
    )
