"""Writes out the news of events to the parties that were not reached in the operator's own request.

What waits is in the store, and is looked for when this process starts, whenever an event was written,
and every few seconds, should another process have died over it. Several may do it at once: each takes
the next parties of an event, one after the other.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from openadr_core.errors import Unavailable
from openadr_core.oadr3.names import ObjectKind
from openadr_core.shell.waking import woken
from openadr_vtn.application.handlers.publication import publish_more
from openadr_vtn.application.ports import Store

LOOKED_FOR_S = 5.0
STORE_RETRY_S = 1.0

log = structlog.get_logger(__name__)


class FanOutWorker:
    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._poked = asyncio.Event()
        self._revision = ""
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        store.subscribe(self._hear)

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="vtn-fan-out")

    async def close(self) -> None:
        """After the parties that are being looked at; the others are found by whoever starts next."""
        self._stopping = True
        self._poked.set()
        if self._running is not None:
            # Not cancelled: it may be in the middle of a transaction.
            await self._running

    async def turn(self) -> None:
        """All that waits, some parties of each event by turns; an event that fails keeps no other from its parties."""
        async with self._store.view() as view:
            waiting = [fan_out.event_id for fan_out in await view.fan_outs.all()]
        while waiting and not self._stopping:
            event_id = waiting.pop(0)
            try:
                async with self._store.unit_of_work(brief=True) as uow:
                    is_more = await publish_more(uow, event_id, self._now())
            except Unavailable:
                raise
            except Exception:
                log.exception("an event is not written out to its parties", event_id=event_id)
            else:
                waiting += [event_id] if is_more else []

    def _hear(self, _: frozenset[str] | None) -> None:
        revision = self._store.revision([ObjectKind.EVENT])
        if revision != self._revision:
            self._revision = revision
            self._poked.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._poked.clear()
            wait_s = LOOKED_FOR_S
            try:
                await self.turn()
            except Unavailable as error:
                log.warning("the news of events waits for the store", said=str(error))
                wait_s = STORE_RETRY_S
            if not self._stopping:
                await woken(self._poked, wait_s)
