"""The tables. They live in a registry of their own, so that a process that holds a VEN's too keeps them apart.

Moments are aware UTC datetimes, lengths of time are seconds, lists and mappings are JSON.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from openadr_core.shell.sql_types import UtcDateTime


class Row(SQLModel, registry=registry()):
    """What every table of the VTN is made from."""


def _moment(*, null: bool = False, index: bool = False, key: bool = False) -> Any:
    return Column(UtcDateTime(), nullable=null, index=index, primary_key=key)


def _text() -> Any:
    return Column(Text(), nullable=False)


def _json() -> Any:
    return Column(JSON(), nullable=False)


def _party(*, key: bool = False) -> Any:
    return Column(ForeignKey("party.id", ondelete="CASCADE"), nullable=False, index=not key, primary_key=key)


class ProgramRow(Row, table=True):
    __tablename__ = "program"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    market_context: str = Field(unique=True)
    relief_sign: str | None
    targets: list[str] = Field(sa_column=_json())
    opt_rules: dict[str, Any] | None = Field(sa_type=JSON)
    overlap_allowed: bool
    document: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=_moment(index=True))
    modified_at: datetime = Field(sa_column=_moment())
    removed_at: datetime | None = Field(sa_column=_moment(null=True))
    """Its events keep its row; its name and context are free then."""


class EventColumns(Row):
    """An event at one version."""

    id: str = Field(primary_key=True)
    version: int
    market_context: str
    starts_at: datetime = Field(sa_type=UtcDateTime)
    duration_s: float | None
    signals: list[Any] = Field(sa_type=JSON)
    baseline: dict[str, Any] | None = Field(sa_type=JSON)
    priority: int | None
    relief_sign: str | None
    targets: list[Any] = Field(sa_type=JSON)
    ramp_up_s: float
    recovery_s: float
    notification_s: float
    start_after_s: float
    response_required: bool
    test: bool
    comment: str = Field(sa_type=Text)
    modification_reason: str = Field(sa_type=Text)
    not_read: list[str] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)
    modified_at: datetime = Field(sa_type=UtcDateTime)
    cancelled_at: datetime | None = Field(sa_type=UtcDateTime)
    document: str = Field(sa_type=Text)


class EventRow(EventColumns, table=True):
    """The latest version of each event."""

    __tablename__ = "event"
    program_id: str = Field(foreign_key="program.id", index=True)
    over_at: datetime | None = Field(sa_column=_moment(null=True, index=True))
    """Derived from the event, and here only to be asked for; None: for ever."""
    removed_at: datetime | None = Field(sa_column=_moment(null=True))
    """OpenADR 3 shows it no more."""


class EventArchiveRow(EventColumns, table=True):
    """Versions that were replaced."""

    __tablename__ = "event_archive"
    version: int = Field(primary_key=True)
    program_id: str


class PartyRow(Row, table=True):
    __tablename__ = "party"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    state: str = Field(index=True)
    first_seen_at: datetime = Field(sa_column=_moment())
    targets: list[str] = Field(sa_column=_json())
    poll_interval_s: float
    signatures: str | None
    enrolled_w: float | None
    client_id: str | None = Field(unique=True, index=True)
    document: str = Field(sa_column=_text())
    modified_at: datetime | None = Field(sa_column=_moment(null=True))


class LastSeenRow(Row, table=True):
    """Apart from the party, because it is written every second and says nothing about its rights."""

    __tablename__ = "party_seen"
    party_id: str = Field(sa_column=_party(key=True))
    at: datetime = Field(sa_column=_moment())


class CertificateRow(Row, table=True):
    __tablename__ = "certificate"
    sha256: str = Field(primary_key=True)
    party_id: str = Field(sa_column=_party())
    fingerprint_20b: str
    lfdi: str
    subject: str = Field(sa_column=_text())
    first_seen_at: datetime = Field(sa_column=_moment())
    ends_at: datetime | None = Field(sa_column=_moment(null=True, index=True))


class DeniedCertificateRow(Row, table=True):
    """The deny-list: apart from parties, because a certificate stays on it whosever it was."""

    __tablename__ = "denied_certificate"
    sha256: str = Field(primary_key=True)
    at: datetime = Field(sa_column=_moment())
    reason: str = Field(sa_column=_text())


class RegistrationRow(Row, table=True):
    __tablename__ = "registration"
    party_id: str = Field(sa_column=_party(key=True))
    registration_id: str = Field(unique=True)
    profile: str
    transport: str
    pull: bool = Field(index=True)
    report_only: bool
    xml_signature: bool
    registered_at: datetime = Field(sa_column=_moment())
    transport_address: str = Field(sa_column=_text())


class DeliveryRow(Row, table=True):
    """Outbox and delivery ledger in one."""

    __tablename__ = "delivery"
    event_id: str = Field(sa_column=Column(ForeignKey("event.id"), primary_key=True))
    version: int = Field(primary_key=True)
    event_version: int
    party_id: str = Field(sa_column=Column(ForeignKey("party.id", ondelete="CASCADE"), primary_key=True, index=True))
    withdrawn: bool
    entitled_at: datetime = Field(sa_column=_moment())
    notified_at: datetime | None = Field(sa_column=_moment(null=True))
    sent_at: datetime | None = Field(sa_column=_moment(null=True))
    attempts: int
    fetched_at: datetime | None = Field(sa_column=_moment(null=True))
    answered_at: datetime | None = Field(sa_column=_moment(null=True))
    reported_at: datetime | None = Field(sa_column=_moment(null=True))


class FanOutRow(Row, table=True):
    """How far the news of an event has been written out to its parties."""

    __tablename__ = "fan_out"
    event_id: str = Field(sa_column=Column(ForeignKey("event.id", ondelete="CASCADE"), primary_key=True))
    at: datetime = Field(sa_column=_moment())
    reached: str
    owed: int


class ErrandRow(Row, table=True):
    """A queue for each party, in the order of the numbers."""

    __tablename__ = "errand"
    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    party_id: str = Field(sa_column=_party())
    kind: str
    content: str = Field(sa_column=_text())
    made_at: datetime = Field(sa_column=_moment())
    sent_at: datetime | None = Field(sa_column=_moment(null=True))
    attempts: int
    heard_at: datetime | None = Field(sa_column=_moment(null=True))


class PushRow(Row, table=True):
    """How the last push to a party went; apart from the party, because it says nothing about its rights."""

    __tablename__ = "push"
    party_id: str = Field(sa_column=_party(key=True))
    at: datetime = Field(sa_column=_moment())
    outcome: str = Field(sa_column=_text())
    failures: int
    retry_at: datetime | None = Field(sa_column=_moment(null=True))
    refused: str


class DutyRow(Row, table=True):
    """What one process at a time does for all, and until when it is this one."""

    __tablename__ = "duty"
    name: str = Field(primary_key=True)
    holder: str
    until: datetime = Field(sa_column=_moment())


class OptRow(Row, table=True):
    """What was answered, each time it changed."""

    __tablename__ = "opt"
    __table_args__ = (Index("ix_opt_event_party", "event_id", "party_id"),)
    id: int | None = Field(default=None, primary_key=True)
    event_id: str = Field(foreign_key="event.id")
    party_id: str = Field(sa_column=_party())
    version: int
    opt_type: str
    at: datetime = Field(sa_column=_moment())
    reason: str = Field(sa_column=_text())
    code: str


class OptScheduleRow(Row, table=True):
    """Every schedule that a party made, in order; what one replaces is derived."""

    __tablename__ = "opt_schedule"
    number: int | None = Field(default=None, primary_key=True)
    party_id: str = Field(sa_column=_party())
    opt_id: str
    opt_type: str
    reason: str = Field(sa_column=_text())
    scope: dict[str, Any] = Field(sa_column=_json())
    spans: list[Any] = Field(sa_column=_json())
    created_at: datetime = Field(sa_column=_moment())
    received_at: datetime = Field(sa_column=_moment())
    cancelled_at: datetime | None = Field(sa_column=_moment(null=True))


class QualificationRow(Row, table=True):
    """What parties said to an event for some of what they have, in order."""

    __tablename__ = "opt_qualification"
    number: int | None = Field(default=None, primary_key=True)
    event_id: str = Field(foreign_key="event.id", index=True)
    party_id: str = Field(sa_column=_party())
    version: int
    opt_id: str
    opt_type: str
    reason: str = Field(sa_column=_text())
    scope: dict[str, Any] = Field(sa_column=_json())
    created_at: datetime = Field(sa_column=_moment())
    received_at: datetime = Field(sa_column=_moment())


class ReportOfferRow(Row, table=True):
    __tablename__ = "report_offer"
    party_id: str = Field(sa_column=_party(key=True))
    specifier_id: str = Field(primary_key=True)
    report_name: str
    buffered_s: float


class DataPointRow(Row, table=True):
    __tablename__ = "data_point"
    __table_args__ = (
        ForeignKeyConstraint(
            ["party_id", "specifier_id"], ["report_offer.party_id", "report_offer.specifier_id"], ondelete="CASCADE"
        ),
    )
    party_id: str = Field(primary_key=True)
    specifier_id: str = Field(primary_key=True)
    r_id: str = Field(primary_key=True)
    position: int
    measurand: str
    unit: str
    source_names: list[str] = Field(sa_column=_json())
    device_classes: list[str] = Field(sa_column=_json())
    market_context: str
    min_period_s: float
    max_period_s: float
    on_change: bool
    factor: float
    """What makes a value in the unit of a number on the wire."""


class ReportRequestRow(Row, table=True):
    __tablename__ = "report_request"
    party_id: str = Field(sa_column=_party(key=True))
    id: str = Field(primary_key=True)
    specifier_id: str
    r_ids: list[str] = Field(sa_column=_json())
    granularity_s: float
    report_back_s: float
    starts_at: datetime = Field(sa_column=_moment())
    duration_s: float | None
    history: bool
    asked_at: datetime = Field(sa_column=_moment())
    confirmed_at: datetime | None = Field(sa_column=_moment(null=True))
    refusal: str = Field(sa_column=_text())
    received_at: datetime | None = Field(sa_column=_moment(null=True))
    covered_until: datetime | None = Field(sa_column=_moment(null=True))
    quality: str | None
    cancel_asked_at: datetime | None = Field(sa_column=_moment(null=True))
    to_follow: bool
    followed_at: datetime | None = Field(sa_column=_moment(null=True))
    ended_at: datetime | None = Field(sa_column=_moment(null=True))
    late_at: datetime | None = Field(sa_column=_moment(null=True, index=True))
    """Derived from the others, and here only to be asked for; None: never."""


class ReadingRow(Row, table=True):
    __tablename__ = "reading"
    party_id: str = Field(sa_column=Column(ForeignKey("party.id", ondelete="CASCADE"), primary_key=True))
    measurand: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    starts_at: datetime = Field(sa_column=_moment(key=True))
    r_id: str = Field(primary_key=True)
    unit: str
    duration_s: float
    value: float
    quality: str
    cause: str
    confidence: int | None
    accuracy: float | None
    received_at: datetime = Field(sa_column=_moment())


class ResourceStatusRow(Row, table=True):
    __tablename__ = "resource_status"
    party_id: str = Field(sa_column=Column(ForeignKey("party.id", ondelete="CASCADE"), primary_key=True))
    source: str = Field(primary_key=True)
    at: datetime = Field(sa_column=_moment(key=True))
    r_id: str = Field(primary_key=True)
    online: bool
    manual_override: bool
    controls: dict[str, Any] = Field(sa_column=_json())
    quality: str
    cause: str
    received_at: datetime = Field(sa_column=_moment())


class ResourceRow(Row, table=True):
    """What is behind a ven of OpenADR 3.1."""

    __tablename__ = "resource"
    __table_args__ = (UniqueConstraint("party_id", "name", name="uq_resource_party_id_name"),)
    id: str = Field(primary_key=True)
    party_id: str = Field(sa_column=_party())
    name: str
    targets: list[str] = Field(sa_column=_json())
    document: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=_moment(index=True))
    modified_at: datetime = Field(sa_column=_moment())


class ReportObjectRow(Row, table=True):
    """A report of OpenADR 3.1 as it was written."""

    __tablename__ = "report_object"
    id: str = Field(primary_key=True)
    event_id: str = Field(foreign_key="event.id", index=True)
    client_id: str = Field(index=True)
    party_id: str | None = Field(
        sa_column=Column(ForeignKey("party.id", ondelete="SET NULL"), nullable=True, index=True)
    )
    client_name: str
    document: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=_moment(index=True))
    modified_at: datetime = Field(sa_column=_moment())


class ObjectTargetRow(Row, table=True):
    """What objects of OpenADR 3.1 are found by: their targets, or the empty one of those that have none."""

    __tablename__ = "object_target"
    __table_args__ = (Index("ix_object_target_object", "kind", "object_id"),)
    kind: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)


class ApiClientRow(Row, table=True):
    __tablename__ = "api_client"
    client_id: str = Field(primary_key=True)
    name: str
    role: str
    secret_hash: str = Field(sa_column=_text())
    scopes: list[str] = Field(sa_column=_json())
    created_at: datetime = Field(sa_column=_moment())
    certificate_sha256: str | None = Field(unique=True, index=True)
    previous_secret_hash: str
    previous_until: datetime | None = Field(sa_column=_moment(null=True))


class SigningKeyRow(Row, table=True):
    __tablename__ = "signing_key"
    id: str = Field(primary_key=True)
    pem: str = Field(sa_column=_text())
    created_at: datetime = Field(sa_column=_moment())


class ReceiptRow(Row, table=True):
    __tablename__ = "receipt"
    actor: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    answer: str = Field(sa_column=_text())
    at: datetime = Field(sa_column=_moment())


class NonceRow(Row, table=True):
    """What signed messages have used up."""

    __tablename__ = "nonce"
    key: str = Field(primary_key=True)
    until: datetime = Field(sa_column=_moment(index=True))


class AuditRow(Row, table=True):
    """Written, never changed."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_column=_moment(index=True))
    actor: str
    action: str
    subject: str
    detail: str = Field(sa_column=_text())


def table_of(row: type[Row]) -> Table:
    """The table behind a row class, for statements without an ORM."""
    return Row.metadata.tables[str(row.__tablename__)]
