"""What a VTN of an older version kept is read by the one that runs now, on both databases."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from openadr_core.model.report import DataSource, Measurand, Reading
from openadr_core.oadr3.names import ObjectKind
from openadr_core.units import WATT
from openadr_vtn.adapters.sql.engine import engines_of
from openadr_vtn.adapters.sql.migrate import MIGRATIONS, migrate
from openadr_vtn.adapters.sql.store import SqlStore, open_store
from openadr_vtn.application.oadr3_ports import EventFilter, Page, ProgramFilter, VenFilter
from openadr_vtn.domain.errand import Errand, ErrandKind
from tests.vtn.samples import HOUR

VEN = "id-ven-one"
RowsOf = Mapping[str, list[dict[str, Any]]]
"""What stood in the tables, without what does not matter."""


def program(**values: Any) -> dict[str, Any]:
    return {"id": "program-1", "name": "Program", "market_context": "http://utility.example/p", **values}


def event(**values: Any) -> dict[str, Any]:
    return {"id": "event-1", "program_id": "program-1", "document": "{}", "duration_s": 3600.0, **values}


def party(name: str = "ven-one", **values: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "state": "approved", "poll_interval_s": 10.0, **values}


@asynccontextmanager
async def once_at(revision: str, rows: RowsOf, url: str, now: datetime) -> AsyncIterator[SqlStore]:
    """The store of today, over what one at this revision held."""

    def filled(connection: Connection) -> None:
        configuration = Config()
        configuration.set_main_option("script_location", str(MIGRATIONS))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
        zone = None if connection.dialect.name == "sqlite" else UTC
        for name, held in rows.items():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            for row in held:
                connection.execute(sa.insert(table).values(_whole(table, row, now, zone)))

    engines = engines_of(url)
    async with engines.writer.begin() as connection:
        await connection.run_sync(filled)
    await engines.close()
    await migrate(url)
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()


def _whole(table: sa.Table, row: dict[str, Any], now: datetime, zone: tzinfo | None) -> dict[str, Any]:
    """With something in each column that wants it, and moments as the database keeps them."""
    usual: list[tuple[type[Any], Any]] = [
        (sa.DateTime, now), (sa.JSON, []), (sa.Boolean, False), (sa.Float, 0.0), (sa.Integer, 0), (sa.String, ""),
    ]  # fmt: skip
    needed = {
        column.name: next(value for kind, value in usual if isinstance(column.type, kind))
        for column in table.columns
        if not column.nullable and column.server_default is None and not column.foreign_keys
    }
    return {
        name: value.replace(tzinfo=zone) if isinstance(value, datetime) else value
        for name, value in (needed | row).items()
    }


async def test_an_errand_of_before_there_was_a_queue_is_still_owed(empty_url: str, now: datetime) -> None:
    """Migration 0002: it had no name of its own, and no content."""
    kind = ErrandKind.REGISTER_REPORT.value
    rows = {
        "party": [party(), party("ven-two")],
        "errand": [
            {"party_id": VEN, "kind": kind, "made_at": now},
            {"party_id": "id-ven-two", "kind": kind, "made_at": now, "sent_at": now, "attempts": 2},
        ],
    }
    async with once_at("0001", rows, empty_url, now) as store, store.unit_of_work() as unit:
        mine = Errand(party_id=VEN, id=f"RegisterReport-{VEN}", kind=ErrandKind.REGISTER_REPORT, made_at=now)
        other = replace(mine, party_id="id-ven-two", id="RegisterReport-id-ven-two", sent_at=now, attempts=2)
        assert await unit.errands.of_parties([VEN, "id-ven-two"]) == [mine, other]
        later = replace(mine, id="another", kind=ErrandKind.CREATE_REPORT, content="{}")
        await unit.errands.add(later)
        assert await unit.errands.of_parties([VEN]) == [mine, later]
        await unit.errands.remove(mine)
        assert await unit.errands.of_parties([VEN]) == [later]


async def test_reports_of_before_there_was_a_vocabulary_are_of_usage_in_watts(empty_url: str, now: datetime) -> None:
    """Migration 0003."""
    point = {"party_id": VEN, "specifier_id": "telemetry", "max_period_s": 60.0}
    reading = {"party_id": VEN, "starts_at": now, "duration_s": 10.0, "quality": "good"}
    asked = {"party_id": VEN, "id": "r1", "specifier_id": "telemetry", "r_ids": ["power"], "starts_at": now}
    rows = {
        "party": [party()],
        "report_offer": [{"party_id": VEN, "specifier_id": "telemetry", "report_name": "TELEMETRY_USAGE"}],
        "data_point": [
            point | {"r_id": "power", "position": 0, "measurand": "real_power", "factor": 1000.0, "resource_id": "m-1"},
            point | {"r_id": "base", "position": 1, "measurand": "baseline", "factor": 1.0},
            point | {"r_id": "energy", "position": 2, "measurand": "real_power", "factor": None},
        ],
        "report_request": [asked, asked | {"id": "r2", "received_at": now, "covered_until": now}],
        "reading": [
            reading | {"r_id": "power", "measurand": "real_power", "resource_id": "m-1", "value": 5.0},
            reading | {"r_id": "base", "measurand": "baseline", "value": 7.0},
        ],
    }
    async with once_at("0002", rows, empty_url, now) as store, store.view() as view:
        (offered,) = await view.reports.offers(VEN)
        power, base = offered.offer.data_points  # what nobody could read is offered no more
        assert (power.measurand, power.unit, power.source) == (Measurand.USAGE, WATT, DataSource(names=("m-1",)))
        assert (base.measurand, base.unit, base.source) == (Measurand.BASELINE, WATT, DataSource())
        assert offered.factors == {"power": 1000.0, "base": 1.0}
        first, second = await view.reports.requests(VEN)
        assert (first.asked_at, first.ended_at, first.cancel_asked_at, first.refusal) == (now, None, None, "")
        assert (second.received_at, second.covered_until) == (now, now)
        assert {one.request.id for one in await view.reports.open_requests(VEN)} == {"r1", "r2"}
        assert await view.reports.sources(VEN) == [(Measurand.BASELINE, ""), (Measurand.USAGE, "m-1")]
        usage = await view.reports.series(VEN, Measurand.USAGE, now, now + HOUR, source="m-1")
        assert usage == [Reading(r_id="power", starts_at=now, duration=usage[0].duration, value=5.0)]


async def test_what_was_owed_before_parties_had_numbers_of_their_own_is_owed_still(
    empty_url: str, now: datetime
) -> None:
    """Migration 0009: the number that a party was told was the event's version."""
    told = {"event_id": "event-1", "party_id": VEN, "withdrawn": False, "entitled_at": now}
    rows = {
        "program": [program()],
        "event": [event(version=2, starts_at=now, over_at=now + HOUR)],
        "party": [party(), party("ven-two")],
        "delivery": [
            told | {"version": 1, "sent_at": now, "attempts": 1, "fetched_at": now, "answered_at": now},
            told | {"version": 2},
            told | {"version": 1, "party_id": "id-ven-two", "withdrawn": True, "sent_at": now, "attempts": 3},
        ],
    }
    async with once_at("0008", rows, empty_url, now) as store, store.view() as view:
        held = await view.deliveries.of_parties([VEN, "id-ven-two"], ["event-1"])
        assert sorted((one.party_id, one.version, one.event_version) for one in held) == [
            (VEN, 1, 1), (VEN, 2, 2), ("id-ven-two", 1, 1),
        ]  # fmt: skip
        by_version = {(one.party_id, one.version): one for one in held}
        assert by_version[VEN, 1].answered_at == now
        assert by_version[VEN, 2].attempts == 0
        assert (by_version["id-ven-two", 1].withdrawn, by_version["id-ven-two", 1].attempts) == (True, 3)


