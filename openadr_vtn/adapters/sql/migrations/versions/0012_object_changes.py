"""What happens to objects of OpenADR 3 is kept, for those who asked to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "object_change",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("program_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spread_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_object_change_object_id", "object_change", ["object_id"], unique=False)
    op.create_index("ix_object_change_at", "object_change", ["at"], unique=False)
    op.create_index("ix_object_change_spread_at", "object_change", ["spread_at"], unique=False)
    op.create_index("ix_object_change_published_at", "object_change", ["published_at"], unique=False)


def downgrade() -> None:
    op.drop_table("object_change")
