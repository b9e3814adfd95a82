"""What a clock wakes: it outlives a tick that fails, and what runs when the clock stops is finished."""

import asyncio
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from openadr_core.errors import Unavailable
from openadr_vtn.adapters.ticks import Ticks


async def test_what_runs_when_the_clock_is_shut_down_comes_to_its_end() -> None:
    began, may_end, done = asyncio.Event(), asyncio.Event(), []

    async def commit() -> None:
        began.set()
        await may_end.wait()
        done.append("committed")

    ticks, scheduler = Ticks(), AsyncIOScheduler()
    scheduler.add_job(ticks.soundly("commit", commit), "interval", seconds=3600, next_run_time=datetime.now(UTC))
    scheduler.start()
    await asyncio.wait_for(began.wait(), 10)
    scheduler.shutdown(wait=False)
    await asyncio.sleep(0)
    ending = asyncio.create_task(ticks.ended())
    await asyncio.sleep(0)
    assert not ending.done()
    may_end.set()
    await ending
    assert done == ["committed"]
    await ticks.ended()


async def test_a_store_that_is_away_fails_one_tick_alone() -> None:
    tries = []

    async def job() -> None:
        tries.append("tried")
        raise Unavailable("gone")

    tick = Ticks().soundly("job", job)
    await tick()
    await tick()
    assert tries == ["tried", "tried"]
