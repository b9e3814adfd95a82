"""Errands become a queue: several of a kind, with content, told in order."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE = sa.table(
    "errand",
    sa.column("party_id", sa.String()),
    sa.column("kind", sa.String()),
    sa.column("made_at", sa.DateTime(timezone=True)),
    sa.column("sent_at", sa.DateTime(timezone=True)),
    sa.column("attempts", sa.Integer()),
)


def upgrade() -> None:
    waiting = [dict(row) for row in op.get_bind().execute(sa.select(BEFORE)).mappings()]
    op.drop_table("errand")
    after = op.create_table(
        "errand",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("party_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_errand_party_id", "errand", ["party_id"], unique=False)
    op.bulk_insert(after, [row | {"id": f"{row['kind']}-{row['party_id']}", "content": ""} for row in waiting])


def downgrade() -> None:
    op.drop_table("errand")
    op.create_table(
        "errand",
        sa.Column("party_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("party_id", "kind"),
    )
