"""Waiting to be woken, for so long at most."""

import asyncio
import contextlib


async def woken(poked: asyncio.Event, within_s: float | None) -> None:
    """Return once it is set, or the time is over; None: whenever that is.

    Not wait_for, which in Python 3.11 forgets that it was cancelled if it is poked in the same turn of the loop: a task
    that goes on then is waited for in vain by whoever ends it.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await poked.wait()
