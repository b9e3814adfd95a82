"""Objects of OpenADR 3.1: clients of parties, resources, reports, and the index of targets."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("program", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("event", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("party", sa.Column("client_id", sa.String(), nullable=True))
    op.create_index("ix_party_client_id", "party", ["client_id"], unique=True)
    op.add_column("party", sa.Column("document", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("party", sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "resource",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("party_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("party_id", "name", name="uq_resource_party_id_name"),
    )
    op.create_index("ix_resource_party_id", "resource", ["party_id"], unique=False)
    op.create_index("ix_resource_created_at", "resource", ["created_at"], unique=False)
    op.create_table(
        "report_object",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("party_id", sa.String(), nullable=True),
        sa.Column("client_name", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"]),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("event_id", "client_id", "party_id", "created_at"):
        op.create_index(f"ix_report_object_{column}", "report_object", [column], unique=False)
    op.create_table(
        "object_target",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "target", "object_id"),
    )
    op.create_index("ix_object_target_object", "object_target", ["kind", "object_id"], unique=False)
    _index_targets()


def _index_targets() -> None:
    """A target is a name, or a kind and a name; a device class says no party, and the empty name stands for none."""
    target = sa.table("object_target", sa.column("kind"), sa.column("target"), sa.column("object_id"))
    for table, kind in (("program", "PROGRAM"), ("event", "EVENT"), ("party", "VEN")):
        found = op.get_bind().execute(sa.text(f"SELECT id, targets FROM {table}")).all()  # noqa: S608  # our own names
        rows = []
        for object_id, targets in found:
            listed = json.loads(targets) if isinstance(targets, str) else targets
            pairs = [("name", one) if isinstance(one, str) else tuple(one) for one in listed]
            names = {name for what, name in pairs if what != "device_class"} or {""}
            rows += [{"kind": kind, "target": name, "object_id": object_id} for name in names]
        if rows:
            op.bulk_insert(target, rows)


def downgrade() -> None:
    op.drop_table("object_target")
    op.drop_table("report_object")
    op.drop_table("resource")
    op.drop_column("party", "modified_at")
    op.drop_column("party", "document")
    op.drop_index("ix_party_client_id", table_name="party")
    op.drop_column("party", "client_id")
    op.drop_column("event", "removed_at")
    op.drop_column("program", "removed_at")
