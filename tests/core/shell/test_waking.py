"""Who waits to be woken is woken, or goes on in time, and never forgets that it was cancelled."""

import asyncio

import pytest

from openadr_core.shell.waking import woken


async def test_it_returns_when_it_is_poked_and_when_the_time_is_over() -> None:
    poked = asyncio.Event()
    await woken(poked, 0.01)
    poked.set()
    await woken(poked, None)


async def test_a_poke_in_the_same_turn_does_not_undo_a_cancel() -> None:
    poked, waiting = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await woken(poked, 60)

    task = asyncio.create_task(wait())
    await waiting.wait()
    await asyncio.sleep(0)
    poked.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
