"""Whose the series of mirrored meters are (IEEE 2030.5), so that nobody posts to one by another's name."""

import sqlalchemy as sa
from alembic import op

from openadr_core.xml.parse import parse

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SERIES = "{*}MirrorMeterReading/{*}mRID"


def upgrade() -> None:
    table = op.create_table(
        "sep2_series",
        sa.Column("mirror", sa.Integer(), nullable=False),
        sa.Column("mrid", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["mirror"], ["sep2_mirror.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mirror", "mrid"),
    )
    op.create_index("ix_sep2_series_mrid", "sep2_series", ["mrid"])
    there = op.get_bind().execute(sa.text("SELECT number, body FROM sep2_mirror")).all()
    rows = [
        {"mirror": number, "mrid": mrid}
        for number, body in there
        for mrid in sorted({(one.text or "").upper() for one in parse(bytes(body)).iterfind(SERIES)})
    ]
    op.bulk_insert(table, rows)


def downgrade() -> None:
    op.drop_table("sep2_series")
