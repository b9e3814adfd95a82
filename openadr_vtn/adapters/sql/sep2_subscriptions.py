"""Subscriptions of IEEE 2030.5, and what their subscribers are owed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, bindparam, case, cast, delete, func, or_, select, update

from openadr_vtn.adapters.sql.repository import Repository
from openadr_vtn.adapters.sql.sep2_changes import CHANGE, HELD, SUBSCRIPTION
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.sep2.subscribing import Subscription, SubscriptionStanding, Watched

SPREAD_TOGETHER = 500
"""Changes that are written out in one transaction."""
WAITING = NotificationState.WAITING.value
NOTHING_OWED = {
    "changes": 0, "delivered": 0, "state": NotificationState.DELIVERED.value, "attempts": 0, "tried_at": None,
    "outcome": "", "failures": 0, "retry_at": None,
}  # fmt: skip
TRIED = ("attempts", "tried_at", "outcome", "failures", "retry_at")


class SqlSep2Subscriptions(Repository):
    async def keep(self, subscription: Subscription) -> tuple[int, bool]:
        same = and_(
            SUBSCRIPTION.c.holder == subscription.holder,
            SUBSCRIPTION.c.prefix == subscription.prefix,
            SUBSCRIPTION.c.resource == subscription.resource,
            SUBSCRIPTION.c.notification_uri == subscription.notification_uri,
        )
        before = await self._row(self._locked(select(SUBSCRIPTION.c.id).where(same)))
        self._concerned.party_ids.add(subscription.party_id)  # its device tells how many it has
        if before is None:
            columns = {**_columns(subscription), **NOTHING_OWED}
            return await self._added(SUBSCRIPTION, SUBSCRIPTION.c.id, columns), True
        await self._run(update(SUBSCRIPTION).where(same).values(_columns(subscription)))
        return int(before["id"]), False

    async def replace(self, subscription: Subscription) -> None:
        mine = update(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription.id)
        await self._change(mine.values(_columns(subscription)), f"subscription {subscription.id}")

    async def remove(self, subscription_id: int) -> None:
        statement = delete(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription_id)
        self._concerned.everybody = True
        await self._change(statement, f"subscription {subscription_id}")

    async def held(self, holder: int, *, skip: int = 0, limit: int = 500) -> list[Subscription]:
        """In the order of SubscriptionList: by href, as text."""
        query = select(SUBSCRIPTION).where(SUBSCRIPTION.c.holder == holder).order_by(cast(SUBSCRIPTION.c.id, Text))
        return [_subscription(row) for row in await self._rows(query.offset(skip).limit(limit))]

    async def count_held(self, holder: int) -> int:
        query = select(func.count().label("there")).select_from(SUBSCRIPTION).where(SUBSCRIPTION.c.holder == holder)
        return int((await self._rows(query))[0]["there"])

    async def by_id(self, subscription_id: int) -> Subscription | None:
        row = await self._row(self._locked(select(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription_id)))
        return None if row is None else _subscription(row)

    # -- what is owed ------------------------------------------------------------------

    async def has_changes(self) -> bool:
        return await self._row(select(CHANGE.c.number).limit(1)) is not None

    async def spread(self) -> set[int]:
        read = await self._rows(select(CHANGE.c.number).order_by(CHANGE.c.number).limit(SPREAD_TOGETHER))
        # By number, and not all that there are: one that is committed meanwhile is for the next time.
        together = CHANGE.c.number.in_([row["number"] for row in read])
        hears = or_(
            and_(
                CHANGE.c.kind == SUBSCRIPTION.c.kind,
                CHANGE.c.about == SUBSCRIPTION.c.about,
                CHANGE.c.party_id.in_(["", SUBSCRIPTION.c.party_id]),
            ),
            and_(CHANGE.c.kind == HELD, CHANGE.c.about == SUBSCRIPTION.c.holder),
        )
        owed = update(SUBSCRIPTION).where(select(CHANGE.c.number).where(together, hears).exists())
        owed = owed.values(changes=SUBSCRIPTION.c.changes + 1, state=WAITING, attempts=0)
        found = await self._changed(owed.returning(SUBSCRIPTION.c.id))
        await self._run(delete(CHANGE).where(together))
        return set(found)

    async def waiting(self) -> dict[int, datetime | None]:
        query = select(SUBSCRIPTION.c.id, SUBSCRIPTION.c.retry_at).where(SUBSCRIPTION.c.state == WAITING)
        return {row["id"]: row["retry_at"] for row in await self._rows(query)}

    async def standings(self, subscription_ids: Collection[int]) -> list[SubscriptionStanding]:
        query = select(SUBSCRIPTION).where(SUBSCRIPTION.c.id.in_(sorted(subscription_ids)))
        return [_standing(row) for row in await self._rows(query.order_by(SUBSCRIPTION.c.id))]

    async def tried(self, outcomes: Collection[tuple[Notification, StreamState]], *, ended: Collection[int]) -> None:
        if not outcomes:
            return
        is_last = SUBSCRIPTION.c.changes == bindparam("seen")
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in TRIED}
        values["delivered"] = SUBSCRIPTION.c.delivered + bindparam("more")
        values["state"] = case((is_last, bindparam("new_state")), else_=SUBSCRIPTION.c.state)
        statement = update(SUBSCRIPTION).where(SUBSCRIPTION.c.id == bindparam("which")).values(values)
        await self._run(
            statement,
            [
                {
                    "which": int(one.subscription_id), "seen": one.change_number, "new_state": one.state.value,
                    "more": int(one.state is NotificationState.DELIVERED), "new_attempts": one.attempts,
                    "new_tried_at": one.tried_at, "new_outcome": one.outcome, "new_failures": stream.failures,
                    "new_retry_at": stream.retry_at,
                }
                for one, stream in outcomes
            ],
        )  # fmt: skip
        if ended:
            delivered = SUBSCRIPTION.c.state == NotificationState.DELIVERED.value
            self._concerned.everybody = True
            await self._run(delete(SUBSCRIPTION).where(SUBSCRIPTION.c.id.in_(sorted(ended)), delivered))

    async def page(
        self, state: NotificationState | None = None, *, skip: int = 0, limit: int = 50
    ) -> list[SubscriptionStanding]:
        query = select(SUBSCRIPTION).order_by(SUBSCRIPTION.c.id)
        if state is not None:
            query = query.where(SUBSCRIPTION.c.state == state.value)
        return [_standing(row) for row in await self._rows(query.offset(skip).limit(limit))]

    async def revive(self, subscription_id: int | None = None) -> int:
        dead = SUBSCRIPTION.c.state == NotificationState.DEAD.value
        if subscription_id is not None:
            dead &= SUBSCRIPTION.c.id == subscription_id
        values = {"state": WAITING, "attempts": 0, "failures": 0, "retry_at": None}
        revived = await self._run(update(SUBSCRIPTION).where(dead).values(values))
        if revived:
            self._concerned.groups.add(0)
        return revived

    async def forget(self, before: int) -> int:
        forgotten = await self._run(delete(SUBSCRIPTION).where(SUBSCRIPTION.c.renewed_at < before))
        self._concerned.everybody |= forgotten > 0
        return forgotten


def _columns(one: Subscription) -> dict[str, Any]:
    own = ("holder", "party_id", "prefix", "resource", "notification_uri", "limit", "level", "renewed_at")
    return {"kind": one.watched.kind, "about": one.watched.about, **{name: getattr(one, name) for name in own}}


def _subscription(row: dict[str, Any]) -> Subscription:
    own = ("id", "holder", "party_id", "prefix", "resource", "notification_uri", "limit", "level", "renewed_at")
    watched = Watched(kind=row["kind"], about=row["about"])
    return Subscription(watched=watched, **{name: row[name] for name in own})


def _standing(row: dict[str, Any]) -> SubscriptionStanding:
    said = {name: row[name] for name in ("changes", "delivered", *TRIED)}
    return SubscriptionStanding(subscription=_subscription(row), state=NotificationState(row["state"]), **said)
