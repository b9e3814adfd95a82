"""What parties offer to measure, what was asked of them, and what they measured."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from openadr_core.model.report import DataPoint, Measurand, Reading
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.repository import Repository, grouped
from openadr_vtn.adapters.sql.rows import (
    data_point_rows,
    offer_of,
    offer_row,
    reading_of,
    request_of,
    request_row,
)
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport

OFFER = tables.table_of(tables.ReportOfferRow)
POINT = tables.table_of(tables.DataPointRow)
REQUEST = tables.table_of(tables.ReportRequestRow)
READING = tables.table_of(tables.ReadingRow)


class SqlReports(Repository):
    async def replace_offers(self, party_id: str, offers: Sequence[OfferedReport]) -> None:
        for table in (POINT, OFFER, REQUEST):
            await self._run(delete(table).where(table.c.party_id == party_id))
        for offered in offers:
            await self._run(insert(OFFER).values(offer_row(party_id, offered.offer)))
            await self._upsert(POINT, data_point_rows(party_id, offered))

    async def offers(self, party_id: str) -> list[OfferedReport]:
        query = (
            select(OFFER.c.report_name, OFFER.c.buffered_s, OFFER.c.specifier_id.label("offered"), POINT)
            .join_from(OFFER, POINT, isouter=True)
            .where(OFFER.c.party_id == party_id)
            .order_by(OFFER.c.specifier_id, POINT.c.position)
        )
        offers = grouped(await self._rows(query), "offered")
        return [
            offer_of(rows[0] | {"specifier_id": specifier_id}, [row for row in rows if row["r_id"] is not None])
            for specifier_id, rows in offers.items()
        ]

    async def save_requests(self, party_id: str, requests: Sequence[RequestedReport]) -> None:
        await self._upsert(REQUEST, [request_row(party_id, requested) for requested in requests])

    async def requests(self, party_id: str) -> list[RequestedReport]:
        query = select(REQUEST).where(REQUEST.c.party_id == party_id).order_by(REQUEST.c.id)
        return [request_of(row) for row in await self._rows(query)]

    async def all_requests(self) -> dict[str, list[RequestedReport]]:
        found: dict[str, list[RequestedReport]] = {}
        for row in await self._rows(select(REQUEST).order_by(REQUEST.c.party_id, REQUEST.c.id)):
            found.setdefault(row["party_id"], []).append(request_of(row))
        return found

    async def add_readings(
        self, party_id: str, readings: Sequence[tuple[DataPoint, Reading]], received_at: datetime
    ) -> None:
        # Of two readings for one point and start in one message the later one counts, as between messages.
        rows = {
            (point.measurand, point.resource_id, reading.r_id, reading.starts_at): {
                "party_id": party_id,
                "measurand": point.measurand.value,
                "resource_id": point.resource_id,
                "starts_at": reading.starts_at,
                "r_id": reading.r_id,
                "duration_s": reading.duration.total_seconds(),
                "value": reading.value,
                "quality": reading.quality.value,
                "received_at": received_at,
            }
            for point, reading in readings
        }
        await self._upsert(READING, list(rows.values()))

    async def series(
        self, party_id: str, measurand: Measurand, since: datetime, until: datetime, *, resource_id: str = ""
    ) -> list[Reading]:
        query = (
            select(READING)
            .where(
                READING.c.party_id == party_id,
                READING.c.measurand == measurand.value,
                READING.c.resource_id == resource_id,
                READING.c.starts_at >= since,
                READING.c.starts_at < until,
            )
            .order_by(READING.c.starts_at, READING.c.r_id)
        )
        return [reading_of(row) for row in await self._rows(query)]
