"""Readings of any quantity with their cause and accuracy, how resources stand, and the life of a report request."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

def upgrade() -> None:
    for table, columns in _new().items():
        for column in columns:
            op.add_column(table, column)
    _add_asked_at()
    _name_sources()
    op.create_table(
        "resource_status",
        sa.Column("party_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("r_id", sa.String(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("manual_override", sa.Boolean(), nullable=False),
        sa.Column("controls", sa.JSON(), nullable=False),
        sa.Column("quality", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("party_id", "source", "at", "r_id"),
    )


def _add_asked_at() -> None:
    """A request that was there before was asked when it was to begin."""
    op.add_column("report_request", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE report_request SET asked_at = starts_at")
    with op.batch_alter_table("report_request") as batch:
        batch.alter_column("asked_at", existing_type=sa.DateTime(timezone=True), nullable=False)


def _name_sources() -> None:
    point = sa.table(
        "data_point",
        sa.column("resource_id", sa.String()),
        sa.column("source_names", sa.JSON()),
    )
    named = op.get_bind().execute(sa.select(point.c.resource_id).where(point.c.resource_id != "").distinct())
    for name in named.scalars().all():
        op.execute(sa.update(point).where(point.c.resource_id == name).values(source_names=[name]))
    # In a unit that nobody had read, and never asked for: what it measures is not known, until it is offered anew.
    op.execute("DELETE FROM data_point WHERE factor IS NULL")
    with op.batch_alter_table("data_point") as batch:
        batch.drop_column("resource_id")
        batch.alter_column("factor", existing_type=sa.Float(), nullable=False)
    op.execute("ALTER TABLE reading RENAME COLUMN resource_id TO source")
    for table in ("data_point", "reading"):
        op.execute(f"UPDATE {table} SET measurand = 'usage' WHERE measurand = 'real_power'")


def downgrade() -> None:
    op.drop_table("resource_status")
    op.execute("DELETE FROM reading WHERE unit <> 'W' OR measurand NOT IN ('usage', 'baseline')")
    op.execute("DELETE FROM data_point WHERE unit <> 'W' OR measurand NOT IN ('usage', 'baseline')")
    for table in ("data_point", "reading"):
        op.execute(f"UPDATE {table} SET measurand = 'real_power' WHERE measurand = 'usage'")
    op.execute("ALTER TABLE reading RENAME COLUMN source TO resource_id")
    op.add_column("data_point", sa.Column("resource_id", sa.String(), nullable=False, server_default=""))
    for table, columns in _new().items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
    with op.batch_alter_table("report_request") as batch:
        batch.drop_column("asked_at")


def _new() -> dict[str, tuple[sa.Column[Any], ...]]:
    return {
        "data_point": (
            sa.Column("unit", sa.String(), nullable=False, server_default="W"),
            sa.Column("source_names", sa.JSON(), nullable=False, server_default="[]"),
            sa.Column("device_classes", sa.JSON(), nullable=False, server_default="[]"),
            sa.Column("market_context", sa.String(), nullable=False, server_default=""),
            sa.Column("on_change", sa.Boolean(), nullable=False, server_default=sa.false()),
        ),
        "report_request": (
            sa.Column("history", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("refusal", sa.Text(), nullable=False, server_default=""),
            sa.Column("quality", sa.String(), nullable=True),
            sa.Column("cancel_asked_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("to_follow", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("followed_at", sa.DateTime(timezone=True), nullable=True),
            sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        ),
        "reading": (
            sa.Column("unit", sa.String(), nullable=False, server_default="W"),
            sa.Column("cause", sa.String(), nullable=False, server_default=""),
            sa.Column("confidence", sa.Integer(), nullable=True),
            sa.Column("accuracy", sa.Float(), nullable=True),
        ),
    }
