"""The loop that drains an outbox, stream by stream: what pushing to 2.0b and notifying have in common.

The store is the outbox. What is held here is which streams to look at, and when: derived from it, and lost without
loss. One turn writes down what came back, looks at who may have something due, and starts what can start; the exchanges
themselves run beside it, so that a receiver that is slow, or dead, costs the others nothing.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from openadr_core.errors import StoreError
from openadr_core.shell.waking import woken
from openadr_vtn.application.ports import Store, UnitOfWork

TERM = timedelta(seconds=15)
"""How long after a process has died another one takes over."""
STORE_RETRY_S = 1.0

log = structlog.get_logger(__name__)


class Drain(ABC):
    def __init__(
        self,
        *,
        store: Store,
        now: Callable[[], datetime],
        duty: str,
        holder: str,
        at_once: int,
        retries_at_once: int,
        looked_at_together: int,
        gathers_s: float = 0.0,
    ) -> None:
        """``duty`` is done by one process, ``holder`` of those that share the store, at a time.

        What comes back within ``gathers_s`` is written down together.
        """
        self._store = store
        self._now = now
        self._duty = duty
        self._holder = holder
        self._at_once = at_once
        self._retries_at_once = retries_at_once
        self._looked_at_together = looked_at_together
        self._gathers_s = gathers_s
        self._poked = asyncio.Event()
        self._due: dict[str, datetime] = {}
        """Streams of which something may wait, and when to look."""
        self._failing: set[str] = set()
        """Those that failed when they were last tried."""
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._duty_until: datetime | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    def poke(self) -> None:
        """Something may have happened that the store does not tell of."""
        self._poked.set()

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name=f"vtn-{self._duty}")

    async def close(self) -> None:
        """What is under way is let go, and will be carried again; what came back is written down."""
        self._stopping = True
        self._poked.set()
        if self._running is not None:
            # Not cancelled: it may be in the middle of a transaction.
            await self._running
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self._write_down()

    async def _run(self) -> None:
        while not self._stopping:
            self._poked.clear()
            try:
                wait_s = await self.turn()
            except StoreError as error:
                log.warning("an outbox waits for the store", duty=self._duty, detail=str(error))
                wait_s = STORE_RETRY_S
            except Exception:
                # An error of ours must not silence us for good: what waits is read anew.
                log.exception("a turn failed", duty=self._duty)
                wait_s = STORE_RETRY_S
            if not self._stopping:
                await woken(self._poked, wait_s)
                if self._under_way:
                    await asyncio.sleep(self._gathers_s)

    @abstractmethod
    async def turn(self) -> float | None:
        """Do what can be done now; seconds until there may be more, None until something happens."""

    @abstractmethod
    async def _write_down(self) -> None:
        """All that came back."""

    @abstractmethod
    async def _hold(self, uow: UnitOfWork, now: datetime, *, held: bool, changed: bool) -> None:
        """The duty is ours for a term, or is not; ``changed``: unlike before."""

    async def _has_duty(self, now: datetime) -> bool:
        if self._duty_until is not None and now < self._duty_until - TERM / 2:
            return True
        had = self._duty_until is not None
        async with self._store.unit_of_work() as uow:
            held = await uow.duties.hold(self._duty, self._holder, now=now, until=now + TERM)
            await self._hold(uow, now, held=held, changed=held != had)
        self._duty_until = now + TERM if held else None
        if held != had:
            log.info("a duty is done here" if held else "a duty is done by another process", duty=self._duty)
        return held

    def _startable(self, now: datetime) -> list[str]:
        """Streams that are due: so many as there is room for, the failing ones in part of it."""
        room = self._at_once - len(self._under_way)
        retries = self._retries_at_once - sum(one in self._failing for one in self._under_way)
        found: list[str] = []
        for one, at in self._due.items():
            if len(found) >= min(room, self._looked_at_together):
                break
            if at > now or one in self._under_way or self._is_held_back(one):
                continue
            if one in self._failing:
                if retries <= 0:
                    continue
                retries -= 1
            found.append(one)
        return found

    def _is_held_back(self, stream: str) -> bool:
        """Whether it must not be looked at yet, though it is due."""
        del stream
        return False

    def _wait_s(self, now: datetime) -> float:
        """Until the next is due, or the duty must be renewed. For who finds no room, the end of an exchange pokes."""
        moments = [at for one, at in self._due.items() if at > now and one not in self._under_way]
        if self._duty_until is not None:
            moments.append(self._duty_until - TERM / 2)
        return max(0.0, (min(moments, default=now) - now).total_seconds())
