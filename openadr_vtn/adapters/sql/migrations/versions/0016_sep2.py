"""IEEE 2030.5: groups, devices, what they say of themselves, controls, mirrors and responses."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _of_groups()
    _of_devices()
    _said_by_devices()


def _of_groups() -> None:
    op.create_table('sep2_group',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('mrid', sa.String(), nullable=False),
    sa.Column('parent_id', sa.Integer(), nullable=True),
    sa.Column('primacy', sa.Integer(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['parent_id'], ['sep2_group.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('mrid'),
    sa.UniqueConstraint('name')
    )
    op.create_index('ix_sep2_group_parent_id', 'sep2_group', ['parent_id'], unique=False)
    op.create_table('sep2_rate',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('seconds', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('sep2_control',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('mrid', sa.String(), nullable=False),
    sa.Column('creation_time', sa.BigInteger(), nullable=False),
    sa.Column('start', sa.BigInteger(), nullable=False),
    sa.Column('duration_s', sa.BigInteger(), nullable=False),
    sa.Column('randomize_start_s', sa.Integer(), nullable=False),
    sa.Column('randomize_duration_s', sa.Integer(), nullable=False),
    sa.Column('latest_end', sa.BigInteger(), nullable=False),
    sa.Column('asks', sa.JSON(), nullable=False),
    sa.Column('categories', sa.JSON(), nullable=False),
    sa.Column('cancelled_at', sa.BigInteger(), nullable=True),
    sa.Column('cancelled_randomly', sa.Boolean(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['sep2_group.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('mrid')
    )
    op.create_index('ix_sep2_control_listed', 'sep2_control', ['group_id', 'kind', 'latest_end'], unique=False)
    op.create_table('sep2_curve',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['sep2_group.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_sep2_curve_group_id', 'sep2_curve', ['group_id'], unique=False)
    op.create_table('sep2_default',
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['sep2_group.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('group_id')
    )


def _of_devices() -> None:
    op.create_table('sep2_device',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('party_id', sa.String(), nullable=False),
    sa.Column('lfdi', sa.String(), nullable=False),
    sa.Column('sfdi', sa.BigInteger(), nullable=False),
    sa.Column('registered_at', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('pin', sa.Integer(), nullable=True),
    sa.Column('post_rate_s', sa.Integer(), nullable=True),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number'),
    sa.UniqueConstraint('lfdi')
    )
    op.create_index('ix_sep2_device_party', 'sep2_device', ['party_id', 'sfdi'], unique=False)
    op.create_table('sep2_aggregator',
    sa.Column('party_id', sa.String(), nullable=False),
    sa.Column('pen', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('party_id')
    )


def _said_by_devices() -> None:
    op.create_table('sep2_mirror',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('party_id', sa.String(), nullable=False),
    sa.Column('lfdi', sa.String(), nullable=False),
    sa.Column('mrid', sa.String(), nullable=False),
    sa.Column('post_rate_s', sa.Integer(), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number'),
    sa.UniqueConstraint('party_id', 'mrid')
    )
    op.create_table('sep2_response',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('party_id', sa.String(), nullable=False),
    sa.Column('lfdi', sa.String(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_sep2_response_party_id', 'sep2_response', ['party_id'], unique=False)
    op.create_index('ix_sep2_response_subject', 'sep2_response', ['subject'], unique=False)
    op.create_table('sep2_document',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('path', sa.String(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['number'], ['sep2_device.number'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number', 'path')
    )
    op.create_table('sep2_log_event',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['number'], ['sep2_device.number'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_sep2_log_event_number', 'sep2_log_event', ['number'], unique=False)
    op.create_table('sep2_member',
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['sep2_group.id'], ),
    sa.ForeignKeyConstraint(['number'], ['sep2_device.number'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number', 'group_id')
    )
    op.create_index('ix_sep2_member_group_id', 'sep2_member', ['group_id'], unique=False)


def downgrade() -> None:
    op.drop_table('sep2_member')
    op.drop_table('sep2_log_event')
    op.drop_table('sep2_document')
    op.drop_table('sep2_response')
    op.drop_table('sep2_mirror')
    op.drop_table('sep2_aggregator')
    op.drop_table('sep2_device')
    op.drop_table('sep2_default')
    op.drop_table('sep2_curve')
    op.drop_table('sep2_control')
    op.drop_table('sep2_rate')
    op.drop_table('sep2_group')
