"""What parties offer to measure, what was asked of them, and what they measured."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, select, tuple_

from openadr_core.model.report import DataPoint, Measurand, Reading, StatusReading
from openadr_core.units import WATT
from openadr_vtn.adapters.sql import tables
from openadr_vtn.adapters.sql.repository import Repository, grouped
from openadr_vtn.adapters.sql.rows import (
    data_point_rows,
    offer_of,
    offer_row,
    reading_of,
    reading_row,
    request_of,
    request_row,
    status_row,
    stored_reading_of,
    stored_status_of,
)
from openadr_vtn.application.said_ports import StoredReading, StoredStatus
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport

OFFER = tables.table_of(tables.ReportOfferRow)
POINT = tables.table_of(tables.DataPointRow)
REQUEST = tables.table_of(tables.ReportRequestRow)
READING = tables.table_of(tables.ReadingRow)
STATUS = tables.table_of(tables.ResourceStatusRow)
REQUESTS = select(REQUEST).order_by(REQUEST.c.party_id, REQUEST.c.asked_at, REQUEST.c.id)
OPEN = REQUEST.c.ended_at.is_(None)


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
        return [request_of(row) for row in await self._rows(REQUESTS.where(REQUEST.c.party_id == party_id))]

    async def open_requests(self, party_id: str) -> list[RequestedReport]:
        return [request_of(row) for row in await self._rows(REQUESTS.where(REQUEST.c.party_id == party_id, OPEN))]

    async def all_open_requests(self) -> dict[str, list[RequestedReport]]:
        found: dict[str, list[RequestedReport]] = {}
        for row in await self._rows(REQUESTS.where(OPEN)):
            found.setdefault(row["party_id"], []).append(request_of(row))
        return found

    async def count_late(self, now: datetime) -> int:
        late = REQUEST.c.late_at < now
        row = await self._row(select(func.count(REQUEST.c.party_id.distinct()).label("parties")).where(late))
        return 0 if row is None else int(row["parties"])

    async def forget_requests(self, party_id: str, before: datetime) -> None:
        await self._run(delete(REQUEST).where(REQUEST.c.party_id == party_id, REQUEST.c.ended_at < before))

    async def add_readings(
        self, party_id: str, readings: Sequence[tuple[DataPoint, Reading]], received_at: datetime
    ) -> None:
        # Of two readings for one point and start in one message the later one counts, as between messages.
        rows = {
            (point.measurand, point.source, reading.r_id, reading.starts_at): reading_row(
                party_id, point, reading, received_at
            )
            for point, reading in readings
        }
        await self._upsert(READING, list(rows.values()))

    async def add_statuses(
        self, party_id: str, statuses: Sequence[tuple[DataPoint, StatusReading]], received_at: datetime
    ) -> None:
        rows = {
            (point.source, status.r_id, status.at): status_row(party_id, point, status, received_at)
            for point, status in statuses
        }
        await self._upsert(STATUS, list(rows.values()))

    async def series(
        self,
        party_id: str,
        measurand: Measurand,
        since: datetime,
        until: datetime,
        *,
        unit: str = WATT,
        source: str = "",
    ) -> list[Reading]:
        query = (
            _within(party_id, measurand, source, since, until)
            .where(READING.c.unit == unit)
            .order_by(READING.c.starts_at, READING.c.duration_s.desc(), READING.c.received_at, READING.c.r_id)
        )
        return list({row["starts_at"]: reading_of(row) for row in await self._rows(query)}.values())

    async def readings(
        self, party_id: str, measurand: Measurand, source: str, since: datetime, until: datetime, *, limit: int
    ) -> list[StoredReading]:
        query = _within(party_id, measurand, source, since, until).order_by(
            READING.c.starts_at.desc(), READING.c.r_id.desc()
        )
        return [stored_reading_of(row) for row in await self._rows(query.limit(limit))]

    async def newest_of(self, measurand: Measurand, since: datetime) -> dict[str, float]:
        query = select(READING.c.party_id, READING.c.value).where(
            READING.c.measurand == measurand.value, READING.c.source == "", READING.c.unit == WATT,
            READING.c.starts_at >= since,
        )  # fmt: skip
        rows = await self._rows(query.order_by(READING.c.starts_at))
        return {str(row["party_id"]): float(row["value"]) for row in rows}

    async def sources(self, party_id: str) -> list[tuple[Measurand, str]]:
        found = await self._heads(READING, party_id, "measurand", "source")
        return [(Measurand(measurand), source) for measurand, source in found]

    async def statuses(self, party_id: str, since: datetime, until: datetime, *, limit: int) -> list[StoredStatus]:
        theirs = (STATUS.c.party_id == party_id) & (STATUS.c.at >= since) & (STATUS.c.at < until)
        query = select(STATUS).where(theirs).order_by(STATUS.c.at.desc(), STATUS.c.source, STATUS.c.r_id).limit(limit)
        return [stored_status_of(row) for row in await self._rows(query)]

    async def latest_statuses(self, party_id: str) -> list[StoredStatus]:
        found = []
        for (source,) in await self._heads(STATUS, party_id, "source"):
            theirs = (STATUS.c.party_id == party_id) & (STATUS.c.source == source)
            row = await self._row(select(STATUS).where(theirs).order_by(STATUS.c.at.desc()).limit(1))
            found += [] if row is None else [stored_status_of(row)]
        return found

    async def forget_data(self, party_id: str, before: datetime) -> int:
        gone = 0
        for measurand, source in await self._heads(READING, party_id, "measurand", "source"):
            series = (READING.c.measurand == measurand) & (READING.c.source == source)
            gone += await self._run(
                delete(READING).where(READING.c.party_id == party_id, series, READING.c.starts_at < before)
            )
        for (source,) in await self._heads(STATUS, party_id, "source"):
            theirs = (STATUS.c.party_id == party_id) & (STATUS.c.source == source)
            gone += await self._run(delete(STATUS).where(theirs, STATUS.c.at < before))
        return gone

    async def _heads(self, table: Table, party_id: str, *names: str) -> list[tuple[Any, ...]]:
        """The distinct values of the key's columns after the party's, by as many steps along its index."""
        columns = [table.c[name] for name in names]
        found: list[tuple[Any, ...]] = []
        while True:
            query = select(*columns).where(table.c.party_id == party_id).order_by(*columns).limit(1)
            row = await self._row(query.where(_beyond(columns, found[-1])) if found else query)
            if row is None:
                return found
            found.append(tuple(row[name] for name in names))


def _beyond(columns: Sequence[ColumnElement[Any]], values: tuple[Any, ...]) -> ColumnElement[bool]:
    return tuple_(*columns) > tuple_(*values)


def _within(party_id: str, measurand: Measurand, source: str, since: datetime, until: datetime) -> Select[Any]:
    return select(READING).where(
        READING.c.party_id == party_id,
        READING.c.measurand == measurand.value,
        READING.c.source == source,
        READING.c.starts_at >= since,
        READING.c.starts_at < until,
    )
