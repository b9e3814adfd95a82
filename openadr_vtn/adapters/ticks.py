"""What is done at every tick of a clock, and must outlive a tick that fails."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from openadr_core.errors import StoreError
from openadr_vtn.application.ports import Store

NONCES_KEPT_LONGER = timedelta(minutes=1)
"""Than needed, for processes whose clocks differ."""

log = structlog.get_logger(__name__)


async def forget_nonces(store: Store, now: datetime) -> None:
    async with store.unit_of_work() as uow:
        await uow.nonces.forget(now - NONCES_KEPT_LONGER)


Job = Callable[[], Awaitable[None] | None]


class Ticks:
    """Jobs that only wake: what is due is in the store or derived from it, so none may be lost to a late tick."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._under_way: set[asyncio.Task[None]] = set()

    def every(self, interval: timedelta, what: str, job: Job, *, first_at: datetime | None = None) -> None:
        """A tick that fails says so in the log, and the next one tries again; the first is an interval away."""
        first = {} if first_at is None else {"next_run_time": first_at}
        self._scheduler.add_job(partial(self._tick, what, job), "interval", seconds=interval.total_seconds(), **first)

    def start(self) -> None:
        self._scheduler.start()

    async def close(self) -> None:
        """Once what is under way has come to its end: it may be in the middle of a commit."""
        self._scheduler.shutdown(wait=False)
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _tick(self, what: str, job: Job) -> None:
        running = asyncio.create_task(_soundly(what, job), name=f"vtn-tick-{what}")
        self._under_way.add(running)
        running.add_done_callback(self._under_way.discard)
        # A scheduler cancels what runs when it is shut down, and calls that an error; it is waited for in `close`.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(running)


async def _soundly(what: str, job: Job) -> None:
    try:
        if (doing := job()) is not None:
            await doing
    except StoreError as error:
        log.warning("tick failed", what=what, said=str(error))
