"""Drains an outbox of notifications to webhooks: one ordered stream per subscription, many side by side.

What waits for whom, and how it is said, is the outbox's (OpenADR 3, IEEE 2030.5), and the store has it;
what is held here is which streams to look at, and when, and it is lost without loss. One process does it
for all that share the store (a duty, held for a term). What was carried is written down afterwards, so a
process that dies in between carries it again: at least once, never not at all.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Generic, Protocol

import structlog

from openadr_core.errors import AccessError, ExchangeFailed
from openadr_core.exchange import Response
from openadr_core.oadr2.http_rules import retry_after_s
from openadr_vtn.adapters.drain import TERM, Drain
from openadr_vtn.application.ports import Notice, Store, UnitOfWork, Witness
from openadr_vtn.application.sending import Carried, Outbox, P, P_contra, Stream
from openadr_vtn.domain.notification import (
    Attempt,
    Notification,
    NotificationState,
    RetryRules,
    attempted,
    stream_after,
)

LOOKED_AT_TOGETHER = 200
PARCELS_EACH = 16
"""Of one subscription, carried one after the other; so many may be carried twice if the process dies."""
WRITTEN_EVERY_S = 0.03
"""What comes back meanwhile is written down together: a commit for each would cost more than the exchange."""
NOT_TO_BE_SEEN = "its client may not see this any more"


class Carrier(Protocol[P_contra]):
    async def carry(self, parcel: P_contra, at: datetime) -> Response:
        """The receiver's answer; ExchangeFailed or AccessError says why there is none."""


log = structlog.get_logger(__name__)


class WebhookSender(Drain, Generic[P]):
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
        super().__init__(
            store=store,
            now=now,
            duty=outbox.duty,
            holder=holder,
            at_once=at_once,
            retries_at_once=max(1, at_once // 2),
            looked_at_together=LOOKED_AT_TOGETHER,
            gathers_s=WRITTEN_EVERY_S,
        )
        self._outbox = outbox
        self._carrier = carrier
        self._rules = rules
        self._witness = witness
        self._dice = dice
        self._carried: list[Carried[P]] = []
        self._unwritten: set[str] = set()
        """Streams of which something was carried that the store does not know yet: read now, it would go out twice."""
        store.subscribe(lambda _whom: self._poked.set())

    async def turn(self) -> float:
        await self._write_down()
        if not await self._has_duty(self._now()):
            return TERM.total_seconds()
        for subscription_id in await self._outbox.spread(self._now()):
            self._due.setdefault(subscription_id, self._now())
        while startable := self._startable(self._now()):
            await self._look(startable)
        return 0.0 if self._carried else self._wait_s(self._now())

    async def _hold(self, uow: UnitOfWork, now: datetime, *, held: bool, changed: bool) -> None:
        """Also what an operator had sent again, or another process left, is found here."""
        del changed
        waiting = await self._outbox.waiting(uow) if held else {}
        self._due = {one: retry_at or now for one, retry_at in waiting.items()}

    def _is_held_back(self, stream: str) -> bool:
        return stream in self._unwritten

    # -- what is started ---------------------------------------------------------------

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
            status=answer.status, reason=f"HTTP {answer.status}", at=self._now(), wait_s=retry_after_s(answer)
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
