"""What the agent stores comes back, on both databases; what was not committed never was."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from openadr_core.errors import Unavailable
from openadr_core.model.event import DrEvent, Signal, SignalInterval, SignalKind
from openadr_core.model.opt import Opt, OptType
from openadr_core.model.report import ReportRequest
from openadr_ven.adapters.sql.migrate import migrate
from openadr_ven.adapters.sql.store import KEYS_PER_STATEMENT, SqlStore, engine_of
from openadr_ven.adapters.sql.tables import RoundRow, Row, UsageRow
from openadr_ven.domain.held import (
    Baseline,
    Condition,
    Delivery,
    FleetInUse,
    HeldEvent,
    Metered,
    Notice,
    Round,
    UsedTerms,
    WantedReport,
)
from openadr_ven.fleet.columns import Mode


def a_held_event(now: datetime, *, version: int = 0) -> HeldEvent:
    event = DrEvent(
        id="event-1",
        program_id="",
        market_context="http://example.org/p",
        version=version,
        starts_at=now,
        duration=timedelta(minutes=2),
        signals=(
            Signal(
                id="s",
                kind=SignalKind.RELIEF,
                intervals=(SignalInterval(duration=timedelta(minutes=2), value=5e6),),
            ),
        ),
        created_at=now,
        modified_at=now,
    )
    return HeldEvent(
        event=event,
        opt=Opt(event_id="event-1", version=version, opt_type=OptType.IN, at=now),
        received_at=now,
        delay_fraction=0.25,
    )


def a_round(now: datetime, *, sequence: int) -> Round:
    return Round(
        sequence=sequence,
        event_id="event-1",
        event_version=0,
        made_at=now,
        ends_at=now + timedelta(seconds=30),
        ramp_s=1.0,
        asked_w=5e6,
        allowed_w=1e6,
        mode=np.ones(3, np.uint8).tobytes(),
        setpoint_w=np.arange(3, dtype=np.float32).tobytes(),
        sent=np.packbits([True, False, True]).tobytes(),
        guard="{}",
        trim="{}",
    )


def a_request(now: datetime) -> ReportRequest:
    return ReportRequest(
        id="R1",
        specifier_id="usage",
        r_ids=("power", "baseline"),
        granularity=timedelta(seconds=1),
        report_back=timedelta(seconds=5),
        starts_at=now,
        duration=None,
    )


@pytest.mark.openadr20b("R61", "N5")
async def test_the_last_word_about_an_event_holds_whatever_version_it_had(store: SqlStore, now: datetime) -> None:
    """Listed, missing (an implied cancel), and listed again under the same version: it is on."""
    held = a_held_event(now)
    missing = replace(held, event=replace(held.event, cancelled_at=now))
    for words in ([held], [held, missing], [held, missing, held], [held, missing, held, missing]):
        for word in words[-1:]:
            async with store.unit_of_work() as unit:
                await unit.save_events([word])
        async with store.unit_of_work() as unit:
            assert await unit.held_events() == [words[-1]]


async def test_an_event_is_kept_with_every_answer_to_it(store: SqlStore, now: datetime) -> None:
    first, second = a_held_event(now), a_held_event(now, version=1)
    out = replace(second, opt=replace(second.opt, opt_type=OptType.OUT, at=now + timedelta(seconds=1)))
    cancelled = replace(out, event=replace(out.event, cancelled_at=now + timedelta(seconds=2)))
    for held in (first, first, second, out, cancelled):
        async with store.unit_of_work() as unit:
            await unit.save_events([held])
    async with store.unit_of_work() as unit:
        assert await unit.held_events() == [cancelled]
        assert await unit.opts("event-1") == [first.opt, second.opt, out.opt]


async def test_many_events_are_kept_in_the_order_they_came(store: SqlStore, now: datetime) -> None:
    """As when a control asks something of each of many devices: and a later word about one of them holds."""
    count = KEYS_PER_STATEMENT + 10
    held = a_held_event(now)
    many = [
        replace(held, event=replace(held.event, id=f"e{number}"), opt=replace(held.opt, event_id=f"e{number}"))
        for number in range(count)
    ]
    over = replace(many[3], event=replace(many[3].event, cancelled_at=now), opt=replace(many[3].opt, reason="over"))
    async with store.unit_of_work() as unit:
        await unit.save_events([*many, over, many[3], many[3]])
        await unit.save_events([])
    async with store.unit_of_work() as unit:
        await unit.save_events(many[:2])
        assert sorted(await unit.held_events(), key=lambda one: one.event.id) == sorted(
            many, key=lambda one: one.event.id
        )
        assert await unit.opts("e3") == [many[3].opt, over.opt, many[3].opt]
        assert await unit.opts("e0") == [many[0].opt]
    async with store.unit_of_work() as unit:
        await unit.save_events([over])
        assert over in await unit.held_events()


async def test_nothing_is_kept_of_a_transaction_that_failed(store: SqlStore, now: datetime) -> None:
    async def fail_halfway() -> None:
        async with store.unit_of_work() as unit:
            await unit.save_events([a_held_event(now)])
            await unit.save_session("vtn", "{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_halfway()
    async with store.unit_of_work() as unit:
        assert await unit.held_events() == []
        assert await unit.session_record("vtn") is None


async def test_the_last_round_is_never_forgotten(store: SqlStore, now: datetime) -> None:
    rounds = [a_round(now + timedelta(seconds=n), sequence=n) for n in range(1, 4)]
    async with store.unit_of_work() as unit:
        assert await unit.last_round() is None
        for made in rounds:
            await unit.add_round(made)
        await unit.forget_rounds(now + timedelta(days=1))
    async with store.unit_of_work() as unit:
        assert await unit.last_round() == rounds[-1]
        await unit.add_round(a_round(now, sequence=4))


@pytest.mark.parametrize("modes", [[1, 0, 2, 1, 3], [0, 2, 3, 0, 0], [1, 1, 1, 1, 1], []])
async def test_setpoints_come_back_to_their_devices(store: SqlStore, now: datetime, modes: list[int]) -> None:
    """Those that follow none take no room, and a row that an earlier version stored whole is read as well."""
    mode = np.array(modes, dtype=np.uint8)
    setpoint_w = np.where(mode == Mode.SETPOINT, np.arange(mode.size) - 1.5, 0.0).astype(np.float32)
    made = replace(a_round(now, sequence=1), mode=mode.tobytes(), setpoint_w=setpoint_w.tobytes())
    async with store.unit_of_work() as unit:
        await unit.add_round(made)
    async with store.unit_of_work() as unit:
        assert await unit.last_round() == made
        row = await unit._session.get(RoundRow, 1)
        assert row is not None
        assert len(row.setpoint_w) == 4 * int((mode == Mode.SETPOINT).sum())
        row.setpoint_w = made.setpoint_w
    async with store.unit_of_work() as unit:
        assert await unit.last_round() == made


async def test_what_is_replaced_is_replaced(store: SqlStore, now: datetime) -> None:
    wanted = WantedReport(request=a_request(now), reported_until=now)
    fleet = FleetInUse(path="fleet.csv", sha256="00", devices=3, loaded_at=now)
    delivery = Delivery(
        event_id="event-1", at=now, seconds=5.0, asked_w=5.0, allowed_w=4.0, commanded_w=3.0, acknowledged_w=2.0,
        delivered_w=1.0, shortfall_w={"envelope": 1.0},
    )  # fmt: skip
    for step in (0, 1):
        later = now + timedelta(seconds=step)
        async with store.unit_of_work() as unit:
            await unit.save_session("vtn", f"record {step}")
            await unit.save_wanted_report(replace(wanted, reported_until=later))
            await unit.save_fleet(replace(fleet, devices=3 + step))
            await unit.add_deliveries([replace(delivery, delivered_w=float(step))])
            await unit.save_baseline(Baseline(event_id="event-1", taken_at=later, power_w=bytes([step])))
    async with store.unit_of_work() as unit:
        assert await unit.session_record("vtn") == "record 1"
        assert await unit.wanted_reports() == [replace(wanted, reported_until=later)]
        assert await unit.fleet_in_use() == replace(fleet, devices=4)
        assert await unit.deliveries("event-1") == [replace(delivery, delivered_w=1.0)]
        assert await unit.baseline_of("event-1") == Baseline(event_id="event-1", taken_at=later, power_w=b"\x01")
        await unit.forget_wanted_report("R1")
        assert await unit.wanted_reports() == []


async def test_the_meter_is_kept_for_as_long_as_is_asked(store: SqlStore, now: datetime) -> None:
    seconds = [Metered(at=now + timedelta(seconds=n), power_w=np.array([float(n), np.nan]).tobytes()) for n in range(4)]
    async with store.unit_of_work() as unit:
        await unit.save_metered(seconds[:3])
        await unit.save_metered(seconds[2:])
        await unit.forget_metered(seconds[1].at)
    async with store.unit_of_work() as unit:
        assert await unit.metered(now) == seconds[1:]
        assert await unit.metered(seconds[3].at) == seconds[3:]


async def test_notices_come_newest_first(store: SqlStore, now: datetime) -> None:
    notices = [Notice(at=now, kind="k", text=str(n), event_id="e" if n % 2 else "") for n in range(5)]
    async with store.unit_of_work() as unit:
        for notice in notices:
            await unit.add_notice(notice)
    async with store.unit_of_work() as unit:
        assert [notice.text for notice in await unit.notices(limit=2)] == ["4", "3"]
        assert [notice.text for notice in await unit.notices(limit=9, event_id="e")] == ["3", "1"]


async def test_migrations_make_the_tables_and_may_run_again(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))

    await migrate(engine)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    assert [one for one in found if "alembic_version" not in str(one)] == []


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    store = SqlStore(engine_of("postgresql://nobody@127.0.0.1:9/none"))

    async def read() -> None:
        async with store.unit_of_work() as unit:
            await unit.notices(limit=1)

    with pytest.raises(Unavailable):
        await read()
    await store.close()


async def test_what_is_used_up_of_owners_terms_is_one_row(store: SqlStore, now: datetime) -> None:
    seconds, events = np.array([0.0, 7.5, 60.0, 0.0], dtype=np.float32), np.array([0, 1, 3, 0], dtype=np.uint16)
    used = UsedTerms(
        counted_at=now, season=2026, event_id="e", event_s=(seconds / 2).tobytes(), season_s=seconds.tobytes(),
        season_events=events.tobytes(),
    )  # fmt: skip
    async with store.unit_of_work() as unit:
        assert await unit.used_terms() is None
        await unit.save_used_terms(used)
    later = replace(used, counted_at=now + timedelta(seconds=9), event_s=np.zeros(4, dtype=np.float32).tobytes())
    async with store.unit_of_work() as unit:
        assert await unit.used_terms() == used
        await unit.save_used_terms(later)
    async with store.unit_of_work() as unit:
        assert await unit.used_terms() == later
        row = await unit._session.get(UsageRow, 1)
        assert row is not None
        assert len(row.season_s) == 4 * 2, "of those alone that took part"
        row.season_s = later.season_s
    async with store.unit_of_work() as unit:
        assert await unit.used_terms() == later, "as an earlier version had stored it"


async def test_conditions_hold_until_they_are_over(store: SqlStore, now: datetime) -> None:
    async with store.unit_of_work() as unit:
        assert await unit.conditions() == {}
        await unit.set_condition(Condition.STORM, now)
        await unit.set_condition(Condition.STORM, now)
    async with store.unit_of_work() as unit:
        assert await unit.conditions() == {Condition.STORM: now}
        await unit.set_condition(Condition.STORM, None)
    async with store.unit_of_work() as unit:
        assert await unit.conditions() == {}
