"""What an agent of an older version kept is read by the one that runs now."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from openadr_core.model.target import Target, TargetKind
from openadr_ven.adapters.sql.migrate import MIGRATIONS, migrate
from openadr_ven.adapters.sql.store import SqlStore, engine_of
from openadr_ven.adapters.sql.tables import EventRow
from openadr_ven.domain.records import to_record
from tests.postgres import fresh_database
from tests.ven.store.test_ven_store import a_held_event

OLD_EVENT = sa.table("event", *(sa.column(one.name, one.type) for one in sa.inspect(EventRow).c if one.name != "place"))
OLD_BATCH = sa.table("batch", sa.column("number"), sa.column("record"))
OLD_SESSION = sa.table("session", sa.column("name"), sa.column("record"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    return await fresh_database(request.getfixturevalue("postgres"))


def as_of(revision: str) -> Callable[[Connection], None]:
    def upgrade(connection: Connection) -> None:
        configuration = Config()
        configuration.set_main_option("script_location", str(MIGRATIONS))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)

    return upgrade


async def test_reports_on_their_way_are_found_by_their_request(url: str) -> None:
    """Migration 0005: what a report is for stands beside it now."""
    engine = engine_of(url)
    async with engine.begin() as connection:
        await connection.run_sync(as_of("0004"))
        for number, request_id in enumerate(("first", "second"), start=1):
            record = json.dumps({"request": {"id": request_id}})
            await connection.execute(sa.insert(OLD_BATCH).values(number=number, record=record))
    await migrate(engine)
    async with engine.connect() as connection:
        found = await connection.execute(sa.text("SELECT request_id, made_at IS NOT NULL FROM batch ORDER BY number"))
        assert [(request_id, bool(dated)) for request_id, dated in found] == [("first", True), ("second", True)]
    await engine.dispose()


async def test_events_that_were_kept_before_targets_had_kinds_are_for_all_of_the_fleet(url: str, now: datetime) -> None:
    """Migration 0008: as names without kinds they meant nobody in particular."""
    held = a_held_event(now)
    cancelled = replace(held, event=replace(held.event, cancelled_at=now))
    session = json.dumps({
        "known": [{"event": {"market_context": "http://example.org/p", "targets": ["feeder-1"]}, "opt": None}],
        "asked": {"targets": ["no event's"]},
    })  # fmt: skip
    engine = engine_of(url)
    async with engine.begin() as connection:
        await connection.run_sync(as_of("0007"))
        for one in (held, cancelled):
            record = json.loads(to_record(one))
            record["event"]["targets"] = ["feeder-1", "feeder-2"]
            row = {
                "event_id": "event-1",
                "version": 0,
                "cancelled": one.event.cancelled_at is not None,
                "received_at": now,
                "record": json.dumps(record),
            }
            await connection.execute(sa.insert(OLD_EVENT).values(row))
        await connection.execute(sa.insert(OLD_SESSION).values(name="upstream", record=session))
    await migrate(engine)
    store = SqlStore(engine)
    async with store.unit_of_work() as unit:
        assert await unit.held_events() == [cancelled]  # with no targets, which are all
        kept = json.loads(await unit.session_record("upstream") or "")
    assert kept["known"] == [{"event": {"market_context": "http://example.org/p", "targets": []}, "opt": None}]
    assert kept["asked"] == {"targets": ["no event's"]}
    targets = (Target(kind=TargetKind.GROUP, name="feeder-1"),)
    changed = replace(held, event=replace(held.event, version=1, targets=targets))
    async with store.unit_of_work() as unit:
        await unit.save_events([changed])
    await migrate(engine)  # as at every start: what has kinds keeps them
    async with store.unit_of_work() as unit:
        assert await unit.held_events() == [changed]
    await engine.dispose()
