"""Opt schedules, qualified events, and a program's rules for them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("program", sa.Column("opt_rules", sa.JSON(), nullable=True))
    op.create_table(
        "opt_schedule",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("party_id", sa.String(), nullable=False),
        sa.Column("opt_id", sa.String(), nullable=False),
        sa.Column("opt_type", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_opt_schedule_party_id", "opt_schedule", ["party_id"], unique=False)
    op.create_table(
        "opt_qualification",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("party_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opt_id", sa.String(), nullable=False),
        sa.Column("opt_type", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"]),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_opt_qualification_event_id", "opt_qualification", ["event_id"], unique=False)
    op.create_index("ix_opt_qualification_party_id", "opt_qualification", ["party_id"], unique=False)


def downgrade() -> None:
    op.drop_table("opt_qualification")
    op.drop_table("opt_schedule")
    op.drop_column("program", "opt_rules")
