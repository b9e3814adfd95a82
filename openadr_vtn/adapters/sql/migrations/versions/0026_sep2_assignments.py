"""Several FunctionSetAssignments of one device (IEEE 2030.5): each tree of groups is in one of them."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

WATCHED = ("sep2_subscription", "sep2_change")


def upgrade() -> None:
    op.add_column("sep2_group", sa.Column("assignment", sa.Integer(), nullable=False, server_default="1"))
    for table in WATCHED:
        op.execute(sa.text(f"UPDATE {table} SET kind = replace(kind, '/fsa/1/', '/fsa/#/')"))  # noqa: S608


def downgrade() -> None:
    for table in WATCHED:
        op.execute(sa.text(f"UPDATE {table} SET kind = replace(kind, '/fsa/#/', '/fsa/1/')"))  # noqa: S608
    op.drop_column("sep2_group", "assignment")
