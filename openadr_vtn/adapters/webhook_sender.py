"""Drains an outbox of notifications to webhooks: one ordered stream per subscription, many side by side.

What waits for whom, and how it is said, is the outbox's (OpenADR 3, IEEE 2030.5), and the store has it;
what is held here is which streams to look at, and when, and it is lost without loss. One process does it
for all that share the store (a duty, held for a term). What was carried is written down afterwards, so a
process that dies in between carries it again: at least once, never not at all.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Generic, Protocol

import structlog

from openadr_core.errors import AccessError, ExchangeFailed, StoreError
from openadr_core.exchange import Response
from openadr_core.limits import RETRY_AFTER_MAX_S
from openadr_core.shell.waking import woken
from openadr_vtn.application.ports import Notice, Store, Witness
from openadr_vtn.application.sending import Carried, Outbox, P, P_contra, Stream
from openadr_vtn.domain.notification import (
    Attempt,
    Notification,
    NotificationState,
    RetryRules,
    attempted,
    stream_after,
)

TERM = timedelta(seconds=15)
"""How long after a process has died another one takes over."""
LOOKED_AT_TOGETHER = 200
PARCELS_EACH = 16
"""Of one subscription, carried one after the other; so many may be carried twice if the process dies."""
WRITTEN_EVERY_S = 0.03
"""What comes back meanwhile is written down together: a commit for each would cost more than the exchange."""
STORE_RETRY_S = 1.0
NOT_TO_BE_SEEN = "its client may not see this any more"


class Carrier(Protocol[P_contra]):
    async def carry(self, parcel: P_contra, at: datetime) -> Response:
        """The receiver's answer; ExchangeFailed or AccessError says why there is none."""


log = structlog.get_logger(__name__)


