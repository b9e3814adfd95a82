"""Certificates of parties end, and may be denied for good."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certificate", sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_certificate_ends_at", "certificate", ["ends_at"], unique=False)
    op.create_table(
        "denied_certificate",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )


def downgrade() -> None:
    op.drop_table("denied_certificate")
    op.drop_index("ix_certificate_ends_at", table_name="certificate")
    op.drop_column("certificate", "ends_at")
