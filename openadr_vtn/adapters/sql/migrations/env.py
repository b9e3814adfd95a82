"""Alembic's entry: the connection comes from ``openadr_vtn.adapters.sql.migrate``."""

from alembic import context

from openadr_vtn.adapters.sql import sep2_tables  # noqa: F401  # registers its tables
from openadr_vtn.adapters.sql.tables import Row

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Row.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