class WebhookSender(Generic[P]):
    def __init__(
        self,
        *,
        store: Store,
        outbox: Outbox[P],
        carrier: Carrier[P],
        rules: RetryRules,
        now: Callable[[], datetime],
        holder: str,
        witness: Witness,
        dice: random.Random,
        at_once: int,
    ) -> None:
        """``holder`` names this process among those that share the store; at most half of ``at_once`` are retries."""
        self._store = store
        self._outbox = outbox
        self._carrier = carrier
        self._rules = rules
        self._now = now
        self._holder = holder
        self._witness = witness
        self._dice = dice
        self._at_once = at_once
        self._poked = asyncio.Event()
        self._due: dict[str, datetime] = {}
        """Subscriptions for which something may wait, and when to look."""
        self._failing: set[str] = set()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._carried: list[Carried[P]] = []
        self._unwritten: set[str] = set()
        """Streams of which something was carried that the store does not know yet: read now, it would go out twice."""
        self._duty_until: datetime | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        store.subscribe(lambda _whom: self._poked.set())

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    def poke(self) -> None:
        """Something may have happened that the store does not tell of."""
        self._poked.set()

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name=f"vtn-{self._outbox.duty}")

    async def close(self) -> None:
        """What is under way is let go, and will be carried again; what came back is written down."""
        self._stopping = True
        self._poked.set()
        if self._running is not None:
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
                log.warning("notifying waits for the store", kind=type(error).__name__, detail=str(error))
                wait_s = STORE_RETRY_S
            except Exception:
                # An error of ours must not silence us for good: what waits is read anew.
                log.exception("a turn of notifying failed")
                wait_s = STORE_RETRY_S
            if not self._stopping:
                await woken(self._poked, wait_s)
                if self._under_way:
                    await asyncio.sleep(WRITTEN_EVERY_S)

    async def turn(self) -> float:
        """Do what can be done now; seconds until there may be more."""
        await self._write_down()
        if not await self._has_duty(self._now()):
            return TERM.total_seconds()
        for subscription_id in await self._outbox.spread(self._now()):
            self._due.setdefault(subscription_id, self._now())
        while startable := self._startable(self._now()):
            await self._look(startable)
        return self._wait_s(self._now())

    async def _has_duty(self, now: datetime) -> bool:
        """Whether it is for this process to notify: for one of those that share the store, at a time."""
        if self._duty_until is not None and now < self._duty_until - TERM / 2:
            return True
        had = self._duty_until is not None
        async with self._store.unit_of_work() as uow:
            held = await uow.duties.hold(self._outbox.duty, self._holder, now=now, until=now + TERM)
            waiting = await self._outbox.waiting(uow) if held else {}
        self._duty_until = now + TERM if held else None
        if held != had:
            log.info(
                "notifying is done here" if held else "notifying is done by another process", duty=self._outbox.duty
            )
        # Also what an operator had sent again, or another process left, is found here.
        self._due = {one: retry_at or now for one, retry_at in waiting.items()}
        return held

    # -- what is started ---------------------------------------------------------------

    def _startable(self, now: datetime) -> list[str]:
        """Streams that are due: so many as there is room for, the failing ones in half of it."""
        room = self._at_once - len(self._under_way)
        retries = max(1, self._at_once // 2) - sum(one in self._failing for one in self._under_way)
        found: list[str] = []
        for subscription_id, at in self._due.items():
            if len(found) >= min(room, LOOKED_AT_TOGETHER):
                break
            if at > now or subscription_id in self._under_way or subscription_id in self._unwritten:
                continue
            if subscription_id in self._failing:
                if retries <= 0:
                    continue
                retries -= 1
            found.append(subscription_id)
        return found

    async def _look(self, subscription_ids: Sequence[str]) -> None:
        now = self._now()
        streams = await self._outbox.streams(subscription_ids, now, each=PARCELS_EACH)
        for subscription_id in subscription_ids:
            del self._due[subscription_id]
        for stream in streams:
            retry_at = None if stream.state is None else stream.state.retry_at
            if retry_at is not None and retry_at > now:
                self._due[stream.subscription_id] = retry_at
            else:
                task = asyncio.create_task(self._carry(stream), name=f"notify-{stream.subscription_id}")
                self._under_way[stream.subscription_id] = task

    async def _carry(self, stream: Stream[P]) -> None:
        """One after the other, as long as they are taken."""
        notifications: list[Notification] = []
        taken: list[P] = []
        state = stream.state
        try:
            for parcel in stream.parcels:
                attempt = await self._attempt(parcel)
                notifications.append(attempted(parcel.notification, attempt, self._rules))
                if attempt.is_taken:
                    taken.append(parcel)
                state = stream_after(state, parcel.notification, attempt, self._rules, self._dice)
                if state.failures:
                    break
        finally:
            del self._under_way[stream.subscription_id]
            if state is not None and notifications:
                self._carried.append(Carried(notifications=tuple(notifications), state=state, taken=tuple(taken)))
                self._unwritten.add(stream.subscription_id)
            self._poked.set()

    async def _attempt(self, parcel: P) -> Attempt:
        if not parcel.body:
            return Attempt(status=HTTPStatus.GONE, reason=NOT_TO_BE_SEEN, at=self._now())
        try:
            answer = await self._carrier.carry(parcel, self._now())
        except (ExchangeFailed, AccessError) as error:
            return Attempt(status=None, reason=str(error), at=self._now())
        except Exception as error:
            # Whatever it is, it is about one stream: the others must go on.
            log.exception("a notification failed", subscription_id=parcel.notification.subscription_id)
            return Attempt(status=None, reason=f"an error of ours: {type(error).__name__}", at=self._now())
        return Attempt(
            status=answer.status, reason=f"HTTP {answer.status}", at=self._now(), wait_s=_asked_wait_s(answer)
        )

    # -- what is written down ----------------------------------------------------------

    async def _write_down(self) -> None:
        together = self._carried.copy()
        if not together:
            return
        await self._outbox.save(together, self._now())
        del self._carried[: len(together)]
        for state in (carried.state for carried in together):
            self._unwritten.discard(state.subscription_id)
            self._due[state.subscription_id] = state.retry_at or self._now()
            (self._failing.add if state.failures else self._failing.discard)(state.subscription_id)
        for one in (one for carried in together for one in carried.notifications):
            kind = "notification failed" if one.state is NotificationState.WAITING else f"notification {one.state}"
            detail = "" if one.state is NotificationState.DELIVERED else f"{one.subscription_id}: {one.outcome}"
            self._witness(Notice(kind=kind, detail=detail))

    def _wait_s(self, now: datetime) -> float:
        """Until the next is due. For who is due and finds no room, the end of an exchange pokes."""
        if self._carried:
            return 0.0
        later = [at for one, at in self._due.items() if at > now and one not in self._under_way]
        duty = now if self._duty_until is None else self._duty_until - TERM / 2
        return max(0.0, (min([*later, duty]) - now).total_seconds())


def _asked_wait_s(answer: Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), RETRY_AFTER_MAX_S) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0
