"""What a client is to OpenADR 3, the certificate it is tied to, and the secret before the one it has."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who had a client before had the operator's API, and no VEN had one.
    op.add_column("api_client", sa.Column("role", sa.String(), nullable=False, server_default="business"))
    op.add_column("api_client", sa.Column("certificate_sha256", sa.String(), nullable=True))
    op.create_index("ix_api_client_certificate_sha256", "api_client", ["certificate_sha256"], unique=True)
    op.add_column("api_client", sa.Column("previous_secret_hash", sa.String(), nullable=False, server_default=""))
    op.add_column("api_client", sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_index("ix_api_client_certificate_sha256", "api_client")
    for column in ("role", "certificate_sha256", "previous_secret_hash", "previous_until"):
        op.drop_column("api_client", column)
