"""What the VTN's signed messages have used up."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nonce",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_nonce_until", "nonce", ["until"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_nonce_until", "nonce")
    op.drop_table("nonce")
