"""What is done at every tick of a clock, and must outlive a tick that fails."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from openadr_core.errors import StoreError
from openadr_vtn.application.ports import Store

NONCES_KEPT_LONGER = timedelta(minutes=1)
"""Than needed, for processes whose clocks differ."""

log = structlog.get_logger(__name__)


async def forget_nonces(store: Store, now: datetime) -> None:
    async with store.unit_of_work() as uow:
        await uow.nonces.forget(now - NONCES_KEPT_LONGER)


Job = Callable[[], Awaitable[None]]


class Ticks:
    """What is under way of it."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def soundly(self, what: str, job: Job) -> Job:
        """A tick that fails says so in the log, and the next one tries again."""

        async def tick() -> None:
            try:
                await job()
            except StoreError as error:
                log.warning("tick failed", what=what, said=str(error))

        async def ticking() -> None:
            running = asyncio.create_task(tick(), name=f"vtn-tick-{what}")
            self._under_way.add(running)
            running.add_done_callback(self._under_way.discard)
            # Whoever wakes us cancels what runs when it is shut down: it may be in the middle of a commit.
            await asyncio.shield(running)

        return ticking

    async def ended(self) -> None:
        """Once nothing is under way any more; what failed has been told."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
