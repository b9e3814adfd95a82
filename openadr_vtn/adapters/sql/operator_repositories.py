"""What operators write: programs, events, API clients, and the record of who did what."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openadr_core.errors import Conflict
from openadr_core.model.event import EventStatus, status_of
from openadr_core.model.target import audience_of
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.object_targets import ObjectRepository, has_one_of
from openadr_vtn.adapters.sql.repository import Concerned, Repository
from openadr_vtn.adapters.sql.rows import Columns, event_of, event_row, program_of, program_row
from openadr_vtn.adapters.sql.vault import Vault
from openadr_vtn.application.oadr3_ports import EventFilter, Page, ProgramFilter
from openadr_vtn.application.ports import ApiClient, AuditEntry, SigningKey, StoredEvent, StoredProgram
from openadr_vtn.domain.access import Role

PROGRAM = tables.table_of(tables.ProgramRow)
EVENT = tables.table_of(tables.EventRow)
ARCHIVE = tables.table_of(tables.EventArchiveRow)
CLIENT = tables.table_of(tables.ApiClientRow)
KEY = tables.table_of(tables.SigningKeyRow)
RECEIPT = tables.table_of(tables.ReceiptRow)
AUDIT = tables.table_of(tables.AuditRow)
PROGRAMS = select(PROGRAM).where(PROGRAM.c.removed_at.is_(None))
NEWEST_PROGRAM = (PROGRAM.c.created_at.desc(), PROGRAM.c.id)
REMOVED = " (removed) "
"""Between the name that a program had and its id: what makes room for another of that name."""


class SqlPrograms(ObjectRepository):
    async def add(self, stored: StoredProgram) -> None:
        await self._run(insert(PROGRAM).values(program_row(stored)))
        await self._wrote(ObjectKind.PROGRAM, stored.program.id, stored.program.targets)

    async def replace(self, stored: StoredProgram) -> None:
        statement = update(PROGRAM).where(PROGRAM.c.id == stored.program.id).values(program_row(stored))
        await self._change(statement, "such program")
        await self._wrote(ObjectKind.PROGRAM, stored.program.id, stored.program.targets)

    async def remove(self, program_id: str, now: datetime) -> None:
        there = (PROGRAM.c.id == program_id) & PROGRAM.c.removed_at.is_(None)
        freed = {
            "removed_at": now,
            "name": PROGRAM.c.name + REMOVED + PROGRAM.c.id,
            "market_context": PROGRAM.c.market_context + REMOVED + PROGRAM.c.id,
        }
        await self._change(update(PROGRAM).where(there).values(freed), "such program")
        await self._gone(ObjectKind.PROGRAM, program_id)

    async def by_id(self, program_id: str) -> StoredProgram | None:
        row = await self._row(PROGRAMS.where(PROGRAM.c.id == program_id))
        return None if row is None else program_of(row)

    async def all(self) -> list[StoredProgram]:
        return [program_of(row) for row in await self._rows(PROGRAMS.order_by(*NEWEST_PROGRAM))]

    async def page(self, of: ProgramFilter, page: Page) -> list[StoredProgram]:
        query = PROGRAMS.where(_programs(of)).order_by(*NEWEST_PROGRAM)
        return [program_of(row) for row in await self._rows(query.offset(page.skip).limit(page.limit))]

    async def count(self, of: ProgramFilter) -> int:
        return await self._count(PROGRAM, _programs(of))


class SqlEvents(ObjectRepository):
    async def add(self, stored: StoredEvent) -> None:
        await self._run(insert(EVENT).values(event_row(stored)))
        await self._wrote(ObjectKind.EVENT, stored.event.id, audience_of(stored.event.targets))

    async def replace(self, stored: StoredEvent) -> None:
        event = stored.event
        names = [column.name for column in ARCHIVE.c]
        before = (EVENT.c.id == event.id) & (EVENT.c.version == event.version - 1)
        await self._run(insert(ARCHIVE).from_select(names, select(*(EVENT.c[name] for name in names)).where(before)))
        if not await self._run(update(EVENT).where(before).values(event_row(stored))):
            raise Conflict(f"event {event.id} is not at version {event.version - 1}")
        await self._wrote(ObjectKind.EVENT, event.id, audience_of(event.targets))

    async def reword(self, stored: StoredEvent) -> None:
        event = stored.event
        same = (EVENT.c.id == event.id) & (EVENT.c.version == event.version)
        words = {"document": stored.document, "modified_at": event.modified_at}
        if not await self._run(update(EVENT).where(same).values(words)):
            raise Conflict(f"event {event.id} is not at version {event.version}")
        self._concerned.kinds.add(ObjectKind.EVENT)

    async def remove(self, event_id: str, now: datetime) -> None:
        there = (EVENT.c.id == event_id) & EVENT.c.removed_at.is_(None)
        await self._change(update(EVENT).where(there).values(removed_at=now), "such event")
        self._concerned.kinds.add(ObjectKind.EVENT)

    async def by_id(self, event_id: str) -> StoredEvent | None:
        row = await self._row(self._locked(select(EVENT).where(EVENT.c.id == event_id)))
        return None if row is None else event_of(row)

    async def by_ids(self, event_ids: Iterable[str]) -> list[StoredEvent]:
        return await self._events(select(EVENT).where(EVENT.c.id.in_(list(event_ids))))

    async def current(self, now: datetime) -> list[StoredEvent]:
        return await self._events(select(EVENT).where(_not_over(now)).order_by(EVENT.c.created_at, EVENT.c.id))

    async def statuses(self, now: datetime) -> Mapping[EventStatus, int]:
        columns = (EVENT.c.starts_at, EVENT.c.duration_s, EVENT.c.ramp_up_s, EVENT.c.cancelled_at)
        rows = await self._rows(select(*columns).where(_not_over(now)))
        return Counter(_status_of(row, now) for row in rows)

    async def page(self, of: EventFilter, page: Page) -> list[StoredEvent]:
        order = (EVENT.c.priority.asc().nulls_last(), EVENT.c.created_at.desc(), EVENT.c.id)
        ids = await self._page(EVENT.c.id, select(EVENT).where(_listed(of)).order_by(*order), page)
        found = {stored.event.id: stored for stored in await self.by_ids(ids)}
        return [found[event_id] for event_id in ids]

    async def count(self, of: EventFilter) -> int:
        return await self._count(EVENT, _listed(of))

    async def next_over_at(self, now: datetime) -> datetime | None:
        query = select(EVENT.c.over_at).where(EVENT.c.over_at > now).order_by(EVENT.c.over_at).limit(1)
        row = await self._row(query)
        return None if row is None else row["over_at"]

    async def open_first(
        self, now: datetime, *, program_id: str | None = None, skip: int = 0, limit: int = 50
    ) -> list[StoredEvent]:
        is_open = EVENT.c.cancelled_at.is_(None) & _not_over(now)
        order = (case((is_open, 0), else_=1), EVENT.c.created_at.desc(), EVENT.c.id)
        query = select(EVENT).order_by(*order).offset(skip).limit(limit)
        return await self._events(query if program_id is None else query.where(EVENT.c.program_id == program_id))

    async def versions(self, event_id: str) -> list[StoredEvent]:
        archived = select(ARCHIVE).where(ARCHIVE.c.id == event_id).order_by(ARCHIVE.c.version)
        return await self._events(archived) + await self._events(select(EVENT).where(EVENT.c.id == event_id))

    async def _events(self, query: Select[Any]) -> list[StoredEvent]:
        return [event_of(row) for row in await self._rows(query)]


def _status_of(row: Columns, now: datetime) -> EventStatus:
    lasts_s = row["duration_s"]
    return status_of(
        now,
        starts_at=row["starts_at"],
        ends_at=None if lasts_s is None else row["starts_at"] + timedelta(seconds=lasts_s),
        ramp_up=timedelta(seconds=row["ramp_up_s"]),
        cancelled_at=row["cancelled_at"],
    )


class SqlClients(Repository):
    async def add(self, client: ApiClient) -> None:
        self._concerned.everybody = True
        await self._run(insert(CLIENT).values(_client_columns(client)))

    async def update(self, client: ApiClient) -> None:
        self._concerned.everybody = True
        change = update(CLIENT).where(CLIENT.c.client_id == client.client_id).values(_client_columns(client))
        await self._change(change, "such client")

    async def remove(self, client_id: str) -> None:
        self._concerned.everybody = True
        await self._change(delete(CLIENT).where(CLIENT.c.client_id == client_id), "such client")

    async def by_id(self, client_id: str) -> ApiClient | None:
        row = await self._row(select(CLIENT).where(CLIENT.c.client_id == client_id))
        return None if row is None else _client(row)

    async def all(self) -> list[ApiClient]:
        query = select(CLIENT).order_by(CLIENT.c.created_at, CLIENT.c.client_id)
        return [_client(row) for row in await self._rows(query)]


class SqlKeys(Repository):
    def __init__(self, connection: AsyncConnection, concerned: Concerned, *, locks: bool, vault: Vault) -> None:
        super().__init__(connection, concerned, locks=locks)
        self._vault = vault

    async def add(self, key: SigningKey) -> None:
        await self._run(insert(KEY).values(asdict(key) | {"pem": self._vault.sealed(key.pem)}))

    async def remove(self, key_id: str) -> None:
        await self._run(delete(KEY).where(KEY.c.id == key_id))

    async def all(self) -> list[SigningKey]:
        query = select(KEY).order_by(KEY.c.created_at.desc(), KEY.c.id)
        return [SigningKey(**row | {"pem": self._vault.opened(row["pem"])}) for row in await self._rows(query)]

    async def seal_anew(self) -> None:
        """Seal with the first key of the vault what was not. StoreError if it cannot be opened."""
        for row in await self._rows(self._locked(select(KEY))):
            pem = self._vault.opened(row["pem"])
            if not self._vault.is_current(row["pem"]):
                await self._run(update(KEY).where(KEY.c.id == row["id"]).values(pem=self._vault.sealed(pem)))


class SqlReceipts(Repository):
    async def add(self, actor: str, key: str, answer: str, now: datetime) -> None:
        await self._run(insert(RECEIPT).values(actor=actor, key=key, answer=answer, at=now))

    async def by_key(self, actor: str, key: str) -> str | None:
        row = await self._row(select(RECEIPT.c.answer).where(RECEIPT.c.actor == actor, RECEIPT.c.key == key))
        return None if row is None else str(row["answer"])


ENTRIES = select(AUDIT.c.at, AUDIT.c.actor, AUDIT.c.action, AUDIT.c.subject, AUDIT.c.detail)


class SqlAudit(Repository):
    async def append(self, entry: AuditEntry) -> None:
        await self._run(insert(AUDIT).values(asdict(entry)))

    async def newest(self, limit: int) -> list[AuditEntry]:
        return [AuditEntry(**row) for row in await self._rows(ENTRIES.order_by(AUDIT.c.id.desc()).limit(limit))]

    async def of_subject(self, subject: str, action: str) -> list[AuditEntry]:
        query = ENTRIES.where(AUDIT.c.subject == subject, AUDIT.c.action == action)
        return [AuditEntry(**row) for row in await self._rows(query.order_by(AUDIT.c.id))]


def _not_over(now: datetime) -> ColumnElement[bool]:
    return or_(EVENT.c.over_at.is_(None), EVENT.c.over_at > now)


def _listed(of: EventFilter) -> ColumnElement[bool]:
    there = (EVENT.c.cancelled_at.is_(None), EVENT.c.removed_at.is_(None))
    conditions = [*there, *has_one_of(ObjectKind.EVENT, EVENT.c.id, of.wanted)]
    if of.program_id is not None:
        conditions.append(EVENT.c.program_id == of.program_id)
    if of.over is not None and of.at is not None:
        conditions.append(EVENT.c.over_at <= of.at if of.over else _not_over(of.at))
    return and_(*conditions)


def _programs(of: ProgramFilter) -> ColumnElement[bool]:
    named = [] if of.name is None else [PROGRAM.c.name == of.name]
    return and_(PROGRAM.c.removed_at.is_(None), *named, *has_one_of(ObjectKind.PROGRAM, PROGRAM.c.id, of.wanted))


def _client(row: Columns) -> ApiClient:
    return ApiClient(**{**row, "scopes": tuple(row["scopes"]), "role": Role(row["role"])})


def _client_columns(client: ApiClient) -> Columns:
    return asdict(client) | {"scopes": list(client.scopes), "role": client.role.value}
