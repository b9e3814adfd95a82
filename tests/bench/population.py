"""A VTN's store as years leave it: VENs that poll, and any number of others and of events that are over."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

from sqlalchemy import insert

from openadr_core.model.party import Certificate, Party
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
from tests.bench.lab import Ven
from tests.vtn.samples import a_party, a_program, a_registration, a_stored_event


async def populate(url: str, vens: Sequence[Ven], *, others: int = 0, past_events: int = 0) -> None:
    """All VENs are approved, registered and asked for a report; past events were told to ``vens`` in turn."""
    now = datetime.now(UTC)
    parties = [_party(now, ven) for ven in vens] + [a_party(now, f"other-{number}") for number in range(others)]
    begun = {f"past-{number}": now - timedelta(minutes=90 + number) for number in range(past_events)}
    told_to = cycle(ven.ven_id for ven in vens)
    rows: dict[type[tables.Row], list[dict[str, Any]]] = {
        tables.ProgramRow: [program_row(a_program(now))],
        tables.PartyRow: [party_row(party) for party in parties],
        tables.CertificateRow: [row for party in parties for row in certificate_rows(party)],
        tables.RegistrationRow: [registration_row(party.id, a_registration(now, party.name)) for party in parties],
        tables.ReportRequestRow: [request_row(party.id, _request(now)) for party in parties],
        tables.EventRow: [event_row(a_stored_event(at, event_id=event_id)) for event_id, at in begun.items()],
        tables.DeliveryRow: [asdict(_told(event_id, next(told_to), at)) for event_id, at in begun.items()],
    }
    engines = engines_of(url)
    await migrate_with(engines)
    async with engines.writer.begin() as connection:
        for table, its in rows.items():
            if its:
                await connection.execute(insert(tables.table_of(table)), its)
    await engines.close()


def _party(now: datetime, ven: Ven) -> Party:
    certificate = Certificate(
        sha256=ven.peer.certificate_sha256,
        fingerprint_20b=ven.peer.fingerprint_20b,
        lfdi=ven.peer.lfdi,
        subject=ven.peer.subject,
        first_seen_at=now,
        ends_at=now + timedelta(days=365),
    )
    return a_party(now, ven.name, certificates=(certificate,))


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


def _told(event_id: str, party_id: str, at: datetime) -> Delivery:
    return Delivery(
        event_id=event_id,
        version=0,
        event_version=0,
        party_id=party_id,
        entitled_at=at,
        notified_at=at,
        sent_at=at,
        attempts=1,
        fetched_at=at,
        answered_at=at,
    )
