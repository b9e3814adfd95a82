"""Controls of IEEE 2030.5 that tell of OpenADR's events, and the groups that they are read in."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The defaults stay: SQLite would make the tables anew to drop them, and what lies under a group goes with it.
    op.add_column("sep2_group", sa.Column("audience", sa.String(), nullable=False, server_default=""))
    op.add_column("sep2_control", sa.Column("event_id", sa.String(), nullable=True))
    op.add_column("sep2_control", sa.Column("event_version", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_sep2_control_event_id", "sep2_control", ["event_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_sep2_control_event_id", "sep2_control")
    op.drop_column("sep2_control", "event_version")
    op.drop_column("sep2_control", "event_id")
    op.drop_column("sep2_group", "audience")
