"""Connections to SQLite and to PostgreSQL, and how each is told to keep its promises."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openadr_core.errors import ConfigError
from openadr_vtn.adapters.sql.sqlite_connection import SqliteConnection

SQLITE_WAIT_MS = 5_000
"""How long a commit waits for another process that writes to the same file."""
SQLITE_READERS = 4
POSTGRESQL_CONNECTIONS = 10
OURS = {"async_creator_fn": SqliteConnection}
"""SQLAlchemy's word for what makes the driver's connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """SQLite has one writer, so its engine has one connection, and commands queue for it."""

    writer: AsyncEngine
    reader: AsyncEngine
    postgresql_url: str | None
    """What a connection of our own that listens is opened with; None on SQLite."""

    async def close(self) -> None:
        await self.writer.dispose()
        await self.reader.dispose()


def engines_of(url: str) -> Engines:
    """For ``sqlite:///path`` and ``postgresql://user@host/name``."""
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator and rest.strip("/"):
        folder = Path(rest.removeprefix("/")).parent
        if not folder.is_dir():
            raise ConfigError(f"store.url: there is no folder {folder}")
        writer = create_async_engine(f"sqlite+aiosqlite://{rest}", pool_size=1, max_overflow=0, connect_args=OURS)
        reader = create_async_engine(f"sqlite+aiosqlite://{rest}", pool_size=SQLITE_READERS, connect_args=OURS)
        _prepare(writer, begin="BEGIN IMMEDIATE")
        _prepare(reader, begin="BEGIN")
        return Engines(writer=writer, reader=reader, postgresql_url=None)
    if scheme == "postgresql":
        both = create_async_engine(f"postgresql+asyncpg://{rest}", pool_size=POSTGRESQL_CONNECTIONS, pool_pre_ping=True)
        return Engines(writer=both, reader=both, postgresql_url=url)
    raise ConfigError("store.url: expected sqlite:///path/to/file.db or postgresql://user@host/name")


def _prepare(engine: AsyncEngine, *, begin: str) -> None:
    def opened(connection: Any, _record: object) -> None:
        # The driver's own idea of when a transaction begins is off; ours follows, in `begun`.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # What a commit acknowledged must survive a power cut: the peer is told as soon as it returns.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_WAIT_MS}")
        cursor.close()

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", opened)
    event.listen(engine.sync_engine, "begin", begun)
