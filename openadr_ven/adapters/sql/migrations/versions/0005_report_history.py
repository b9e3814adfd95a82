"""The fleet's past and how its resources stood; and of a report on its way, for what and since when."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH = sa.table(
    "batch",
    sa.column("number", sa.Integer()),
    sa.column("request_id", sa.String()),
    sa.column("made_at", sa.DateTime(timezone=True)),
    sa.column("record", sa.Text()),
)


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("power_w", sa.Float(), nullable=False),
        sa.Column("baseline_w", sa.Float(), nullable=False),
        sa.Column("quality", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at"),
    )
    op.create_table(
        "status_sample",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("at"),
    )
    op.add_column("batch", sa.Column("request_id", sa.String(), nullable=False, server_default=""))
    op.add_column("batch", sa.Column("made_at", sa.DateTime(timezone=True), nullable=True))
    _describe_what_is_on_its_way()
    with op.batch_alter_table("batch", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("made_at", existing_type=sa.DateTime(timezone=True), nullable=False)
    op.create_index("ix_batch_request_id", "batch", ["request_id"], unique=False)
    op.create_index("ix_batch_made_at", "batch", ["made_at"], unique=False)


def _describe_what_is_on_its_way() -> None:
    connection, now = op.get_bind(), datetime.now(UTC)
    for row in connection.execute(sa.select(BATCH.c.number, BATCH.c.record)).all():
        request_id = json.loads(row.record)["request"]["id"]
        values = {"request_id": request_id, "made_at": now}
        connection.execute(sa.update(BATCH).where(BATCH.c.number == row.number).values(values))


def downgrade() -> None:
    op.drop_index("ix_batch_made_at", "batch")
    op.drop_index("ix_batch_request_id", "batch")
    with op.batch_alter_table("batch") as batch:
        batch.drop_column("made_at")
        batch.drop_column("request_id")
    op.drop_table("status_sample")
    op.drop_table("history")
