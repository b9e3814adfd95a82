"""The VTN's store: transactions over the tables, on SQLite or PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, nullcontext
from functools import cached_property
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openadr_core.errors import LocalProtocolError, Unavailable
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql.convoy import Convoy
from openadr_vtn.adapters.sql.delivery_repository import SqlDeliveries, SqlFanOuts
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.migrate import migrate
from openadr_vtn.adapters.sql.news import Ear, News
from openadr_vtn.adapters.sql.notice_repositories import SqlNotifications, SqlObjectChanges
from openadr_vtn.adapters.sql.oadr3_repositories import SqlReportObjects, SqlResources
from openadr_vtn.adapters.sql.operator_repositories import (
    SqlAudit,
    SqlClients,
    SqlEvents,
    SqlKeys,
    SqlPrograms,
    SqlReceipts,
)
from openadr_vtn.adapters.sql.opt_repository import SqlAvailability
from openadr_vtn.adapters.sql.party_repositories import SqlErrands, SqlNonces, SqlOpts, SqlParties
from openadr_vtn.adapters.sql.push_repositories import SqlDuties, SqlPushes
from openadr_vtn.adapters.sql.report_repositories import SqlReports
from openadr_vtn.adapters.sql.repository import Concerned
from openadr_vtn.adapters.sql.sep2_repositories import SqlControls, SqlMirrors, SqlRegistry
from openadr_vtn.adapters.sql.sep2_subscriptions import SqlSep2Subscriptions
from openadr_vtn.adapters.sql.sqlite_connection import briefly
from openadr_vtn.adapters.sql.subscription_repository import SqlSubscriptions
from openadr_vtn.adapters.sql.vault import PLAIN, Vault
from openadr_vtn.application.ports import Listener, T, UnitOfWork

POSTGRESQL_CONVOYS = 4
"""Side by side: while one waits for the server another makes its statements. SQLite has one writer."""
ALONE = 20_310
"""The advisory lock of those that are alone: a number of our own, the same in every process."""


class SqlUnitOfWork:
    """One transaction; its repositories share it."""

    def __init__(self, connection: AsyncConnection, *, locks: bool, vault: Vault = PLAIN) -> None:
        self.concerned = Concerned()
        self.connection = connection
        self.in_company = False
        """It is several parties' (:meth:`SqlStore.together`)."""
        self._locks = locks
        self._vault = vault

    async def alone(self) -> None:
        if self.in_company:
            raise LocalProtocolError("work that is done together is alone with nobody")
        # SQLite has one writer: there every transaction that writes is alone from its beginning.
        if self.connection.dialect.name == "postgresql":
            await self.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ALONE})

    @cached_property
    def programs(self) -> SqlPrograms:
        return SqlPrograms(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def events(self) -> SqlEvents:
        return SqlEvents(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def parties(self) -> SqlParties:
        return SqlParties(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def fan_outs(self) -> SqlFanOuts:
        return SqlFanOuts(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def errands(self) -> SqlErrands:
        return SqlErrands(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def nonces(self) -> SqlNonces:
        return SqlNonces(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def pushes(self) -> SqlPushes:
        return SqlPushes(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def duties(self) -> SqlDuties:
        return SqlDuties(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def opts(self) -> SqlOpts:
        return SqlOpts(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def availability(self) -> SqlAvailability:
        return SqlAvailability(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def reports(self) -> SqlReports:
        return SqlReports(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def object_changes(self) -> SqlObjectChanges:
        return SqlObjectChanges(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def subscriptions(self) -> SqlSubscriptions:
        return SqlSubscriptions(self.connection, self.concerned, locks=self._locks, vault=self._vault)

    @cached_property
    def notifications(self) -> SqlNotifications:
        return SqlNotifications(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def resources(self) -> SqlResources:
        return SqlResources(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def report_objects(self) -> SqlReportObjects:
        return SqlReportObjects(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def registry(self) -> SqlRegistry:
        return SqlRegistry(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def controls(self) -> SqlControls:
        return SqlControls(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def mirrors(self) -> SqlMirrors:
        return SqlMirrors(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def sep2_subscriptions(self) -> SqlSep2Subscriptions:
        return SqlSep2Subscriptions(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def clients(self) -> SqlClients:
        return SqlClients(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def keys(self) -> SqlKeys:
        return SqlKeys(self.connection, self.concerned, locks=self._locks, vault=self._vault)

    @cached_property
    def receipts(self) -> SqlReceipts:
        return SqlReceipts(self.connection, self.concerned, locks=self._locks)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self.connection, self.concerned, locks=self._locks)


class SqlStore:
    """Use :func:`open_store`; the database must be migrated."""

    def __init__(self, url: str, vault: Vault = PLAIN) -> None:
        self._vault = vault
        self._engines = engines_of(url)
        self._news = News()
        postgresql_url = self._engines.postgresql_url
        lanes = 1 if postgresql_url is None else POSTGRESQL_CONVOYS
        self._convoys = [Convoy(self._in_company) for _ in range(lanes)]
        self._ear = None if postgresql_url is None else Ear(postgresql_url, self._news)

    async def open(self) -> None:
        await self.probe()
        if self._ear is not None:
            await self._ear.open()

    @asynccontextmanager
    async def unit_of_work(self, *, brief: bool = False) -> AsyncIterator[SqlUnitOfWork]:
        async with _transaction(self._engines.writer) as connection:
            unit = SqlUnitOfWork(connection, locks=True, vault=self._vault)
            async with briefly(connection) if brief else nullcontext():
                yield unit
            if unit.concerned and self._ear is not None:
                await self._news.notify(connection, unit.concerned)
        if unit.concerned:
            self._news.publish(unit.concerned.whom, unit.concerned.kinds, unit.concerned.groups)

    @asynccontextmanager
    async def _in_company(self) -> AsyncIterator[SqlUnitOfWork]:
        async with self.unit_of_work(brief=True) as unit:
            unit.in_company = True
            yield unit

    async def together(self, party_id: str, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        # Always the same one for a party: its works stay in order, and no two convoys wait for each other's rows.
        return await self._convoys[hash(party_id) % len(self._convoys)].join(party_id, work)

    @asynccontextmanager
    async def view(self) -> AsyncIterator[SqlUnitOfWork]:
        async with _transaction(self._engines.reader) as connection:
            yield SqlUnitOfWork(connection, locks=False, vault=self._vault)

    def changes(self) -> int:
        return self._news.changes

    def revision(self, kinds: Iterable[ObjectKind]) -> str:
        return ".".join([self._news.teller, *(str(self._news.revisions[kind]) for kind in kinds)])

    def revision_of_groups(self, group_ids: Iterable[int]) -> str:
        return ".".join([str(self._news.doubts), *(str(self._news.groups[group_id]) for group_id in group_ids)])

    def subscribe(self, listener: Listener) -> None:
        self._news.listeners.append(listener)

    async def probe(self) -> None:
        async with _transaction(self._engines.reader) as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        if self._ear is not None:
            await self._ear.close()
        await self._engines.close()


async def open_store(url: str, vault: Vault = PLAIN) -> SqlStore:
    """A store that answers; Unavailable if its database does not."""
    store = SqlStore(url, vault)
    try:
        await store.open()
    except BaseException:
        await store.close()
        raise
    return store


async def open_migrated(url: str, vault: Vault = PLAIN) -> SqlStore:
    """The same, once its tables are what they are today, and its secrets sealed with today's key.

    StoreError if one was sealed with a key that the vault has not.
    """
    if is_new_file(url):
        _make_private(Path(url.removeprefix("sqlite:///")))
    await migrate(url)
    store = await open_store(url, vault)
    try:
        async with store.unit_of_work() as uow:
            await uow.keys.seal_anew()
            await uow.subscriptions.seal_anew()
    except BaseException:
        await store.close()
        raise
    return store


@asynccontextmanager
async def opened_store(url: str, vault: Vault) -> AsyncIterator[SqlStore]:
    """The same, for a command that works beside a VTN that may run."""
    store = await open_migrated(url, vault)
    try:
        yield store
    finally:
        await store.close()


def _make_private(path: Path) -> None:
    """The key that signs tokens will be in the store: nobody else on this machine may read it."""
    path.touch(mode=0o600)


def is_new_file(url: str) -> bool:
    path = url.removeprefix("sqlite:///")
    return path != url and not Path(path).exists()


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.begin() as connection:
            yield connection
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise Unavailable(f"the store does not answer: {type(error).__name__}") from error
