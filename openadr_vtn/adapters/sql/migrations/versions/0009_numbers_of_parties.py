"""What number a party was told, and which version of the event that was: they may differ."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("event_version", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE delivery SET event_version = version")
