"""What is done at every tick of a clock, and must outlive a tick that fails."""

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


def soundly(what: str, job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """A tick that fails says so in the log, and the next one tries again."""

    async def tick() -> None:
        try:
            await job()
        except StoreError as error:
            log.warning("tick failed", what=what, said=str(error))

    return tick
