"""A VTN's store as years leave it: one VEN that polls, and any number of others and of events that are over."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from openadr_core.identity import Peer
from openadr_core.model.party import Certificate
from openadr_core.model.report import ReportRequest
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.migrate import migrate_with
from openadr_vtn.adapters.sql.rows import (
    certificate_rows,
    event_row,
    party_row,
    program_row,
    registration_row,
    request_row,
)
from openadr_vtn.domain.delivery import Delivery
from openadr_vtn.domain.reporting import RequestedReport
from tests.vtn.samples import a_party, a_program, a_registration, a_stored_event

VEN = "ven"
VEN_ID = f"id-{VEN}"
"""The id of the VEN that polls."""


async def populate(url: str, peer: Peer, *, others: int, past_events: int) -> None:
    """All VENs are approved, registered and asked for a report; each past event was told to the one that polls."""
    now = datetime.now(UTC)
    certificate = Certificate(
        sha256=peer.certificate_sha256,
        fingerprint_20b=peer.fingerprint_20b,
        lfdi=peer.lfdi,
        subject=peer.subject,
        first_seen_at=now,
    )
    names = [VEN, *(f"other-{number}" for number in range(others))]
    parties = [a_party(now, VEN, certificates=(certificate,)), *(a_party(now, name) for name in names[1:])]
    begun = {f"past-{number}": now - timedelta(hours=2 + number) for number in range(past_events)}
    rows: dict[type[tables.Row], list[dict[str, Any]]] = {
        tables.ProgramRow: [program_row(a_program(now))],
        tables.PartyRow: [party_row(party) for party in parties],
        tables.CertificateRow: [row for party in parties for row in certificate_rows(party)],
        tables.RegistrationRow: [registration_row(f"id-{name}", a_registration(now, name)) for name in names],
        tables.ReportRequestRow: [request_row(party.id, _request(now)) for party in parties],
        tables.EventRow: [event_row(a_stored_event(at, event_id=event_id)) for event_id, at in begun.items()],
        tables.DeliveryRow: [asdict(_told(event_id, at)) for event_id, at in begun.items()],
    }
    engines = engines_of(url)
    await migrate_with(engines)
    async with engines.writer.begin() as connection:
        for table, its in rows.items():
            if its:
                await connection.execute(insert(tables.table_of(table)), its)
    await engines.close()


def _request(now: datetime) -> RequestedReport:
    minute = timedelta(minutes=1)
    return RequestedReport(
        request=ReportRequest(
            id="telemetry-1",
            specifier_id="telemetry",
            r_ids=("power",),
            granularity=minute,
            report_back=minute,
            starts_at=now,
            duration=None,
        ),
        asked_at=now,
        confirmed_at=now,
    )


def _told(event_id: str, at: datetime) -> Delivery:
    return Delivery(
        event_id=event_id,
        version=0,
        event_version=0,
        party_id=VEN_ID,
        entitled_at=at,
        notified_at=at,
        sent_at=at,
        attempts=1,
        fetched_at=at,
        answered_at=at,
    )
