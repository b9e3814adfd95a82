"""Resources and reports of OpenADR 3.1, as rows."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, true, update

from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.object_targets import ObjectRepository, has_one_of
from openadr_vtn.adapters.sql.repository import KEYS_PER_STATEMENT
from openadr_vtn.application.oadr3_ports import Page, ReportFilter, ResourceFilter, StoredReport, StoredResource

RESOURCE = tables.table_of(tables.ResourceRow)
REPORT = tables.table_of(tables.ReportObjectRow)
EVENT = tables.table_of(tables.EventRow)


class SqlResources(ObjectRepository):
    async def add(self, stored: StoredResource) -> None:
        await self._run(insert(RESOURCE).values(_resource_row(stored)))
        await self._wrote(ObjectKind.RESOURCE, stored.id, stored.targets)
        self._concerned.party_ids.add(stored.party_id)

    async def replace(self, stored: StoredResource) -> None:
        await self._change(
            update(RESOURCE).where(RESOURCE.c.id == stored.id).values(_resource_row(stored)), "such resource"
        )
        await self._wrote(ObjectKind.RESOURCE, stored.id, stored.targets)
        self._concerned.party_ids.add(stored.party_id)

    async def remove(self, stored: StoredResource) -> None:
        await self._change(delete(RESOURCE).where(RESOURCE.c.id == stored.id), "such resource")
        await self._gone(ObjectKind.RESOURCE, stored.id)
        self._concerned.party_ids.add(stored.party_id)

    async def by_id(self, resource_id: str) -> StoredResource | None:
        row = await self._row(self._locked(select(RESOURCE).where(RESOURCE.c.id == resource_id)))
        return None if row is None else _resource_of(row)

    async def of_parties(self, party_ids: Iterable[str]) -> list[StoredResource]:
        query = select(RESOURCE).order_by(RESOURCE.c.created_at, RESOURCE.c.id)
        ids = set(party_ids)
        if len(ids) < KEYS_PER_STATEMENT:
            query = query.where(RESOURCE.c.party_id.in_(sorted(ids)))
        return [_resource_of(row) for row in await self._rows(query) if row["party_id"] in ids]

    async def page(self, of: ResourceFilter, page: Page) -> list[StoredResource]:
        ordered = select(RESOURCE).where(_resources(of)).order_by(RESOURCE.c.created_at, RESOURCE.c.id)
        ids = await self._page(RESOURCE.c.id, ordered, page)
        found = {row["id"]: row for row in await self._rows(select(RESOURCE).where(RESOURCE.c.id.in_(ids)))}
        return [_resource_of(found[resource_id]) for resource_id in ids]

    async def count(self, of: ResourceFilter) -> int:
        return await self._count(RESOURCE, _resources(of))


class SqlReportObjects(ObjectRepository):
    async def add(self, stored: StoredReport) -> None:
        await self._run(insert(REPORT).values(asdict(stored)))
        self._concerned.kinds.add(ObjectKind.REPORT)

    async def replace(self, stored: StoredReport) -> None:
        await self._change(update(REPORT).where(REPORT.c.id == stored.id).values(asdict(stored)), "such report")
        self._concerned.kinds.add(ObjectKind.REPORT)

    async def remove(self, report_id: str) -> None:
        await self._change(delete(REPORT).where(REPORT.c.id == report_id), "such report")
        self._concerned.kinds.add(ObjectKind.REPORT)

    async def forget(self, before: datetime) -> int:
        gone = await self._run(delete(REPORT).where(REPORT.c.modified_at < before))
        if gone:
            self._concerned.kinds.add(ObjectKind.REPORT)
        return gone

    async def by_id(self, report_id: str) -> StoredReport | None:
        row = await self._row(self._locked(select(REPORT).where(REPORT.c.id == report_id)))
        return None if row is None else StoredReport(**row)

    async def page(self, of: ReportFilter, page: Page) -> list[StoredReport]:
        ordered = select(REPORT).where(_reports(of)).order_by(REPORT.c.created_at.desc(), REPORT.c.id)
        ids = await self._page(REPORT.c.id, ordered, page)
        found = {row["id"]: row for row in await self._rows(select(REPORT).where(REPORT.c.id.in_(ids)))}
        return [StoredReport(**found[report_id]) for report_id in ids]

    async def count(self, of: ReportFilter) -> int:
        return await self._count(REPORT, _reports(of))


def _resources(of: ResourceFilter) -> ColumnElement[bool]:
    return and_(
        true(),
        *_equal((RESOURCE.c.party_id, of.party_id), (RESOURCE.c.party_id, of.ven_id), (RESOURCE.c.name, of.name)),
        *has_one_of(ObjectKind.RESOURCE, RESOURCE.c.id, of.wanted),
    )


def _reports(of: ReportFilter) -> ColumnElement[bool]:
    told = [
        (REPORT.c.client_id, of.client_id),
        (REPORT.c.event_id, of.event_id),
        (REPORT.c.client_name, of.client_name),
    ]
    conditions = _equal(*told)
    if of.program_id is not None:
        conditions.append(REPORT.c.event_id.in_(select(EVENT.c.id).where(EVENT.c.program_id == of.program_id)))
    return and_(true(), *conditions)


def _equal(*pairs: tuple[ColumnElement[Any], str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in pairs if value is not None]


def _resource_row(stored: StoredResource) -> dict[str, Any]:
    return asdict(stored) | {"targets": list(stored.targets)}


def _resource_of(row: dict[str, Any]) -> StoredResource:
    targets: Sequence[str] = row["targets"]
    return StoredResource(**{**row, "targets": tuple(targets)})
