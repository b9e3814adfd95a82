"""In which order events were heard of, whatever their versions; and their targets, which have kinds now."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("event", sa.Column("place", sa.Integer(), nullable=False, server_default="0"))
    _give_kinds("event", ["event_id", "version", "cancelled"])
    _give_kinds("session", ["name"])


def _give_kinds(table: str, key: list[str]) -> None:
    columns = sa.table(table, *(sa.column(name) for name in key), sa.column("record"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(columns)).mappings().all():
        kept = json.loads(row["record"])
        _walk(kept)
        same = sa.and_(*(columns.c[name] == row[name] for name in key))
        connection.execute(sa.update(columns).where(same).values(record=json.dumps(kept, separators=(",", ":"))))


def _walk(value: object) -> None:
    """Every event inside, which is an object with a market context and targets."""
    if isinstance(value, list):
        for item in value:
            _walk(item)
    elif isinstance(value, dict):
        targets = value.get("targets")
        if "market_context" in value and isinstance(targets, list) and any(isinstance(one, str) for one in targets):
            # They were names without kinds, and meant all of the fleet.
            value["targets"] = []
        for item in value.values():
            _walk(item)
