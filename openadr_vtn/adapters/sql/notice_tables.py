"""The tables of notifications: what happened, who asked to hear of it, and what they have heard."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, Text
from sqlmodel import Field

from openadr_core.shell.sql_types import UtcDateTime
from openadr_vtn.adapters.sql.tables import Row


class ObjectChangeRow(Row, table=True):
    """What happened to objects of OpenADR 3, in order: the outbox of notifications."""

    __tablename__ = "object_change"
    number: int | None = Field(default=None, primary_key=True)
    kind: str
    object_id: str = Field(index=True)
    operation: str
    program_id: str
    client_id: str
    reader_id: str
    targets: list[str] = Field(sa_type=JSON)
    document: str = Field(sa_type=Text)
    at: datetime = Field(sa_column=Column(UtcDateTime(), nullable=False, index=True))
    spread_at: datetime | None = Field(sa_column=Column(UtcDateTime(), nullable=True, index=True))
    """When it was written out to each webhook that is to hear of it."""
    published_at: datetime | None = Field(sa_column=Column(UtcDateTime(), nullable=True, index=True))
    """When the broker had it."""


class SubscriptionRow(Row, table=True):
    __tablename__ = "subscription"
    id: str = Field(primary_key=True)
    client_id: str = Field(index=True)
    is_business: bool
    client_name: str
    program_id: str | None
    targets: list[str] = Field(sa_type=JSON)
    watches: list[Any] = Field(sa_type=JSON)
    document: str = Field(sa_type=Text)
    secret: str
    created_at: datetime = Field(sa_column=Column(UtcDateTime(), nullable=False, index=True))
    modified_at: datetime = Field(sa_type=UtcDateTime)


class WatchRow(Row, table=True):
    """What subscriptions ask for, to be found by what happens."""

    __tablename__ = "subscription_watch"
    __table_args__ = (Index("ix_subscription_watch_kind_operation", "kind", "operation"),)
    subscription_id: str = Field(sa_column=Column(ForeignKey("subscription.id", ondelete="CASCADE"), primary_key=True))
    position: int = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    operation: str = Field(primary_key=True)


class NotificationRow(Row, table=True):
    """A queue for each subscription, in the order of the numbers, and what became of it."""

    __tablename__ = "notification"
    __table_args__ = (Index("ix_notification_state_subscription_id", "state", "subscription_id"),)
    number: int | None = Field(default=None, primary_key=True)
    subscription_id: str = Field(
        sa_column=Column(ForeignKey("subscription.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    position: int
    change_number: int = Field(
        sa_column=Column(ForeignKey("object_change.number", ondelete="CASCADE"), nullable=False, index=True)
    )
    state: str
    attempts: int
    tried_at: datetime | None = Field(sa_type=UtcDateTime)
    outcome: str = Field(sa_type=Text)


class StreamRow(Row, table=True):
    """How the last attempt with a subscription's webhook went."""

    __tablename__ = "notification_stream"
    subscription_id: str = Field(sa_column=Column(ForeignKey("subscription.id", ondelete="CASCADE"), primary_key=True))
    at: datetime = Field(sa_type=UtcDateTime)
    outcome: str = Field(sa_type=Text)
    failures: int
    retry_at: datetime | None = Field(sa_type=UtcDateTime)
