"""The agent's store: transactions over the tables, on SQLite or PostgreSQL."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnCollection, Table, delete, event, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from openadr_core.errors import ConfigError, Unavailable
from openadr_core.model.opt import Opt
from openadr_core.model.report import Quality, Reading, ReportRequest, StatusReading
from openadr_ven.adapters.sql import tables
from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.sparse import packed_round, packed_usage, whole_round, whole_usage
from openadr_ven.domain.held import (
    Baseline,
    Batch,
    Condition,
    Delivery,
    FleetInUse,
    HeldEvent,
    HistoryStep,
    Metered,
    Notice,
    Round,
    StatusSample,
    UsedTerms,
    WantedReport,
)
from openadr_ven.domain.opts import OptOrder
from openadr_ven.domain.records import from_record, to_record

ROUND_FIELDS = tuple(name for name in tables.RoundRow.model_fields)
BASELINE_FIELDS = tuple(field.name for field in fields(Baseline))
USED_FIELDS = tuple(field.name for field in fields(UsedTerms))
EVENT_KEY = ("event_id", "version", "cancelled")
KEYS_PER_STATEMENT = 500
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
SQLITE_WAIT_MS = 5_000
"""A command line that reads must not fail because the agent is writing."""


def engine_of(url: str) -> AsyncEngine:
    """The engine for ``sqlite:///path`` or ``postgresql://…``."""
    scheme, _, rest = url.partition("://")
    engine = create_async_engine(f"{DRIVERS.get(scheme, scheme)}://{rest}")
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


async def open_migrated(url: str) -> "SqlStore":
    """The store, at this version's schema. ConfigError if it cannot be used."""
    engine = engine_of(url)
    try:
        await migrate(engine)
    except (DBAPIError, OSError) as error:
        await engine.dispose()
        raise ConfigError(f"store: {url.rsplit('@', maxsplit=1)[-1]} cannot be used: {type(error).__name__}") from error
    return SqlStore(engine)


class SqlStore:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator["SqlUnitOfWork"]:
        try:
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                yield SqlUnitOfWork(session)
        except (DBAPIError, OSError) as error:
            raise Unavailable(f"the agent's store: {type(error).__name__}") from error

    async def close(self) -> None:
        await self._engine.dispose()


