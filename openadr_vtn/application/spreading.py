"""From what happened to what waits for whom: a change is written out to every webhook that is to hear of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.party import Party, PartyState
from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import notification_text
from openadr_core.oadr3.v301 import is_of_3_0_1, notification_of_3_0_1
from openadr_vtn.application.handlers.publication import publish_ahead_to_clients
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.application.sending import Carried, Stream
from openadr_vtn.domain.notification import Notification
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import Hearer, Subscription, hearers_of, hears, shown_targets

SPREAD_TOGETHER = 50
"""Changes that are written out in one transaction."""
Granted = Mapping[str, frozenset[str]]
"""The targets that vens were granted, by client id."""
Worded = tuple[Callable[..., str], int, tuple[str, ...] | None]
"""A change as one receiver hears it: in which version's words, and with which targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A notification, made up for its receiver."""

    notification: Notification
    url: str
    token: str | None
    secret: str
    body: bytes
    """Empty: its client may not see the object any more."""
    news: tuple[str, str] | None = None
    """The client and the event, if it tells a ven of one: for the delivery ledger."""


class WebhookOutbox:
    """What the webhooks of OpenADR 3 are to be told."""

    duty = "notify"

    def __init__(self, store: Store, *, broker_too: bool) -> None:
        self._store = store
        self._broker_too = broker_too
        self._granted: tuple[str, Granted] = ("", {})

    async def spread(self, now: datetime) -> set[str]:
        told: set[str] = set()
        while True:
            async with self._store.view() as view:
                if not await view.object_changes.unspread(1):
                    return told
            granted = await self._granted_now()
            async with self._store.unit_of_work() as uow:
                changes = await uow.object_changes.unspread(SPREAD_TOGETHER)
                told |= await spread(uow, changes, granted, now, broker_too=self._broker_too)

    async def waiting(self, uow: UnitOfWork) -> dict[str, datetime | None]:
        return await uow.notifications.waiting()

    async def streams(self, subscription_ids: Sequence[str], _now: datetime, *, each: int) -> list[Stream[Parcel]]:
        granted = await self._granted_now()
        async with self._store.view() as view:
            return await streams_of(view, subscription_ids, granted, each=each)

    async def save(self, carried: Sequence[Carried[Parcel]], now: datetime) -> None:
        news = {parcel.news for one in carried for parcel in one.taken if parcel.news is not None}
        async with self._store.unit_of_work() as uow:
            known = await uow.subscriptions.which_are_there({one.state.subscription_id for one in carried})
            states = [one.state for one in carried if one.state.subscription_id in known]
            await uow.notifications.save([sent for one in carried for sent in one.notifications], states)
            await publish_ahead_to_clients(uow, news)
            await uow.deliveries.mark_told(news, now)

    async def _granted_now(self) -> Granted:
        """What vens were granted, read again when a ven or a resource was written."""
        revision = self._store.revision([ObjectKind.VEN, ObjectKind.RESOURCE])
        if revision != self._granted[0]:
            async with self._store.view() as view:
                self._granted = revision, granted_to(await view.parties.all(PartyState.APPROVED))
        return self._granted[1]


def granted_to(vens: Iterable[Party]) -> dict[str, frozenset[str]]:
    return {ven.client_id: ven.granted for ven in vens if ven.client_id is not None}


async def spread(
    uow: UnitOfWork, changes: Sequence[ObjectChange], granted: Granted, now: datetime, *, broker_too: bool
) -> set[str]:
    """Write out these changes, in one go; the subscriptions that have something to hear.

    Without ``broker_too`` nobody publishes: what happens now is not kept for a broker that may come one day.
    """
    watching: dict[tuple[ObjectKind, Operation], list[Hearer]] = {}
    told: set[str] = set()
    for change in changes:
        key = change.kind, change.operation
        if key not in watching:
            watching[key] = await uow.subscriptions.watching(*key)
        hearers = hearers_of(change, watching[key], granted)
        await uow.notifications.owe(change.number, hearers)
        told |= {hearer.subscription_id for hearer in hearers}
    numbers = [change.number for change in changes]
    await uow.object_changes.mark_spread(numbers, now)
    if not broker_too:
        await uow.object_changes.mark_published(numbers, now)
    return told


async def streams_of(
    view: UnitOfWork, subscription_ids: Sequence[str], granted: Granted, *, each: int
) -> list[Stream[Parcel]]:
    """What waits first for each of these subscriptions; those for which nothing waits are left out."""
    waiting = await view.notifications.first_waiting(subscription_ids, each)
    ids = {one.subscription_id for one in waiting}
    known = await view.subscriptions.by_ids(ids)
    states = await view.notifications.streams(ids)
    changes = await view.object_changes.by_numbers(one.change_number for one in waiting)
    bodies: dict[Worded, bytes] = {}
    parcels: dict[str, list[Parcel]] = {}
    for one in waiting:
        parcel = _parcel(one, known[one.subscription_id], changes[one.change_number], granted, bodies)
        parcels.setdefault(one.subscription_id, []).append(parcel)
    return [
        Stream(subscription_id=subscription_id, state=states.get(subscription_id), parcels=tuple(found))
        for subscription_id, found in parcels.items()
    ]


def _parcel(
    notification: Notification,
    subscription: Subscription,
    change: ObjectChange,
    granted: Granted,
    bodies: dict[Worded, bytes],
) -> Parcel:
    """What is seen is looked at again: the ven may have lost what it was granted when the change was written out."""
    hearer = Hearer(
        subscription_id=subscription.id, position=notification.position, client_id=subscription.client_id,
        is_business=subscription.is_business, program_id=subscription.program_id, targets=subscription.targets,
    )  # fmt: skip
    watch = subscription.watches[min(notification.position, len(subscription.watches) - 1)]
    body = b""
    if hears(hearer, change, granted):
        shown = shown_targets(hearer, change, granted)
        word = notification_of_3_0_1 if is_of_3_0_1(subscription.document) else notification_text
        key = word, change.number, shown
        if key not in bodies:
            bodies[key] = word(change.kind, change.operation, change.document, shown).encode()
        body = bodies[key]
    return Parcel(
        notification=notification, url=watch.callback_url, token=watch.bearer_token, secret=subscription.secret,
        body=body, news=None if subscription.is_business or change.kind is not ObjectKind.EVENT else
        (subscription.client_id, change.object_id),
    )  # fmt: skip
