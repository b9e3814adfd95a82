"""How it goes with the parties that are pushed to: when next, and what is not said again.

What is owed is in the ledger and the queue, as for every party. Here is only what the wire has
shown, kept so that a restart neither hammers a dead party nor repeats what one has refused for good.
"""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from openadr_core.errors import RemoteProtocolError
from openadr_core.limits import RETRY_FIRST_S, RETRY_JITTER
from openadr_core.model.party import Party, PartyState
from openadr_vtn.domain.delivery import (
    WHEN_IT_POLLS,
    WHEN_PUSHED,
    Key,
    Mailbox,
    Reminding,
    is_outstanding,
    next_due_at,
)

DELIVERED = "delivered"
NEVER_AGAIN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.NOT_IMPLEMENTED})
"""2.0b 9.1.5: the party does not take this message; it must not be sent again unchanged."""
FAILURES_DOUBLED_MAX = 16
ADDRESS_MAX_CHARS = 512
"""Longer than any host with any prefix that is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushState:
    """What came of the last exchange with a party that is pushed to."""

    party_id: str
    at: datetime
    outcome: str
    """``delivered``, or what went wrong, for an operator."""
    failures: int = 0
    """In a row."""
    retry_at: datetime | None = None
    """Nothing is tried before."""
    refused: str = ""
    """The mark (:func:`mark_of`) of the events that the party will not take; others may be tried."""


def push_address(text: str) -> str:
    """An oadrTransportAddress, if a VTN can push to it (2.0b 9.1.2, 9.2): ``https://host[:port]/[prefix/]``.

    RemoteProtocolError says what is wrong. Which hosts and ports may be reached is for who connects to decide.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise RemoteProtocolError("the transport address is no URL", clause="R402") from None
    if len(text) > ADDRESS_MAX_CHARS or not text.isascii() or not text.isprintable() or " " in text:
        raise RemoteProtocolError("the transport address is no URL", clause="R402")
    if parts.scheme != "https" or not parts.hostname or port == 0:
        raise RemoteProtocolError("the transport address must be https://host[:port]/[prefix/]", clause="R402")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise RemoteProtocolError("the transport address must be a host and a prefix, and no more", clause="R402")
    return text


def is_pushed_to(party: Party) -> bool:
    current = party.registration
    return party.state is PartyState.APPROVED and current is not None and not current.pull


def reminding_of(party: Party) -> Reminding:
    return WHEN_PUSHED if is_pushed_to(party) else WHEN_IT_POLLS


def mark_of(keys: Iterable[Key]) -> str:
    """A short name for a set of event versions."""
    return hashlib.sha256(repr(sorted(keys)).encode()).hexdigest()


def takeable(mailbox: Mailbox, state: PushState | None, now: datetime) -> Mailbox:
    """What of it the party may be told: without the events, while it is owed just those that it refused."""
    if state is None or not state.refused:
        return mailbox
    owed = mark_of(due.key for due in mailbox.dues if is_outstanding(due, now, mailbox.reminding))
    return replace(mailbox, dues=()) if owed == state.refused else mailbox


def next_push_at(mailbox: Mailbox, state: PushState | None, now: datetime) -> datetime | None:
    """When the party must be told something; None until something changes."""
    due_at = next_due_at(takeable(mailbox, state, now), now)
    if due_at is None or state is None or state.retry_at is None:
        return due_at
    return max(due_at, state.retry_at)


def delivered(party_id: str, now: datetime) -> PushState:
    return PushState(party_id=party_id, at=now, outcome=DELIVERED)


def failed(
    before: PushState | None,
    party_id: str,
    reason: str,
    now: datetime,
    *,
    longest: timedelta,
    at_least_s: float,
    dice: random.Random,
) -> PushState:
    """2.0b 9.1.7: truncated binary exponential back-off from about a second, ten per cent to either side."""
    failures = 0 if before is None else before.failures
    doubled_s = RETRY_FIRST_S * 2 ** min(failures, FAILURES_DOUBLED_MAX)
    pause_s = min(doubled_s, longest.total_seconds()) * dice.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER)
    return PushState(
        party_id=party_id,
        at=now,
        outcome=reason,
        failures=failures + 1,
        retry_at=now + timedelta(seconds=max(pause_s, at_least_s)),
        refused="" if before is None else before.refused,
    )
