"""How often the devices of one site, or of one group, are to poll and to post (IEEE 2030.5)."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

RATED = ("sep2_group", "sep2_device")


def upgrade() -> None:
    for table in RATED:
        op.add_column(table, sa.Column("rates", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for table in RATED:
        op.drop_column(table, "rates")