async def test_objects_of_before_targets_had_an_index_are_found_by_them(empty_url: str, now: datetime) -> None:
    """Migration 0013: a target was a name, or a kind and a name."""
    rows = {
        "program": [
            program(targets=["zone-a", "zone-b"]),
            program(id="program-2", name="For all", market_context="http://utility.example/all"),
        ],
        "event": [
            event(targets=[["group", "zone-a"], ["party", "ven-one"]]),
            event(id="event-2", targets=[["device_class", "Storage"]]),
            event(id="event-3", targets=["zone-b"]),
        ],
        "party": [party(targets=["zone-a"]), party("ven-two")],
    }
    async with once_at("0012", rows, empty_url, now) as store, store.view() as view:
        page = Page(skip=0, limit=10)

        async def found(kind: ObjectKind, *targets: str) -> list[str]:
            wanted = frozenset(targets)
            match kind:
                case ObjectKind.PROGRAM:
                    return [one.program.id for one in await view.programs.page(ProgramFilter(wanted=wanted), page)]
                case ObjectKind.EVENT:
                    return [one.event.id for one in await view.events.page(EventFilter(wanted=wanted), page)]
                case _:
                    return [one.id for one in await view.parties.page(VenFilter(wanted=wanted), page)]

        assert await found(ObjectKind.PROGRAM, "zone-b") == ["program-1"]
        assert await found(ObjectKind.EVENT, "zone-a") == ["event-1"]
        assert await found(ObjectKind.EVENT, "ven-one") == ["event-1"]
        assert await found(ObjectKind.EVENT, "zone-b") == ["event-3"]
        assert await found(ObjectKind.EVENT, "Storage") == []
        assert await found(ObjectKind.PROGRAM, "") == ["program-2"]  # which are for all
        assert await found(ObjectKind.EVENT, "") == ["event-2"]
        assert await found(ObjectKind.VEN, "zone-a") == [VEN]
