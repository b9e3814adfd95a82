"""What power a party has signed up for."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("party", sa.Column("enrolled_w", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("party", "enrolled_w")
