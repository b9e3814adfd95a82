"""The index from targets to the objects of OpenADR 3.1 that have them, written with each object."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, select

from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.repository import Repository
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.domain.visibility import keys_of

TARGET = tables.table_of(tables.ObjectTargetRow)


class ObjectRepository(Repository):
    """A repository whose rows are objects of OpenADR 3.1: found by their targets, and read page by page."""

    async def _wrote(self, kind: ObjectKind, object_id: str, targets: Iterable[str]) -> None:
        await self._gone(kind, object_id)
        rows = [{"kind": kind.value, "target": target, "object_id": object_id} for target in sorted(keys_of(targets))]
        await self._run(insert(TARGET), rows)

    async def _gone(self, kind: ObjectKind, object_id: str) -> None:
        self._concerned.kinds.add(kind)
        await self._run(delete(TARGET).where(TARGET.c.kind == kind.value, TARGET.c.object_id == object_id))

    async def _count(self, table: Table, condition: ColumnElement[bool]) -> int:
        row = await self._row(select(func.count().label("objects")).select_from(table).where(condition))
        return 0 if row is None else int(row["objects"])

    async def _page(self, key: ColumnElement[Any], query: Select[Any], page: Page) -> list[str]:
        """The ids of a page of this ordered query: documents are read for the page alone, and not sorted."""
        ids = query.with_only_columns(key.label("id")).offset(page.skip).limit(page.limit)
        return [row["id"] for row in await self._rows(ids)]


def has_one_of(kind: ObjectKind, key: ColumnElement[Any], wanted: frozenset[str] | None) -> list[ColumnElement[bool]]:
    """That the object has one of these targets; nothing if it need not."""
    if wanted is None:
        return []
    return [key.in_(select(TARGET.c.object_id).where(TARGET.c.kind == kind.value, TARGET.c.target.in_(sorted(wanted))))]
