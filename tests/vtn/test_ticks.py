"""What a clock wakes: it outlives a tick that fails, and what runs when the clock stops is finished."""

import asyncio
from datetime import UTC, datetime, timedelta

from openadr_core.errors import Unavailable
from openadr_vtn.adapters.ticks import Ticks

HOUR = timedelta(hours=1)


async def test_what_runs_when_the_clock_is_shut_down_comes_to_its_end() -> None:
    began, may_end, done = asyncio.Event(), asyncio.Event(), []

    async def commit() -> None:
        began.set()
        await may_end.wait()
        done.append("committed")

    ticks = Ticks()
    ticks.every(HOUR, "commit", commit, first_at=datetime.now(UTC))
    ticks.start()
    await asyncio.wait_for(began.wait(), 10)
    ending = asyncio.create_task(ticks.close())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not ending.done()
    may_end.set()
    await ending
    assert done == ["committed"]


async def test_a_tick_that_finds_the_store_away_is_not_the_last() -> None:
    tries, twice = [], asyncio.Event()

    async def job() -> None:
        tries.append("tried")
        if len(tries) == 2:
            twice.set()
        raise Unavailable("gone")

    ticks = Ticks()
    ticks.every(timedelta(seconds=0.01), "job", job)
    ticks.every(HOUR, "a job that waits for nothing", lambda: None, first_at=datetime.now(UTC))
    ticks.start()
    await asyncio.wait_for(twice.wait(), 10)
    await ticks.close()
    count = len(tries)
    await asyncio.sleep(0.05)
    assert len(tries) == count
