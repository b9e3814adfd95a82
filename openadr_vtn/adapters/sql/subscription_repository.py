"""Subscriptions of OpenADR 3.1, as rows, and what they watch, to be found by what happens."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_core.oadr3.subscriptions import Watch
from openadr_vtn.adapters.sql.notice_tables import SubscriptionRow, WatchRow
from openadr_vtn.adapters.sql.object_targets import ObjectRepository
from openadr_vtn.adapters.sql.repository import Concerned
from openadr_vtn.adapters.sql.rows import Columns
from openadr_vtn.adapters.sql.tables import table_of
from openadr_vtn.adapters.sql.vault import Vault
from openadr_vtn.application.notice_ports import SubscriptionFilter
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.domain.subscription import Hearer, Subscription

TEXT = "text"
SUBSCRIPTION = table_of(SubscriptionRow)
WATCH = table_of(WatchRow)


class SqlSubscriptions(ObjectRepository):
    def __init__(self, connection: AsyncConnection, concerned: Concerned, *, locks: bool, vault: Vault) -> None:
        super().__init__(connection, concerned, locks=locks)
        self._vault = vault

    async def add(self, subscription: Subscription) -> None:
        await self._run(insert(SUBSCRIPTION).values(_row(subscription, self._vault)))
        await self._watch(subscription)

    async def replace(self, subscription: Subscription) -> None:
        which = SUBSCRIPTION.c.id == subscription.id
        await self._change(
            update(SUBSCRIPTION).where(which).values(_row(subscription, self._vault)), "such subscription"
        )
        await self._run(delete(WATCH).where(WATCH.c.subscription_id == subscription.id))
        await self._watch(subscription)

    async def remove(self, subscription_id: str) -> None:
        await self._change(delete(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription_id), "such subscription")
        self._concerned.kinds.add(ObjectKind.SUBSCRIPTION)

    async def by_id(self, subscription_id: str) -> Subscription | None:
        row = await self._row(self._locked(select(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription_id)))
        return None if row is None else _subscription_of(row, self._vault)

    async def by_ids(self, subscription_ids: Collection[str]) -> dict[str, Subscription]:
        query = select(SUBSCRIPTION).where(SUBSCRIPTION.c.id.in_(sorted(subscription_ids)))
        return {row["id"]: _subscription_of(row, self._vault) for row in await self._rows(query)}

    async def of_client(self, client_id: str) -> list[Subscription]:
        query = select(SUBSCRIPTION).where(SUBSCRIPTION.c.client_id == client_id)
        found = await self._rows(query.order_by(SUBSCRIPTION.c.created_at, SUBSCRIPTION.c.id))
        return [_subscription_of(row, self._vault) for row in found]

    async def which_are_there(self, subscription_ids: Collection[str]) -> set[str]:
        query = select(SUBSCRIPTION.c.id).where(SUBSCRIPTION.c.id.in_(sorted(subscription_ids)))
        return {row["id"] for row in await self._rows(query)}

    async def page(self, of: SubscriptionFilter, page: Page) -> list[Subscription]:
        query = select(SUBSCRIPTION).where(_matches(of)).order_by(SUBSCRIPTION.c.created_at, SUBSCRIPTION.c.id)
        return [
            _subscription_of(row, self._vault) for row in await self._rows(query.offset(page.skip).limit(page.limit))
        ]

    async def count(self, of: SubscriptionFilter) -> int:
        return await self._count(SUBSCRIPTION, _matches(of))

    async def seal_anew(self) -> None:
        """Seal with the first key of the vault what was not. StoreError if it cannot be opened."""
        for row in await self._rows(self._locked(select(SUBSCRIPTION))):
            subscription = _subscription_of(row, self._vault)
            if not self._vault.is_current(row["secret"]):
                which = SUBSCRIPTION.c.id == subscription.id
                await self._run(update(SUBSCRIPTION).where(which).values(_row(subscription, self._vault)))

    async def watching(self, kind: ObjectKind, operation: Operation) -> list[Hearer]:
        names = ("client_id", "is_business", "program_id", "targets")
        query = (
            select(WATCH.c.subscription_id, WATCH.c.position, *(SUBSCRIPTION.c[name] for name in names))
            .join(SUBSCRIPTION, SUBSCRIPTION.c.id == WATCH.c.subscription_id)
            .where(WATCH.c.kind == kind.value, WATCH.c.operation == operation.value)
        )
        return [Hearer(**{**row, "targets": tuple(row["targets"])}) for row in await self._rows(query)]

    async def watched(self, operation: Operation) -> set[ObjectKind]:
        query = select(WATCH.c.kind).where(WATCH.c.operation == operation.value).distinct()
        return {ObjectKind(row["kind"]) for row in await self._rows(query)}

    async def _watch(self, subscription: Subscription) -> None:
        rows = [
            {
                "subscription_id": subscription.id,
                "position": position,
                "kind": kind.value,
                "operation": operation.value,
            }
            for position, watch in enumerate(subscription.watches)
            for kind in watch.kinds
            for operation in watch.operations
        ]
        await self._run(insert(WATCH), rows)
        self._concerned.kinds.add(ObjectKind.SUBSCRIPTION)


def _matches(of: SubscriptionFilter) -> ColumnElement[bool]:
    told = [
        (SUBSCRIPTION.c.client_id, of.client_id),
        (SUBSCRIPTION.c.program_id, of.program_id),
        (SUBSCRIPTION.c.client_name, of.client_name),
    ]
    conditions = [column == value for column, value in told if value is not None]
    if of.kinds:
        kinds = sorted(kind.value for kind in of.kinds)
        conditions.append(SUBSCRIPTION.c.id.in_(select(WATCH.c.subscription_id).where(WATCH.c.kind.in_(kinds))))
    return and_(true(), *conditions)


def _row(subscription: Subscription, vault: Vault) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "client_id": subscription.client_id,
        "is_business": subscription.is_business,
        "client_name": subscription.client_name,
        "program_id": subscription.program_id,
        "targets": list(subscription.targets),
        "watches": [
            {
                "kinds": sorted(watch.kinds),
                "operations": sorted(watch.operations),
                "callback_url": watch.callback_url,
                "bearer_token": _stored_token(watch.bearer_token, vault),
            }
            for watch in subscription.watches
        ],
        "document": vault.sealed(subscription.document),
        "secret": vault.sealed(subscription.secret),
        "created_at": subscription.created_at,
        "modified_at": subscription.modified_at,
    }


def _subscription_of(row: Columns, vault: Vault) -> Subscription:
    watches = tuple(
        Watch(
            kinds=frozenset(ObjectKind(kind) for kind in one["kinds"]),
            operations=frozenset(Operation(operation) for operation in one["operations"]),
            callback_url=one["callback_url"],
            bearer_token=_token(one["bearer_token"], vault),
        )
        for one in row["watches"]
    )
    opened = {name: vault.opened(row[name]) for name in ("document", "secret")}
    return Subscription(**{**row, **opened, "targets": tuple(row["targets"]), "watches": watches})


def _stored_token(token: str | None, vault: Vault) -> dict[str, str] | str | None:
    """A receiver may have given us any text, also one that looks sealed: what is sealed is a member."""
    return token if token is None or not vault.seals else {TEXT: vault.sealed(token)}


def _token(stored: dict[str, str] | str | None, vault: Vault) -> str | None:
    return vault.opened(stored[TEXT]) if isinstance(stored, dict) else stored
