"""The tables of IEEE 2030.5. Times are whole seconds of the UTC epoch, as everywhere in that standard."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from openadr_core.shell.sql_types import UtcDateTime
from openadr_vtn.adapters.sql.tables import Row


def _seconds(*, null: bool = False) -> Any:
    return Column(BigInteger(), nullable=null)


def _bytes() -> Any:
    return Column(LargeBinary(), nullable=False)


def _child(of: str, *, key: bool = False, index: bool = False) -> Any:
    return Column(ForeignKey(of, ondelete="CASCADE"), nullable=False, index=index, primary_key=key)


class GroupRow(Row, table=True):
    __tablename__ = "sep2_group"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    mrid: str = Field(unique=True)
    parent_id: int | None = Field(foreign_key="sep2_group.id", index=True)
    primacy: int | None
    version: int
    audience: str
    rates: dict[str, int] = Field(sa_column=Column(JSON(), nullable=False))
    assignment: int


class AggregatorRow(Row, table=True):
    __tablename__ = "sep2_aggregator"
    party_id: str = Field(sa_column=_child("party.id", key=True))
    pen: int
    domains: list[str] = Field(sa_column=Column(JSON(), nullable=False))


class DeviceRow(Row, table=True):
    __tablename__ = "sep2_device"
    number: int | None = Field(default=None, primary_key=True)
    party_id: str = Field(sa_column=_child("party.id"))
    lfdi: str = Field(unique=True)
    sfdi: int = Field(sa_column=_seconds())
    registered_at: int = Field(sa_column=_seconds())
    changed_at: int = Field(sa_column=_seconds())
    category: str
    pin: int | None
    post_rate_s: int | None
    enabled: bool
    rates: dict[str, int] = Field(sa_column=Column(JSON(), nullable=False))
    __table_args__ = (Index("ix_sep2_device_party", "party_id", "sfdi"),)


class MemberRow(Row, table=True):
    __tablename__ = "sep2_member"
    number: int = Field(sa_column=_child("sep2_device.number", key=True))
    group_id: int = Field(sa_column=Column(ForeignKey("sep2_group.id"), nullable=False, primary_key=True, index=True))


class DocumentRow(Row, table=True):
    """What a device says of itself, by its address below the device's."""

    __tablename__ = "sep2_document"
    number: int = Field(sa_column=_child("sep2_device.number", key=True))
    path: str = Field(primary_key=True)
    body: bytes = Field(sa_column=_bytes())
    changed_at: int = Field(sa_column=_seconds())


class LogEventRow(Row, table=True):
    __tablename__ = "sep2_log_event"
    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(sa_column=_child("sep2_device.number", index=True))
    created_at: int = Field(sa_column=_seconds())
    body: bytes = Field(sa_column=_bytes())


class ControlRow(Row, table=True):
    """A DERControl or EndDeviceControl: stored once, for all devices of its group."""

    __tablename__ = "sep2_control"
    id: int | None = Field(default=None, primary_key=True)
    group_id: int = Field(sa_column=_child("sep2_group.id"))
    kind: str
    mrid: str = Field(unique=True)
    creation_time: int = Field(sa_column=_seconds())
    start: int = Field(sa_column=_seconds())
    duration_s: int = Field(sa_column=_seconds())
    randomize_start_s: int
    randomize_duration_s: int
    latest_end: int = Field(sa_column=_seconds())
    asks: list[str] = Field(sa_column=Column(JSON(), nullable=False))
    categories: list[int] = Field(sa_column=Column(JSON(), nullable=False))
    cancelled_at: int | None = Field(sa_column=_seconds(null=True))
    cancelled_randomly: bool
    body: bytes = Field(sa_column=_bytes())
    event_id: str | None = Field(index=True)
    event_version: int
    __table_args__ = (Index("ix_sep2_control_listed", "group_id", "kind", "latest_end"),)


class DefaultRow(Row, table=True):
    __tablename__ = "sep2_default"
    group_id: int = Field(sa_column=_child("sep2_group.id", key=True))
    body: bytes = Field(sa_column=_bytes())


class CurveRow(Row, table=True):
    __tablename__ = "sep2_curve"
    id: int | None = Field(default=None, primary_key=True)
    group_id: int = Field(sa_column=_child("sep2_group.id", index=True))
    body: bytes = Field(sa_column=_bytes())


class RateRow(Row, table=True):
    __tablename__ = "sep2_rate"
    name: str = Field(primary_key=True)
    seconds: int


class MirrorRow(Row, table=True):
    __tablename__ = "sep2_mirror"
    number: int | None = Field(default=None, primary_key=True)
    party_id: str = Field(sa_column=_child("party.id"))
    lfdi: str
    mrid: str
    post_rate_s: int | None
    body: bytes = Field(sa_column=_bytes())
    __table_args__ = (UniqueConstraint("party_id", "mrid"),)


class SeriesRow(Row, table=True):
    """The series of mirrored meters, by their mRIDs."""

    __tablename__ = "sep2_series"
    mirror: int = Field(sa_column=_child("sep2_mirror.number", key=True))
    mrid: str = Field(primary_key=True, index=True)


class ResponseRow(Row, table=True):
    """What devices said to controls, in the order it came."""

    __tablename__ = "sep2_response"
    id: int | None = Field(default=None, primary_key=True)
    subject: str = Field(index=True)
    party_id: str = Field(sa_column=_child("party.id", index=True))
    lfdi: str
    status: int
    created_at: int = Field(sa_column=_seconds())
    body: bytes = Field(sa_column=_bytes())


class ChangeRow(Row, table=True):
    """Resources that changed, and whose subscribers were not looked for yet: the outbox of notifications."""

    __tablename__ = "sep2_change"
    number: int | None = Field(default=None, primary_key=True)
    kind: str
    about: int
    party_id: str
    """Whose subscribers alone; empty: everybody's."""


class SubscriptionRow(Row, table=True):
    """A subscription, and what its subscriber is owed: it outlives its device, to say so."""

    __tablename__ = "sep2_subscription"
    id: int | None = Field(default=None, primary_key=True)
    holder: int
    party_id: str = Field(sa_column=_child("party.id", index=True))
    prefix: str
    resource: str
    kind: str
    about: int
    notification_uri: str
    limit: int = Field(sa_column=_seconds())
    level: str
    renewed_at: int = Field(sa_column=_seconds())
    changes: int
    delivered: int
    state: str
    attempts: int
    tried_at: datetime | None = Field(sa_type=UtcDateTime)
    outcome: str = Field(sa_type=Text)
    failures: int
    retry_at: datetime | None = Field(sa_type=UtcDateTime)
    __table_args__ = (
        UniqueConstraint("holder", "prefix", "resource", "notification_uri"),
        Index("ix_sep2_subscription_watched", "kind", "about"),
        Index("ix_sep2_subscription_state", "state"),
    )
