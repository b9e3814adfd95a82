"""Whether a program's events may run at once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("program", sa.Column("overlap_allowed", sa.Boolean(), nullable=False, server_default=sa.true()))
