"""What subscribers of IEEE 2030.5 are told: what each would be answered if it asked now (1.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openadr_core.model.party import Party, PartyState
from openadr_core.sep2.encode import encode_notification
from openadr_core.sep2.subscriptions import Notification as Message
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.application.sending import Carried, Stream
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.sep2.registry import EndDevice
from openadr_vtn.domain.sep2.subscribing import OF_DEVICES, SubscriptionStanding, Told
from openadr_vtn.protocols.sep2.server import Sep2Server

STRICT = "-S1"
"""Subscription.level: of a subscriber that takes no elements but the standard's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sep2Parcel:
    notification: Notification
    url: str
    body: bytes
    party: Party
    """Whose certificate may answer."""
    is_last: bool
    """It says that there will be no more."""


class Sep2Outbox:
    duty = "notify-sep2"

    def __init__(self, store: Store, server: Sep2Server) -> None:
        self._store = store
        self._server = server

    async def spread(self, _now: datetime) -> set[str]:
        told: set[str] = set()
        while True:
            async with self._store.view() as view:
                if not await view.sep2_subscriptions.has_changes():
                    return told
            async with self._store.unit_of_work() as uow:
                told |= {str(one) for one in await uow.sep2_subscriptions.spread()}

    async def waiting(self, uow: UnitOfWork) -> dict[str, datetime | None]:
        return {str(one): retry_at for one, retry_at in (await uow.sep2_subscriptions.waiting()).items()}

    async def streams(self, subscription_ids: Sequence[str], now: datetime, *, each: int) -> list[Stream[Sep2Parcel]]:
        """One parcel at most for each: how its resource stands."""
        async with self._store.view() as view:
            found = await view.sep2_subscriptions.standings([int(one) for one in subscription_ids])
            waiting = [one for one in found if one.state is NotificationState.WAITING][: each * len(found)]
            parties = {one.id: one for one in await view.parties.by_ids({it.subscription.party_id for it in waiting})}
            holders = await view.registry.devices_numbered([one.subscription.holder for one in waiting])
            return [
                Stream(
                    subscription_id=str(one.subscription.id),
                    state=_stream_state(one),
                    parcels=(
                        await self._parcel(
                            view, one, parties[one.subscription.party_id], holders.get(one.subscription.holder), now
                        ),
                    ),
                )
                for one in waiting
            ]

    async def save(self, carried: Sequence[Carried[Sep2Parcel]], _now: datetime) -> None:
        outcomes = [(sent, one.state) for one in carried for sent in one.notifications]
        ended = [int(one.state.subscription_id) for one in carried if any(parcel.is_last for parcel in one.taken)]
        async with self._store.unit_of_work() as uow:
            await uow.sep2_subscriptions.tried(outcomes, ended=ended)

    async def _parcel(
        self, view: UnitOfWork, one: SubscriptionStanding, party: Party, holder: EndDevice | None, now: datetime
    ) -> Sep2Parcel:
        said = one.subscription
        csipaus = None if said.level == STRICT else self._server.speech(said.prefix).csipaus
        is_held = holder is not None and holder.party_id == party.id and holder.enabled
        body = None
        if holder is not None and is_held and party.state is PartyState.APPROVED:
            body = await self._server.represent(view, said, party=party, holder=holder, now=now, csipaus=csipaus)
            status = Told.DELETED if body is None else Told.CHANGED
        else:
            # What lay under the device went with it; of anything else it is only told no more.
            status = Told.DELETED if said.watched.kind in OF_DEVICES and holder is None else Told.CANCELLED
        message = Message(
            subscribed_resource=f"{said.prefix}{said.resource}", status=status,
            subscription_uri=f"{said.prefix}/edev/{said.holder}/sub/{said.id}",
        )  # fmt: skip
        return Sep2Parcel(
            notification=_notification(one), url=said.notification_uri, party=party, is_last=status is not Told.CHANGED,
            body=encode_notification(message, body or b"", csipaus=csipaus),
        )  # fmt: skip


def _notification(one: SubscriptionStanding) -> Notification:
    return Notification(
        number=one.changes, change_number=one.changes, position=0, subscription_id=str(one.subscription.id),
        state=one.state, attempts=one.attempts, tried_at=one.tried_at, outcome=one.outcome,
    )  # fmt: skip


def _stream_state(one: SubscriptionStanding) -> StreamState | None:
    if one.tried_at is None:
        return None
    return StreamState(
        subscription_id=str(one.subscription.id), at=one.tried_at, outcome=one.outcome, failures=one.failures,
        retry_at=one.retry_at,
    )  # fmt: skip
