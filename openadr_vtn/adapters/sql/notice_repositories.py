"""The outbox of notifications: what happened to objects, and what of it was told to whom."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.adapters.sql.notice_tables import NotificationRow, ObjectChangeRow, StreamRow
from openadr_vtn.adapters.sql.repository import KEYS_PER_STATEMENT, Repository
from openadr_vtn.adapters.sql.rows import Columns
from openadr_vtn.adapters.sql.tables import table_of
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import Hearer

CHANGE = table_of(ObjectChangeRow)
NOTIFICATION = table_of(NotificationRow)
STREAM = table_of(StreamRow)


class SqlObjectChanges(Repository):
    async def record(self, changes: Sequence[ObjectChange]) -> None:
        if changes:
            await self._run(insert(CHANGE), [_change_row(change) for change in changes])

    async def of_object(self, object_id: str) -> list[ObjectChange]:
        query = select(CHANGE).where(CHANGE.c.object_id == object_id).order_by(CHANGE.c.number)
        return [_change_of(row) for row in await self._rows(query)]

    async def by_numbers(self, numbers: Iterable[int]) -> dict[int, ObjectChange]:
        rows = await self._rows(select(CHANGE).where(CHANGE.c.number.in_(sorted(set(numbers)))))
        return {row["number"]: _change_of(row) for row in rows}

    async def unspread(self, limit: int) -> list[ObjectChange]:
        query = select(CHANGE).where(CHANGE.c.spread_at.is_(None)).order_by(CHANGE.c.number).limit(limit)
        return [_change_of(row) for row in await self._rows(query)]

    async def unpublished(self, limit: int) -> list[ObjectChange]:
        query = select(CHANGE).where(CHANGE.c.published_at.is_(None)).order_by(CHANGE.c.number).limit(limit)
        return [_change_of(row) for row in await self._rows(query)]

    async def count_unpublished(self) -> int:
        row = await self._row(select(func.count().label("rows")).where(CHANGE.c.published_at.is_(None)))
        return 0 if row is None else int(row["rows"])

    async def mark_spread(self, numbers: Collection[int], now: datetime) -> None:
        await self._run(update(CHANGE).where(CHANGE.c.number.in_(sorted(numbers))).values(spread_at=now))

    async def mark_published(self, numbers: Collection[int], now: datetime) -> None:
        await self._run(update(CHANGE).where(CHANGE.c.number.in_(sorted(numbers))).values(published_at=now))

    async def forget(self, before: datetime) -> int:
        return await self._run(delete(CHANGE).where(CHANGE.c.at < before))


class SqlNotifications(Repository):
    async def owe(self, change_number: int, hearers: Sequence[Hearer]) -> None:
        rows = [
            {
                "subscription_id": hearer.subscription_id,
                "position": hearer.position,
                "change_number": change_number,
                "state": NotificationState.WAITING.value,
                "attempts": 0,
                "tried_at": None,
                "outcome": "",
            }
            for hearer in hearers
        ]
        if rows:
            await self._run(insert(NOTIFICATION), rows)

    async def waiting(self) -> dict[str, datetime | None]:
        query = (
            select(NOTIFICATION.c.subscription_id, STREAM.c.retry_at)
            .outerjoin(STREAM, STREAM.c.subscription_id == NOTIFICATION.c.subscription_id)
            .where(NOTIFICATION.c.state == NotificationState.WAITING.value)
            .distinct()
        )
        return {row["subscription_id"]: row["retry_at"] for row in await self._rows(query)}

    async def first_waiting(self, subscription_ids: Collection[str], each: int) -> list[Notification]:
        place = func.row_number().over(partition_by=NOTIFICATION.c.subscription_id, order_by=NOTIFICATION.c.number)
        numbered = (
            select(NOTIFICATION, place.label("place"))
            .where(
                NOTIFICATION.c.state == NotificationState.WAITING.value,
                NOTIFICATION.c.subscription_id.in_(sorted(subscription_ids)),
            )
            .subquery()
        )
        columns = [numbered.c[column.name] for column in NOTIFICATION.c]
        query = select(*columns).where(numbered.c.place <= each).order_by(numbered.c.number)
        return [_notification_of(row) for row in await self._rows(query)]

    async def streams(self, subscription_ids: Collection[str]) -> dict[str, StreamState]:
        query = select(STREAM)
        if len(subscription_ids) < KEYS_PER_STATEMENT:
            query = query.where(STREAM.c.subscription_id.in_(sorted(subscription_ids)))
        wanted = set(subscription_ids)
        rows = await self._rows(query)
        return {row["subscription_id"]: StreamState(**row) for row in rows if row["subscription_id"] in wanted}

    async def save(self, notifications: Sequence[Notification], streams: Sequence[StreamState]) -> None:
        if notifications:
            values: dict[str, Any] = {
                name: bindparam(f"new_{name}") for name in ("state", "attempts", "tried_at", "outcome")
            }
            statement = update(NOTIFICATION).where(NOTIFICATION.c.number == bindparam("which")).values(values)
            await self._run(
                statement,
                [
                    {
                        "which": one.number,
                        "new_state": one.state.value,
                        "new_attempts": one.attempts,
                        "new_tried_at": one.tried_at,
                        "new_outcome": one.outcome,
                    }
                    for one in notifications
                ],
            )
        await self._upsert(
            STREAM, [{column.name: getattr(state, column.name) for column in STREAM.c} for state in streams]
        )

    async def of_subscription(
        self, subscription_id: str, state: NotificationState, *, skip: int = 0, limit: int = 50
    ) -> list[Notification]:
        query = (
            select(NOTIFICATION)
            .where(NOTIFICATION.c.subscription_id == subscription_id, NOTIFICATION.c.state == state.value)
            .order_by(NOTIFICATION.c.number)
        )
        return [_notification_of(row) for row in await self._rows(query.offset(skip).limit(limit))]

    async def counts(self, subscription_ids: Collection[str]) -> dict[str, dict[NotificationState, int]]:
        query = (
            select(NOTIFICATION.c.subscription_id, NOTIFICATION.c.state, func.count().label("rows"))
            .where(NOTIFICATION.c.subscription_id.in_(sorted(subscription_ids)))
            .group_by(NOTIFICATION.c.subscription_id, NOTIFICATION.c.state)
        )
        found: dict[str, dict[NotificationState, int]] = {one: {} for one in subscription_ids}
        for row in await self._rows(query):
            found[row["subscription_id"]][NotificationState(row["state"])] = row["rows"]
        return found

    async def count(self, state: NotificationState) -> int:
        row = await self._row(select(func.count().label("rows")).where(NOTIFICATION.c.state == state.value))
        return 0 if row is None else int(row["rows"])

    async def revive(self, subscription_id: str, numbers: Collection[int] | None) -> int:
        dead = (NOTIFICATION.c.subscription_id == subscription_id) & (
            NOTIFICATION.c.state == NotificationState.DEAD.value
        )
        if numbers is not None:
            dead &= NOTIFICATION.c.number.in_(sorted(numbers))
        revived = await self._run(
            update(NOTIFICATION).where(dead).values(state=NotificationState.WAITING.value, attempts=0)
        )
        if revived:
            await self._run(delete(STREAM).where(STREAM.c.subscription_id == subscription_id))
            self._concerned.kinds.add(ObjectKind.SUBSCRIPTION)
        return revived


def _change_row(change: ObjectChange) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "object_id": change.object_id,
        "operation": change.operation.value,
        "program_id": change.program_id,
        "client_id": change.client_id,
        "reader_id": change.reader_id,
        "targets": list(change.targets),
        "document": change.document,
        "at": change.at,
    }


def _change_of(row: Columns) -> ObjectChange:
    return ObjectChange(
        kind=ObjectKind(row["kind"]),
        object_id=row["object_id"],
        operation=Operation(row["operation"]),
        document=row["document"],
        at=row["at"],
        program_id=row["program_id"],
        client_id=row["client_id"],
        reader_id=row["reader_id"],
        targets=tuple(row["targets"]),
        number=row["number"],
    )


def _notification_of(row: Columns) -> Notification:
    return Notification(**{**row, "state": NotificationState(row["state"])})
