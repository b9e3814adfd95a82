"""Baselines of events, and why an event was changed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("event", "event_archive"):
        op.add_column(table, sa.Column("baseline", sa.JSON(), nullable=True))
        op.add_column(table, sa.Column("modification_reason", sa.Text(), nullable=False, server_default=""))