class SqlUnitOfWork:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def session_record(self, name: str) -> str | None:
        row = await self._session.get(tables.SessionRow, name)
        return None if row is None else row.record

    async def save_session(self, name: str, record: str) -> None:
        await self._session.merge(tables.SessionRow(name=name, record=record))

    async def held_events(self) -> list[HeldEvent]:
        column = _columns(tables.EventRow)
        # The same version may come again after an implied cancel (2.0b R61): then the cancel is the older word.
        every = select(column.event_id, column.record).order_by(column.place, column.version, column.cancelled)
        latest = {row.event_id: row.record for row in await self._session.execute(every)}
        held = [from_record(HeldEvent, record) for record in latest.values()]
        return sorted(held, key=lambda one: (one.received_at, one.event.id))

    async def save_events(self, events: Sequence[HeldEvent]) -> None:
        if not events:
            return
        said = await self._newest_opts({held.event.id for held in events})
        last = await self._session.scalar(select(func.max(_columns(tables.EventRow).place)))
        rows: dict[tuple[str, int, bool], dict[str, Any]] = {}
        opts = []
        for place, held in enumerate(events, start=(last or 0) + 1):
            key = (held.event.id, held.event.version, held.event.cancelled_at is not None)
            rows[key] = {
                **dict(zip(EVENT_KEY, key, strict=True)), "place": place, "received_at": held.received_at,
                "record": to_record(held),
            }  # fmt: skip
            if said.get(held.event.id) != held.opt:
                said[held.event.id] = held.opt
                opts.append(
                    {
                        "event_id": held.event.id, "version": held.opt.version, "opt_type": held.opt.opt_type.value,
                        "at": held.opt.at, "record": to_record(held.opt),
                    }
                )  # fmt: skip
        words = self._insert(tables.EventRow)
        new = {name: words.excluded[name] for name in ("place", "received_at", "record")}
        await self._session.execute(
            words.on_conflict_do_update(index_elements=list(EVENT_KEY), set_=new), list(rows.values())
        )
        if opts:
            await self._session.execute(insert(_table(tables.OptRow)), opts)

    async def _newest_opts(self, event_ids: Collection[str]) -> dict[str, Opt]:
        column, ids = _columns(tables.OptRow), sorted(event_ids)
        found: dict[str, Opt] = {}
        for start in range(0, len(ids), KEYS_PER_STATEMENT):
            some = column.event_id.in_(ids[start : start + KEYS_PER_STATEMENT])
            newest = select(func.max(column.id)).where(some).group_by(column.event_id)
            rows = await self._session.execute(select(column.event_id, column.record).where(column.id.in_(newest)))
            found |= {row.event_id: from_record(Opt, row.record) for row in rows}
        return found

    async def opts(self, event_id: str) -> list[Opt]:
        column = _columns(tables.OptRow)
        query = select(column.record).where(column.event_id == event_id).order_by(column.id)
        return [from_record(Opt, record) for record in await self._session.scalars(query)]

    async def save_baseline(self, baseline: Baseline) -> None:
        await self._session.merge(tables.BaselineRow(**{name: getattr(baseline, name) for name in BASELINE_FIELDS}))

    async def baseline_of(self, event_id: str) -> Baseline | None:
        row = await self._session.get(tables.BaselineRow, event_id)
        if row is None:
            return None
        return Baseline(**{name: getattr(row, name) for name in BASELINE_FIELDS})

    async def add_round(self, made: Round) -> None:
        row = packed_round(made)
        self._session.add(tables.RoundRow(**{name: getattr(row, name) for name in ROUND_FIELDS}))

    async def last_round(self) -> Round | None:
        newest = select(tables.RoundRow).order_by(_columns(tables.RoundRow).sequence.desc()).limit(1)
        row = await self._session.scalar(newest)
        return None if row is None else whole_round(Round(**{name: getattr(row, name) for name in ROUND_FIELDS}))

    async def forget_rounds(self, before: datetime) -> None:
        column = _columns(tables.RoundRow)
        last = select(func.max(column.sequence)).scalar_subquery()
        await self._session.execute(delete(tables.RoundRow).where(column.made_at < before, column.sequence < last))

    async def save_metered(self, metered: Sequence[Metered]) -> None:
        for one in metered:
            await self._session.merge(tables.MeteredRow(at=one.at, power_w=one.power_w))

    async def metered(self, since: datetime) -> list[Metered]:
        column = _columns(tables.MeteredRow)
        query = select(column.at, column.power_w).where(column.at >= since).order_by(column.at)
        return [Metered(at=row.at, power_w=row.power_w) for row in await self._session.execute(query)]

    async def forget_metered(self, before: datetime) -> None:
        await self._session.execute(delete(tables.MeteredRow).where(_columns(tables.MeteredRow).at < before))

    async def wanted_reports(self) -> list[WantedReport]:
        column = _columns(tables.WantedReportRow)
        rows = await self._session.scalars(select(column.record).order_by(column.request_id))
        return [from_record(WantedReport, record) for record in rows]

    async def save_wanted_report(self, wanted: WantedReport) -> None:
        await self._session.merge(tables.WantedReportRow(request_id=wanted.request.id, record=to_record(wanted)))

    async def forget_wanted_report(self, request_id: str) -> None:
        column = _columns(tables.WantedReportRow)
        await self._session.execute(delete(tables.WantedReportRow).where(column.request_id == request_id))

    async def add_batch(
        self,
        request: ReportRequest,
        *,
        readings: Sequence[Reading],
        statuses: Sequence[StatusReading],
        last: bool,
        made_at: datetime,
    ) -> Batch:
        row = tables.BatchRow(request_id=request.id, made_at=made_at, record="")
        self._session.add(row)
        await self._session.flush()  # the database numbers it
        batch = Batch(
            number=row.number or 0, request=request, readings=tuple(readings), statuses=tuple(statuses), last=last
        )
        row.record = to_record(batch)
        return batch

    async def unsent_batches(self, *, after: int, limit: int) -> list[Batch]:
        column = _columns(tables.BatchRow)
        query = select(column.record).where(column.number > after).order_by(column.number).limit(limit)
        return [from_record(Batch, record) for record in await self._session.scalars(query)]

    async def forget_batch(self, number: int) -> None:
        await self._session.execute(delete(tables.BatchRow).where(_columns(tables.BatchRow).number == number))

    async def forget_batches_of(self, request_id: str) -> list[int]:
        column = _columns(tables.BatchRow)
        gone = await self._session.scalars(select(column.number).where(column.request_id == request_id))
        await self._session.execute(delete(tables.BatchRow).where(column.request_id == request_id))
        return sorted(gone)

    async def forget_batches(self, before: datetime) -> int:
        column = _columns(tables.BatchRow)
        gone = await self._session.scalars(select(column.number).where(column.made_at < before))
        await self._session.execute(delete(tables.BatchRow).where(column.made_at < before))
        return len(gone.all())

    async def save_history(self, steps: Sequence[HistoryStep]) -> None:
        if not steps:
            return
        again = _columns(tables.HistoryRow).starts_at.between(steps[0].starts_at, steps[-1].starts_at)
        await self._session.execute(delete(tables.HistoryRow).where(again))
        await self._session.execute(
            insert(tables.HistoryRow),
            [
                {
                    "starts_at": step.starts_at,
                    "power_w": step.power_w,
                    "baseline_w": step.baseline_w,
                    "quality": step.quality.value,
                }
                for step in steps
            ],
        )

    async def history(self, since: datetime, until: datetime) -> list[HistoryStep]:
        column = _columns(tables.HistoryRow)
        within = (column.starts_at >= since) & (column.starts_at < until)
        query = select(tables.HistoryRow).where(within).order_by(column.starts_at)
        return [_history_step(row) for row in await self._session.scalars(query)]

    async def newest_history(self) -> HistoryStep | None:
        newest = select(tables.HistoryRow).order_by(_columns(tables.HistoryRow).starts_at.desc()).limit(1)
        row = await self._session.scalar(newest)
        return None if row is None else _history_step(row)

    async def forget_history(self, before: datetime) -> None:
        await self._session.execute(delete(tables.HistoryRow).where(_columns(tables.HistoryRow).starts_at < before))

    async def add_status_sample(self, sample: StatusSample) -> None:
        await self._session.merge(tables.StatusSampleRow(at=sample.at, record=to_record(sample)))

    async def status_samples(self, since: datetime) -> list[StatusSample]:
        column = _columns(tables.StatusSampleRow)
        query = select(column.record).where(column.at >= since).order_by(column.at)
        return [from_record(StatusSample, record) for record in await self._session.scalars(query)]

    async def forget_status_samples(self, before: datetime) -> None:
        old = delete(tables.StatusSampleRow).where(_columns(tables.StatusSampleRow).at < before)
        await self._session.execute(old)

    async def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        for one in deliveries:
            await self._session.merge(tables.DeliveryRow(event_id=one.event_id, at=one.at, record=to_record(one)))

    async def deliveries(self, event_id: str) -> list[Delivery]:
        column = _columns(tables.DeliveryRow)
        query = select(column.record).where(column.event_id == event_id).order_by(column.at)
        return [from_record(Delivery, record) for record in await self._session.scalars(query)]

    async def add_notice(self, notice: Notice) -> None:
        self._session.add(tables.NoticeRow(at=notice.at, event_id=notice.event_id, record=to_record(notice)))

    async def notices(self, *, limit: int, event_id: str | None = None) -> list[Notice]:
        column = _columns(tables.NoticeRow)
        query = select(column.record).order_by(column.id.desc()).limit(limit)
        if event_id is not None:
            query = query.where(column.event_id == event_id)
        return [from_record(Notice, record) for record in await self._session.scalars(query)]

    async def away_since(self, name: str) -> datetime | None:
        row = await self._session.get(tables.AwayRow, name)
        return None if row is None else row.since

    async def set_away(self, name: str, since: datetime | None) -> None:
        if since is None:
            await self._session.execute(delete(tables.AwayRow).where(_columns(tables.AwayRow).name == name))
        else:
            await self._session.merge(tables.AwayRow(name=name, since=since))

    async def opt_orders(self) -> list[OptOrder]:
        column = _columns(tables.OptOrderRow)
        rows = await self._session.scalars(select(column.record).order_by(column.number))
        return [from_record(OptOrder, record) for record in rows]

    async def add_opt_order(self, order: OptOrder) -> OptOrder:
        row = tables.OptOrderRow(record="")
        self._session.add(row)
        await self._session.flush()  # the database numbers it
        numbered = replace(order, number=row.number or 0)
        row.record = to_record(numbered)
        return numbered

    async def opt_told(self, number: int, code: str, description: str, now: datetime) -> None:
        await self._change_opts([number], told_at=now, code=code, description=description)

    async def tell_opts_again(self, numbers: Sequence[int]) -> None:
        await self._change_opts(numbers, told_at=None, code="", description="")

    async def forget_opts(self, numbers: Sequence[int]) -> None:
        if numbers:
            column = _columns(tables.OptOrderRow)
            await self._session.execute(delete(tables.OptOrderRow).where(column.number.in_(numbers)))

    async def _change_opts(self, numbers: Sequence[int], **changes: Any) -> None:
        for number in numbers:
            row = await self._session.get(tables.OptOrderRow, number)
            if row is not None:
                row.record = to_record(replace(from_record(OptOrder, row.record), **changes))

    async def used_terms(self) -> UsedTerms | None:
        row = await self._session.get(tables.UsageRow, 1)
        return None if row is None else whole_usage(UsedTerms(**{name: getattr(row, name) for name in USED_FIELDS}))

    async def save_used_terms(self, used: UsedTerms) -> None:
        row = packed_usage(used)
        await self._session.merge(tables.UsageRow(id=1, **{name: getattr(row, name) for name in USED_FIELDS}))

    async def conditions(self) -> dict[Condition, datetime]:
        column = _columns(tables.ConditionRow)
        rows = await self._session.execute(select(column.name, column.since).order_by(column.name))
        return {Condition(row.name): row.since for row in rows}

    async def set_condition(self, condition: Condition, since: datetime | None) -> None:
        if since is None:
            column = _columns(tables.ConditionRow)
            await self._session.execute(delete(tables.ConditionRow).where(column.name == condition.value))
        else:
            await self._session.merge(tables.ConditionRow(name=condition.value, since=since))

    async def claim_nonce(self, key: str, until: datetime) -> bool:
        row = self._insert(tables.NonceRow).values(key=key, until=until)
        claimed = row.on_conflict_do_nothing(index_elements=["key"]).returning(_columns(tables.NonceRow).key)
        return (await self._session.scalar(claimed)) is not None

    async def forget_nonces(self, before: datetime) -> None:
        await self._session.execute(delete(tables.NonceRow).where(_columns(tables.NonceRow).until < before))

    async def fleet_in_use(self) -> FleetInUse | None:
        row = await self._session.get(tables.FleetRow, 1)
        return None if row is None else from_record(FleetInUse, row.record)

    async def save_fleet(self, fleet: FleetInUse) -> None:
        await self._session.merge(tables.FleetRow(id=1, record=to_record(fleet)))

    def _insert(self, row: type[tables.Row]) -> Any:
        """Both databases speak of conflicts in the same words, each in its own dialect."""
        is_postgresql = self._session.get_bind().dialect.name == "postgresql"
        return (postgresql if is_postgresql else sqlite).insert(_table(row))


def _history_step(row: tables.HistoryRow) -> HistoryStep:
    return HistoryStep(
        starts_at=row.starts_at, power_w=row.power_w, baseline_w=row.baseline_w, quality=Quality(row.quality)
    )


def _columns(row: type[tables.Row]) -> ColumnCollection[str, Any]:
    """The table's columns, for queries that need no objects."""
    return _table(row).c


def _table(row: type[tables.Row]) -> Table:
    return tables.Row.metadata.tables[str(row.__tablename__)]


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # An answer is sent as soon as its commit returns: the commit must have reached the disk.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_WAIT_MS}")
    cursor.close()
