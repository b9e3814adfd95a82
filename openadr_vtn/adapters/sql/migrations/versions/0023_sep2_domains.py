"""Where notifications of an aggregator's devices may go: the domains that an operator has written down for it."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sep2_aggregator", sa.Column("domains", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("sep2_aggregator", "domains")
