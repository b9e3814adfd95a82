"""When a report that was asked for will be late, so that late ones are counted without reading all."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from openadr_core.shell.sql_types import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ONE_SHOT_WAIT = timedelta(minutes=1)
REQUEST = sa.table(
    "report_request",
    sa.column("party_id", sa.String()),
    sa.column("id", sa.String()),
    sa.column("report_back_s", sa.Float()),
    sa.column("starts_at", UtcDateTime()),
    sa.column("duration_s", sa.Float()),
    sa.column("asked_at", UtcDateTime()),
    sa.column("received_at", UtcDateTime()),
    sa.column("ended_at", UtcDateTime()),
    sa.column("late_at", UtcDateTime()),
)


def upgrade() -> None:
    op.add_column("report_request", sa.Column("late_at", sa.DateTime(timezone=True), nullable=True))
    connection = op.get_bind()
    late = [
        {"its_party": row.party_id, "its_id": row.id, "late_at": _late_at(row)}
        for row in connection.execute(sa.select(REQUEST).where(REQUEST.c.ended_at.is_(None)))
    ]
    if late:
        its = (REQUEST.c.party_id == sa.bindparam("its_party")) & (REQUEST.c.id == sa.bindparam("its_id"))
        connection.execute(sa.update(REQUEST).where(its).values(late_at=sa.bindparam("late_at")), late)
    op.create_index("ix_report_request_late_at", "report_request", ["late_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_report_request_late_at", "report_request")
    op.drop_column("report_request", "late_at")


def _late_at(row: Any) -> Any:
    if not row.report_back_s:
        return row.asked_at + ONE_SHOT_WAIT
    patience = timedelta(seconds=row.report_back_s * 1.5)
    due_at = max(row.received_at or row.starts_at, row.starts_at) + patience
    if not row.duration_s:
        return due_at
    return min(due_at, row.starts_at + timedelta(seconds=row.duration_s) + patience)
