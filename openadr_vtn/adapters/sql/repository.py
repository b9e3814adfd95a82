"""What every repository is made from: a connection in a transaction, and a note of whom its writes concern."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Executable, Select, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openadr_core.errors import Conflict, NotFound
from openadr_core.oadr3.names import ObjectKind

Rows = Sequence[Mapping[str, Any]]

KEYS_PER_STATEMENT = 500
"""Beyond so many keys, a whole table is read as fast as they are looked up."""


class Concerned:
    """The parties whose rights or dues a transaction may change, and the kinds of objects that it writes."""

    def __init__(self) -> None:
        self.party_ids: set[str] = set()
        self.everybody = False
        self.kinds: set[ObjectKind] = set()
        self.groups: set[int] = set()
        """Groups of IEEE 2030.5 whose members read something else now; 0: nobody reads what was written."""

    def __bool__(self) -> bool:
        return self.everybody or bool(self.party_ids) or bool(self.kinds) or bool(self.groups)

    @property
    def whom(self) -> frozenset[str] | None:
        return None if self.everybody else frozenset(self.party_ids)


class Repository:
    def __init__(self, connection: AsyncConnection, concerned: Concerned, *, locks: bool) -> None:
        self._connection = connection
        self._concerned = concerned
        self._locks = locks

    async def _run(self, statement: Executable, rows: Rows | None = None) -> int:
        """How many rows it changed."""
        try:
            result = await self._connection.execute(statement, rows)
        except IntegrityError as error:
            raise Conflict("it is there already, or what it refers to is not") from error
        return int(result.rowcount)

    async def _added(self, table: Table, key: Column[Any], columns: Mapping[str, Any]) -> int:
        """The number that the database gave to the new row."""
        statement = insert(table).values(columns).returning(key)
        try:
            return int((await self._connection.execute(statement)).scalar_one())
        except IntegrityError as error:
            raise Conflict("it is there already, or what it refers to is not") from error

    async def _changed(self, statement: Executable) -> list[Any]:
        """The one column that the statement returns of each row that it changed."""
        return list((await self._connection.execute(statement)).scalars())

    async def _change(self, statement: Executable, what: str) -> None:
        if not await self._run(statement):
            raise NotFound(f"no {what}")

    async def _rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        return [dict(row) for row in (await self._connection.execute(query)).mappings()]

    async def _row(self, query: Select[Any]) -> dict[str, Any] | None:
        rows = await self._rows(query)
        return rows[0] if rows else None

    def _locked(self, query: Select[Any], of: Table | None = None) -> Select[Any]:
        """What is read to be changed stays as it is until the transaction ends, where the database locks rows.

        Its key is left free (``FOR NO KEY UPDATE``): a row that only refers to it need not wait, and
        so cannot wait for one that waits for it. ``of``: rows of this table alone, where several are joined.
        """
        return query.with_for_update(key_share=True, of=of) if self._locks else query

    async def _upsert(self, table: Table, rows: Rows, *, keep: bool = False) -> None:
        """Insert; a row whose key is there is overwritten, or kept as it is."""
        if not rows:
            return
        insert = self._insert(table)
        key = [column.name for column in table.primary_key]
        if keep:
            statement = insert.on_conflict_do_nothing(index_elements=key)
        else:
            new = {name: insert.excluded[name] for name in rows[0] if name not in key}
            statement = insert.on_conflict_do_update(index_elements=key, set_=new)
        await self._run(statement, rows)

    def _insert(self, table: Table) -> Any:
        """Both databases speak of conflicts in the same words, each in its own dialect."""
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        return dialect.insert(table)


def grouped(rows: Iterable[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    """Rows by the value of one column."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups
