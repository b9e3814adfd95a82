"""An event's turns of houses stand beside its baseline."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("begins_s", "ends_s"):
        op.add_column("baseline", sa.Column(name, sa.LargeBinary(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    with op.batch_alter_table("baseline") as table:
        table.drop_column("begins_s")
        table.drop_column("ends_s")
