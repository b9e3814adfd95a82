"""What an agent kept before targets had kinds is read by the one that runs now (migration 0008)."""

import json
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
OLD_SESSION = sa.table("session", sa.column("name"), sa.column("record"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    return await fresh_database(request.getfixturevalue("postgres"))


def as_of_0007(connection: Connection) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "0007")


async def test_events_that_were_kept_before_targets_had_kinds_are_for_all_of_the_fleet(url: str, now: datetime) -> None:
    held = a_held_event(now)
    cancelled = replace(held, event=replace(held.event, cancelled_at=now))
    session = json.dumps({
        "known": [{"event": {"market_context": "http://example.org/p", "targets": ["feeder-1"]}, "opt": None}],
        "asked": {"targets": ["no event's"]},
    })  # fmt: skip
    engine = engine_of(url)
    async with engine.begin() as connection:
        await connection.run_sync(as_of_0007)
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
        await unit.save_event(changed)
    await migrate(engine)  # as at every start: what has kinds keeps them
    async with store.unit_of_work() as unit:
        assert await unit.held_events() == [changed]
    await engine.dispose()
