"""Brings a database to the schema of this version; run at every start, and harmless when it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from openadr_vtn.adapters.sql.engine import Engines, engines_of

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 20240229
"""PostgreSQL: two processes that start together migrate one after the other. Any number of our own will do."""


async def migrate(url: str) -> None:
    """Apply what is missing, in one transaction."""
    engines = engines_of(url)
    try:
        await migrate_with(engines)
    finally:
        await engines.close()


async def migrate_with(engines: Engines) -> None:
    async with engines.writer.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")
