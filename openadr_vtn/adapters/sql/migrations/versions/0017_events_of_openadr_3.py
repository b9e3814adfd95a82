"""Why an event, or a part of it, is for OpenADR 3 alone."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("event", "event_archive"):
        op.add_column(table, sa.Column("not_read", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    for table in ("event_archive", "event"):
        op.drop_column(table, "not_read")
