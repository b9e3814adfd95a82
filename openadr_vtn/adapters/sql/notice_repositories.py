"""The outbox of notifications: what happened to objects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select

from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.repository import Repository
from openadr_vtn.adapters.sql.rows import Columns
from openadr_vtn.domain.object_change import ObjectChange, Operation

CHANGE = tables.table_of(tables.ObjectChangeRow)


class SqlObjectChanges(Repository):
    async def record(self, changes: Sequence[ObjectChange]) -> None:
        if changes:
            await self._run(insert(CHANGE), [_change_row(change) for change in changes])

    async def of_object(self, object_id: str) -> list[ObjectChange]:
        query = select(CHANGE).where(CHANGE.c.object_id == object_id).order_by(CHANGE.c.number)
        return [_change_of(row) for row in await self._rows(query)]


def _change_row(change: ObjectChange) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "object_id": change.object_id,
        "operation": change.operation.value,
        "program_id": change.program_id,
        "client_id": change.client_id,
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
        targets=tuple(row["targets"]),
        number=row["number"],
    )
