"""Reports on their way, and the past that reports are made of: kept, in order, and dropped when they are too old."""

from dataclasses import replace
from datetime import datetime, timedelta

from openadr_core.model.report import (
    Control,
    ControlValue,
    Quality,
    Reading,
    ReportRequest,
    ResourceStatus,
    StatusReading,
)
from openadr_ven.adapters.sql.store import SqlStore, SqlUnitOfWork
from openadr_ven.domain.held import Batch, HistoryStep, StatusSample

SECOND = timedelta(seconds=1)
STANDS = ResourceStatus(
    online=True, manual_override=False, controls={Control.CAPACITY: ControlValue(current=0.5, normal=1.0)}
)


def a_request(now: datetime, request_id: str = "R1") -> ReportRequest:
    return ReportRequest(
        id=request_id,
        specifier_id="usage",
        r_ids=("power", "baseline"),
        granularity=SECOND,
        report_back=5 * SECOND,
        starts_at=now,
        duration=None,
    )


async def add(unit: SqlUnitOfWork, now: datetime, request_id: str = "R1", *, last: bool = False) -> Batch:
    readings = [Reading(r_id="power", starts_at=now, duration=SECOND, value=-1.5, cause="Comm Failure", accuracy=0.5)]
    statuses = [StatusReading(r_id="fleet", at=now, status=STANDS, quality=Quality.BAD, cause="Not Connected")]
    return await unit.add_batch(
        a_request(now, request_id), readings=readings, statuses=statuses, last=last, made_at=now
    )


async def test_a_batch_number_is_never_given_twice(store: SqlStore, now: datetime) -> None:
    async with store.unit_of_work() as unit:
        first = await add(unit, now)
        await unit.forget_batch(first.number)
    async with store.unit_of_work() as unit:
        second = await add(unit, now, last=True)
    async with store.unit_of_work() as unit:
        assert second.number > first.number
        assert await unit.unsent_batches(after=0, limit=9) == [second]
        assert second.last


async def test_what_is_on_its_way_is_read_in_pages_and_in_order(store: SqlStore, now: datetime) -> None:
    async with store.unit_of_work() as unit:
        batches = [await add(unit, now + number * SECOND, f"R{number % 2}") for number in range(6)]
    async with store.unit_of_work() as unit:
        assert await unit.unsent_batches(after=0, limit=2) == batches[:2]
        assert await unit.unsent_batches(after=batches[1].number, limit=9) == batches[2:]
        assert await unit.forget_batches_of("R1") == [one.number for one in batches[1::2]]
        assert await unit.forget_batches_of("R1") == []
        assert await unit.unsent_batches(after=0, limit=9) == batches[::2]
        assert await unit.forget_batches(now + 3 * SECOND) == 2
        assert await unit.unsent_batches(after=0, limit=9) == batches[4:5]


async def test_history_is_kept_step_by_step(store: SqlStore, now: datetime) -> None:
    steps = [
        HistoryStep(starts_at=now + number * SECOND, power_w=float(number), baseline_w=9.0, quality=Quality.ESTIMATED)
        for number in range(5)
    ]
    async with store.unit_of_work() as unit:
        assert await unit.newest_history() is None
        await unit.save_history(steps)
        await unit.save_history([replace(steps[1], power_w=-1.0)])
    steps[1] = replace(steps[1], power_w=-1.0)
    async with store.unit_of_work() as unit:
        assert await unit.history(now, now + 3 * SECOND) == steps[:3]
        assert await unit.newest_history() == steps[-1]
        await unit.forget_history(now + 2 * SECOND)
        assert await unit.history(now, now + 9 * SECOND) == steps[2:]


async def test_how_resources_stood_is_kept_for_as_long_as_is_asked(store: SqlStore, now: datetime) -> None:
    samples = [StatusSample(at=now + number * SECOND, statuses={"fleet": STANDS}) for number in range(4)]
    async with store.unit_of_work() as unit:
        for sample in (*samples, samples[0]):
            await unit.add_status_sample(sample)
        await unit.forget_status_samples(now + SECOND)
    async with store.unit_of_work() as unit:
        assert await unit.status_samples(now) == samples[1:]
        assert await unit.status_samples(now + 3 * SECOND) == samples[3:]
