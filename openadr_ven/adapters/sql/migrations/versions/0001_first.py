"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "session",
        _column("name", sa.String()),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "event",
        _column("event_id", sa.String()),
        _column("version", sa.Integer()),
        _column("cancelled", sa.Boolean()),
        _moment("received_at"),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("event_id", "version", "cancelled"),
    )
    op.create_table(
        "opt",
        _column("id", sa.Integer()),
        _column("event_id", sa.String()),
        _column("version", sa.Integer()),
        _column("opt_type", sa.String()),
        _moment("at"),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_opt_event_id", "opt", ["event_id"])
    op.create_table(
        "baseline",
        _column("event_id", sa.String()),
        _moment("taken_at"),
        _column("power_w", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("event_id"),
    )
    _create_rounds()
    _create_reports()
    op.create_table(
        "notice",
        _column("id", sa.Integer()),
        _moment("at"),
        _column("event_id", sa.String()),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_notice_event_at", "notice", ["event_id", "at"])
    op.create_table(
        "fleet",
        _column("id", sa.Integer()),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_rounds() -> None:
    op.create_table(
        "round",
        _column("sequence", sa.Integer()),
        _column("event_id", sa.String()),
        _column("event_version", sa.Integer()),
        _moment("made_at"),
        _moment("ends_at"),
        _column("ramp_s", sa.Float()),
        _column("asked_w", sa.Float()),
        _column("allowed_w", sa.Float()),
        _column("mode", sa.LargeBinary()),
        _column("setpoint_w", sa.LargeBinary()),
        _column("sent", sa.LargeBinary()),
        _column("guard", sa.Text()),
        _column("trim", sa.Text()),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("ix_round_event_id", "round", ["event_id"])
    op.create_index("ix_round_made_at", "round", ["made_at"])


def _create_reports() -> None:
    op.create_table(
        "metered",
        _moment("at"),
        _column("power_w", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("at"),
    )
    op.create_table(
        "wanted_report",
        _column("request_id", sa.String()),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_table(
        "batch",
        _column("number", sa.Integer()),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "delivery",
        _column("event_id", sa.String()),
        _moment("at"),
        _column("record", sa.Text()),
        sa.PrimaryKeyConstraint("event_id", "at"),
    )


def downgrade() -> None:
    for table in (
        "fleet",
        "notice",
        "delivery",
        "batch",
        "wanted_report",
        "metered",
        "round",
        "baseline",
        "opt",
        "event",
    ):
        op.drop_table(table)
    op.drop_table("session")
