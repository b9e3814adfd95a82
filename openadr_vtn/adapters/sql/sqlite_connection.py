"""A connection to SQLite that goes through its thread once for a statement, and for brief ones not at all.

aiosqlite's goes four times: for a cursor, the statement, its rows and the cursor's end, each a turn of
the event loop and back. While thousands of requests are ready a turn takes tens of milliseconds, and a
statement that finds its rows by their key takes twenty microseconds. Within a transaction that writes,
such a statement waits for nobody; what may wait, the beginning and the commit, stays in the thread.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from sqlalchemy.ext.asyncio import AsyncConnection

BRIEF_VALUES_MAX = 500
"""Rows, or values of one, that are written where they come from; more are worth the thread."""


class SqliteConnection(aiosqlite.Connection):
    is_brief = False
    """Whether statements are carried out where they come from."""

    def __init__(self, database: str, **settings: Any) -> None:
        super().__init__(lambda: sqlite3.connect(database, **settings), iter_chunk_size=1)
        self._thread.daemon = True  # it must not keep a process alive

    def cursor(self) -> "_Cursor":  # type: ignore[override]
        return _Cursor(self, self._conn.cursor())

    async def _execute(self, fn: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if self.is_brief and args and len(args[-1]) <= BRIEF_VALUES_MAX:
            return fn(*args, **named)
        return await super()._execute(fn, *args, **named)  # type: ignore[no-untyped-call]


class _Cursor(aiosqlite.Cursor):
    """Fetches what it finds at once: nobody reads rows one by one."""

    _found: Sequence[Any] = ()

    async def execute(self, sql: str, parameters: Any = ()) -> "_Cursor":
        self._found = await self._execute(_found_by, self._cursor, sql, parameters)  # type: ignore[no-untyped-call]
        return self

    async def fetchall(self) -> Sequence[Any]:
        return self._found

    async def close(self) -> None:
        self._cursor.close()


def _found_by(cursor: sqlite3.Cursor, sql: str, parameters: Any) -> Sequence[Any]:
    cursor.execute(sql, parameters)
    return cursor.fetchall() if cursor.description else ()


@asynccontextmanager
async def briefly(connection: AsyncConnection) -> AsyncIterator[None]:
    """Brief statements, in a transaction that writes already; other databases are what they were."""
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, SqliteConnection):
        yield
        return
    driver.is_brief = True
    try:
        yield
    finally:
        driver.is_brief = False
