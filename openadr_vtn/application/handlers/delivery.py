"""What a party is told when it asks, and what it has proved to have heard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.event import DrEvent
from openadr_core.model.party import Party
from openadr_vtn.application.outbox import dues_of
from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.delivery import (
    Due,
    Errand,
    as_seen,
    errand_sent,
    fetched,
    is_outstanding,
    next_errand,
    next_telling,
    sent,
    snapshot,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Every event the party is to hold, in order; and which of them it had not yet proved to have."""

    events: tuple[DrEvent, ...]
    news: tuple[tuple[str, int], ...]
    """Event id and version, as :func:`heard` takes them."""


async def poll(uow: UnitOfWork, party: Party, now: datetime) -> Telling | Errand | None:
    """What to tell first; None if there is nothing, or it was told just now and may still be on its way."""
    errand = next_errand(await uow.errands.of_party(party.id))
    if errand is not None and errand[0] <= now:
        run = errand_sent(errand[1], now)
        await uow.errands.save(run)
        return run
    dues = await dues_of(uow, party.id, now)
    due_at = next_telling(dues, now)
    if due_at is None or due_at > now:
        return None
    return await _told(uow, snapshot(dues, now), now)


async def request_events(uow: UnitOfWork, party: Party, limit: int | None, now: datetime) -> Telling:
    """All that the party is to hold, or the first ``limit`` of it (2.0b R27)."""
    shown = snapshot(await dues_of(uow, party.id, now), now)
    return await _told(uow, shown if limit is None else shown[:limit], now)


async def heard(uow: UnitOfWork, party_id: str, news: Iterable[tuple[str, int]], now: datetime) -> None:
    """The party has these versions for certain: it read the answer that carried them."""
    keys = set(news)
    rows = await uow.deliveries.of_party(party_id, {event_id for event_id, _ in keys})
    new = [row for row in rows if (row.event_id, row.version) in keys and row.fetched_at is None]
    if new:
        await uow.deliveries.save([fetched(row, now) for row in new])


async def settle_errand(uow: UnitOfWork, party: Party, kind: str) -> None:
    """The party has answered."""
    await uow.errands.settle(party.id, kind)


async def owe_errand(uow: UnitOfWork, party: Party, kind: str, now: datetime) -> None:
    await uow.errands.owe(Errand(party_id=party.id, kind=kind, made_at=now))


async def _told(uow: UnitOfWork, shown: Sequence[Due], now: datetime) -> Telling:
    news = [due.delivery for due in shown if is_outstanding(due, now)]
    if news:
        await uow.deliveries.save([sent(delivery, now) for delivery in news])
    return Telling(
        events=tuple(as_seen(due) for due in shown),
        news=tuple((delivery.event_id, delivery.version) for delivery in news),
    )
