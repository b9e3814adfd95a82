"""Whoever reads an object is not told that it was read."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("object_change", sa.Column("reader_id", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("object_change") as table:
        table.alter_column("reader_id", server_default=None)


def downgrade() -> None:
    op.drop_column("object_change", "reader_id")
