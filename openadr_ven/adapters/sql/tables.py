"""The tables. Values are kept whole as records; a column beside them is there to be asked for.

They live in a registry of their own, so that a process that holds a VTN's tables too keeps the
two apart.
"""

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from openadr_core.shell.sql_types import UtcDateTime


class Row(SQLModel, registry=registry()):
    """What every table of the agent is made from."""


def _moment(*, index: bool = False) -> Column[datetime]:
    return Column(UtcDateTime(), nullable=False, index=index)


def _text() -> Column[str]:
    return Column(Text(), nullable=False)


def _blob() -> Column[bytes]:
    return Column(LargeBinary(), nullable=False)


class SessionRow(Row, table=True):
    """What a protocol core remembers, one row per upstream."""

    __tablename__ = "session"
    name: str = Field(primary_key=True)
    record: str = Field(sa_column=_text())


class EventRow(Row, table=True):
    """Every version of every event: the inbox. The key is what makes a repeat harmless."""

    __tablename__ = "event"
    event_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    cancelled: bool = Field(primary_key=True)
    """A cancel that is only implied keeps the version, and is one more fact all the same."""
    place: int
    """Grows with each word about any event: the last one about an event holds, whatever was said before it."""
    received_at: datetime = Field(sa_column=_moment())
    record: str = Field(sa_column=_text())


class OptRow(Row, table=True):
    """What was answered, each time it changed."""

    __tablename__ = "opt"
    id: int | None = Field(default=None, primary_key=True)
    event_id: str = Field(index=True)
    version: int
    opt_type: str
    at: datetime = Field(sa_column=_moment())
    record: str = Field(sa_column=_text())


class BaselineRow(Row, table=True):
    __tablename__ = "baseline"
    event_id: str = Field(primary_key=True)
    taken_at: datetime = Field(sa_column=_moment())
    power_w: bytes = Field(sa_column=_blob())
    begins_s: bytes = Field(sa_column=_blob())
    ends_s: bytes = Field(sa_column=_blob())


class RoundRow(Row, table=True):
    """The command ledger: each batch of commands, written before it is sent."""

    __tablename__ = "round"
    sequence: int = Field(primary_key=True)
    event_id: str = Field(index=True)
    event_version: int
    made_at: datetime = Field(sa_column=_moment(index=True))
    ends_at: datetime = Field(sa_column=_moment())
    ramp_s: float
    asked_w: float
    allowed_w: float
    mode: bytes = Field(sa_column=_blob())
    setpoint_w: bytes = Field(sa_column=_blob())
    sent: bytes = Field(sa_column=_blob())
    guard: str = Field(sa_column=_text())
    trim: str = Field(sa_column=_text())


class MeteredRow(Row, table=True):
    """The last hour of the fleet's meter, so that a report can go back to before a crash."""

    __tablename__ = "metered"
    at: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    power_w: bytes = Field(sa_column=_blob())


class WantedReportRow(Row, table=True):
    __tablename__ = "wanted_report"
    request_id: str = Field(primary_key=True)
    record: str = Field(sa_column=_text())


class BatchRow(Row, table=True):
    """The outbox of readings: a row goes when the VTN has acknowledged it."""

    __tablename__ = "batch"
    __table_args__ = {"sqlite_autoincrement": True}  # a number names one batch for ever
    number: int | None = Field(default=None, primary_key=True)
    request_id: str = Field(index=True)
    made_at: datetime = Field(sa_column=_moment(index=True))
    record: str = Field(sa_column=_text())


class HistoryRow(Row, table=True):
    """The fleet's past in steps of minutes, for as many days as the settings say."""

    __tablename__ = "history"
    starts_at: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    power_w: float
    baseline_w: float
    quality: str


class StatusSampleRow(Row, table=True):
    """The last hour of how the resources stood."""

    __tablename__ = "status_sample"
    at: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    record: str = Field(sa_column=_text())


class DeliveryRow(Row, table=True):
    """What was asked, commanded, acknowledged and delivered, every few seconds of an event."""

    __tablename__ = "delivery"
    event_id: str = Field(primary_key=True)
    at: datetime = Field(sa_column=Column(UtcDateTime(), primary_key=True))
    record: str = Field(sa_column=_text())


class NoticeRow(Row, table=True):
    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_event_at", "event_id", "at"),)
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_column=_moment())
    event_id: str
    record: str = Field(sa_column=_text())


class AwayRow(Row, table=True):
    """Upstreams where the fleet's operator wants no registration, for as long as it is so."""

    __tablename__ = "away"
    name: str = Field(primary_key=True)
    since: datetime = Field(sa_column=_moment())


class OptOrderRow(Row, table=True):
    """What the fleet's operator said of its availability, and what the VTN answered."""

    __tablename__ = "opt_order"
    __table_args__ = {"sqlite_autoincrement": True}  # a number names one for ever
    number: int | None = Field(default=None, primary_key=True)
    record: str = Field(sa_column=_text())


class UsageRow(Row, table=True):
    """One row: what of their owners' terms the fleet's devices have used up, as columns."""

    __tablename__ = "usage"
    id: int = Field(primary_key=True)
    season: int
    event_id: str
    counted_at: datetime = Field(sa_column=_moment())
    event_s: bytes = Field(sa_column=_blob())
    season_s: bytes = Field(sa_column=_blob())
    season_events: bytes = Field(sa_column=_blob())


class ConditionRow(Row, table=True):
    """What the fleet's operator says of the world, for as long as it is so."""

    __tablename__ = "condition"
    name: str = Field(primary_key=True)
    since: datetime = Field(sa_column=_moment())


class NonceRow(Row, table=True):
    """What the VTN's signed messages have used up."""

    __tablename__ = "nonce"
    key: str = Field(primary_key=True)
    until: datetime = Field(sa_column=_moment(index=True))


class FleetRow(Row, table=True):
    """One row: the fleet file in use."""

    __tablename__ = "fleet"
    id: int = Field(primary_key=True)
    record: str = Field(sa_column=_text())
