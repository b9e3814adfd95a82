"""What a party is told when it asks, and what it has proved to have heard."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import (
    Due,
    Key,
    Mailbox,
    as_seen,
    due_errand,
    fetched,
    is_outstanding,
    next_telling,
    sent,
    snapshot,
)
from openadr_vtn.domain.errand import Errand


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Every event the party is to hold, in order; and which of them it had not yet proved to have."""

    events: tuple[DrEvent, ...]
    news: tuple[Key, ...]
    """What :func:`heard` takes, once the party has proved to have read this."""


async def poll(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, now: datetime
) -> tuple[Telling | Errand | None, Mailbox]:
    """What to tell first, and the mailbox thereafter; an errand is yet to be run (:mod:`.errands`).

    None if there is nothing, or it was told just now and may still be on its way.
    """
    due = next_told(mailbox, now)
    return await _told(uow, party_id, mailbox, due, now) if isinstance(due, Telling) else (due, mailbox)


def next_told(mailbox: Mailbox, now: datetime) -> Telling | Errand | None:
    """What the party is to be told now, before any other."""
    errand = due_errand(mailbox, now)
    if errand is not None:
        return errand
    due_at = next_telling(mailbox, now)
    return None if due_at is None or due_at > now else _telling(mailbox, snapshot(mailbox, now), now)


async def request_events(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, limit: int | None, now: datetime
) -> tuple[Telling, Mailbox]:
    """All that the party is to hold, or the first ``limit`` of it (2.0b R27)."""
    shown = snapshot(mailbox, now)
    telling = _telling(mailbox, shown if limit is None else shown[:limit], now)
    return await _told(uow, party_id, mailbox, telling, now)


async def heard(uow: UnitOfWork, party_id: str, mailbox: Mailbox, news: Collection[Key], now: datetime) -> Mailbox:
    """The party has these versions for certain: it read the answer that carried them."""
    await uow.deliveries.mark_fetched(party_id, news, now)
    return mailbox.after(news, lambda row: fetched(row, now))


async def pushed(uow: UnitOfWork, party_id: str, told: Collection[Key], news: Collection[Key], now: datetime) -> None:
    """The party has taken what was pushed at it: it was told these, and of these it has the news for certain."""
    if news:
        await uow.deliveries.mark_pushed(party_id, news, now)
    if left_out := set(told) - set(news):
        await uow.deliveries.mark_sent(party_id, left_out, now)


def _telling(mailbox: Mailbox, shown: Sequence[Due], now: datetime) -> Telling:
    return Telling(
        events=tuple(as_seen(due) for due in shown),
        news=tuple(due.key for due in shown if is_outstanding(due, now, mailbox.reminding)),
    )


async def _told(
    uow: UnitOfWork, party_id: str, mailbox: Mailbox, telling: Telling, now: datetime
) -> tuple[Telling, Mailbox]:
    if telling.news:
        await uow.deliveries.mark_sent(party_id, telling.news, now)
    return telling, mailbox.after(telling.news, lambda row: sent(row, now))
