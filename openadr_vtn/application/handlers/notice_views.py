"""How it goes with telling webhooks and the broker, as an operator sees it; and what an operator can do about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.errors import NotFound
from openadr_core.model.party import PartyState
from openadr_vtn.application.broker import Broker
from openadr_vtn.application.notice_ports import SubscriptionFilter
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.ports import AuditEntry, Store, UnitOfWork
from openadr_vtn.domain.access import READ_ALL, READ_BL, Role
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import Subscription
from openadr_vtn.domain.topics import access_list


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    subscription: Subscription
    counts: Mapping[NotificationState, int]
    stream: StreamState | None
    """How the last attempt went; None: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    notification: Notification
    change: ObjectChange


async def subscription_views(view: UnitOfWork, page: Page) -> list[SubscriptionView]:
    """The oldest first."""
    return await _views(view, await view.subscriptions.page(SubscriptionFilter(), page))


async def subscription_view(view: UnitOfWork, subscription_id: str) -> SubscriptionView:
    found = await view.subscriptions.by_id(subscription_id)
    if found is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    (one,) = await _views(view, [found])
    return one


async def dead_letters(view: UnitOfWork, subscription_id: str, page: Page) -> list[DeadLetter]:
    """The first first."""
    await subscription_view(view, subscription_id)
    dead = await view.notifications.of_subscription(
        subscription_id, NotificationState.DEAD, skip=page.skip, limit=page.limit
    )
    changes = await view.object_changes.by_numbers(one.change_number for one in dead)
    return [DeadLetter(notification=one, change=changes[one.change_number]) for one in dead]


async def replay(
    store: Store, subscription_id: str, numbers: Collection[int] | None, *, actor: str, now: datetime
) -> int:
    """Have dead letters sent again, all or those named, before what waits; how many they are."""
    async with store.unit_of_work() as uow:
        await subscription_view(uow, subscription_id)
        revived = await uow.notifications.revive(subscription_id, numbers)
        await uow.audit.append(
            AuditEntry(
                at=now, actor=actor, action="replay notifications", subject=subscription_id, detail=f"{revived} of them"
            )
        )
    return revived


async def broker_access(view: UnitOfWork, broker: Broker) -> str:
    """The access list for the broker, as clients and vens are now."""
    reading = {READ_ALL, READ_BL}
    business = [
        one.client_id
        for one in await view.clients.all()
        if one.role is Role.BUSINESS and not reading.isdisjoint(one.scopes)
    ]
    vens = {
        party.client_id: party.id
        for party in await view.parties.all(PartyState.APPROVED)
        if party.client_id is not None
    }  # fmt: skip
    return access_list(broker.publisher, business, vens)


async def _views(view: UnitOfWork, found: Sequence[Subscription]) -> list[SubscriptionView]:
    ids = [one.id for one in found]
    counts, streams = await view.notifications.counts(ids), await view.notifications.streams(ids)
    return [SubscriptionView(subscription=one, counts=counts[one.id], stream=streams.get(one.id)) for one in found]
