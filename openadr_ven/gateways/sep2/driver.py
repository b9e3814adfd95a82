"""Devices of IEEE 2030.5 as a driver of the edge: an order is a DERControl, what came of it is in their Responses.

A control ends by itself, at its device's, so nobody is held without an end. A device does what it was told when it
says so (Response 2, started): until then its order has no outcome, and one that says nothing in time is let go again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from openadr_core.shell.waking import woken
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import DriverTraits, Hear, Order, Outcome
from openadr_ven.gateways.sep2.words import DOES, OPTS_OUT, OVER, REASONS, Facts, asked_of, reading_of

LOST_AFTER = 3.0
"""Poll or post rates, whichever is longer, in which a device may be silent."""
LOOKS_EVERY_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one device is to do from now on, until then, in place of what it was told before."""

    lfdi: str
    members: Mapping[str, Any]
    """Of DERControlBase; none: it is let go."""
    until: datetime


Heard = Callable[[str, bool], None]
"""An LFDI that was heard, and whether it told something."""


class Server(Protocol):
    """The embedded server; ``embedded.EmbeddedServer`` is it."""

    def serving(self, heard: Heard) -> AbstractAsyncContextManager[str]:
        """While it serves; where."""

    async def tell(self, wishes: Sequence[Wish]) -> Mapping[str, tuple[str, ...] | None]:
        """By LFDI the mRIDs of the controls that are to be answered; None for what the standard cannot say.

        Of a device that is told something the one that tells it; of one that is let go those that have not ended.
        """

    async def answers(self, mrids: Collection[str]) -> Mapping[str, frozenset[int]]:
        """Response statuses to these controls."""

    async def facts(self, lfdi: str) -> Facts: ...


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """An order that a device is still to answer."""

    order: Order
    mrids: tuple[str, ...]


class Sep2Devices:
    """A driver of the edge for devices that come to us; ``devices`` are LFDIs by the fleet's names."""

    def __init__(
        self,
        devices: Mapping[str, str],
        server: Server,
        *,
        poll_rate_s: float,
        post_rate_s: float,
        answer_wait_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self.traits = DriverTraits(
            lets_go=True, pace_s=poll_rate_s, retry_s=poll_rate_s, reading_lasts_s=LOST_AFTER * post_rate_s
        )
        self._lfdi_of = dict(devices)
        self._name_of = {lfdi: name for name, lfdi in devices.items()}
        self._server = server
        self._lost_after = timedelta(seconds=LOST_AFTER * max(poll_rate_s, post_rate_s))
        self._answer_wait_s = answer_wait_s
        self._now = now
        self._facts: dict[str, Facts] = {}
        self._heard_at: dict[str, datetime] = {}
        self._news: set[str] = set()
        """LFDIs that have told something which was not read yet."""
        self._out_until: dict[str, datetime] = {}
        """Devices that have opted out, by LFDI."""
        self._listeners: set[asyncio.Event] = set()

    async def run(self, hear: Hear) -> None:
        async with self._server.serving(self._heard) as url:
            log.info("devices may connect", url=url, devices=len(self._lfdi_of))
            self._news.update(self._name_of)  # what they had told before we were started
            with self._listening() as news:
                while True:
                    news.clear()
                    await self._look(hear)
                    self._find_lost(hear)
                    await woken(news, LOOKS_EVERY_S)

    async def tell(self, orders: Sequence[Order]) -> AsyncIterator[Outcome]:
        wishes: dict[str, tuple[Order, Wish]] = {}
        for order in orders:
            lfdi = self._lfdi_of.get(order.device_id, "")
            is_release = order.mode is Mode.RELEASE and lfdi
            asked = {} if is_release else asked_of(order, self._facts.get(lfdi, Facts()))
            if isinstance(asked, Reason):
                yield Outcome(order=order, reason=asked)
            else:
                wishes[lfdi] = order, Wish(lfdi=lfdi, members=asked, until=order.until)
        waiting: dict[str, _Waiting] = {}
        with self._listening() as news:
            told = await self._server.tell([wish for _, wish in wishes.values()])
            for lfdi, mrids in told.items():
                order, _ = wishes[lfdi]
                if mrids is None:
                    yield Outcome(order=order, reason=Reason.OUT_OF_RANGE)
                else:
                    waiting[lfdi] = _Waiting(order=order, mrids=mrids)
            async for outcome in self._awaited(waiting, news):
                yield outcome
        # Nothing was heard: it must not begin when nobody counts on it any more.
        await self._let_go(lfdi for lfdi, one in waiting.items() if one.order.mode is not Mode.RELEASE)
        for one in waiting.values():
            yield Outcome(order=one.order, reason=Reason.UNREACHABLE)

    async def _awaited(self, waiting: dict[str, _Waiting], news: asyncio.Event) -> AsyncIterator[Outcome]:
        """Outcomes as they become known; what is left in ``waiting`` has none."""
        ends_at = asyncio.get_running_loop().time() + self._answer_wait_s
        while waiting:
            news.clear()
            said = await self._server.answers([mrid for one in waiting.values() for mrid in one.mrids])
            for lfdi, one in list(waiting.items()):
                if (outcome := _outcome(one, said)) is not None:
                    del waiting[lfdi]
                    if outcome.opted_out:
                        await self._opt_out(lfdi, one.order.until)
                    yield outcome
            left_s = ends_at - asyncio.get_running_loop().time()
            if waiting and left_s <= 0.0:
                return
            if waiting:
                await woken(news, left_s)

    async def _opt_out(self, lfdi: str, until: datetime) -> None:
        """Interpretation: it is its owner's until what it was told would have ended."""
        self._out_until[lfdi] = until
        self._news.add(lfdi)
        await self._let_go([lfdi])

    async def _let_go(self, lfdis: Iterable[str]) -> None:
        await self._server.tell([Wish(lfdi=lfdi, members={}, until=self._now()) for lfdi in lfdis])

    # -- what is heard -----------------------------------------------------------------

    def _heard(self, lfdi: str, told: bool) -> None:
        if lfdi not in self._name_of:
            return
        self._heard_at[lfdi] = self._now()
        if told:
            self._news.add(lfdi)
            for listener in self._listeners:
                listener.set()

    async def _look(self, hear: Hear) -> None:
        news, self._news = self._news, set()
        now = self._now()
        for lfdi in news:
            self._facts[lfdi] = await self._server.facts(lfdi)
        over = {lfdi for lfdi, until in self._out_until.items() if until <= now}
        for lfdi in over:
            del self._out_until[lfdi]
        for lfdi in news | over:
            reading = reading_of(
                self._name_of[lfdi], self._facts[lfdi], opted_out=lfdi in self._out_until, now=self._now()
            )
            if reading is not None and reading.at > now - self._lost_after:
                self._heard_at.setdefault(lfdi, reading.at)
                hear([reading])

    def _find_lost(self, hear: Hear) -> None:
        now = self._now()
        for lfdi in [one for one, at in self._heard_at.items() if at <= now - self._lost_after]:
            del self._heard_at[lfdi]
            facts = self._facts.get(lfdi, Facts())
            last = reading_of(self._name_of[lfdi], facts, opted_out=lfdi in self._out_until, now=now)
            if last is not None:
                log.warning("device lost", device=self._name_of[lfdi])
                hear([replace(last, at=now, online=False)])

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._listeners.add(news)
        try:
            yield news
        finally:
            self._listeners.remove(news)


def _outcome(waiting: _Waiting, said: Mapping[str, frozenset[int]]) -> Outcome | None:
    """None while nothing is known."""
    order, statuses = waiting.order, [said.get(mrid, frozenset()) for mrid in waiting.mrids]
    if order.mode is Mode.RELEASE:
        return Outcome(order=order) if all(one & OVER for one in statuses) else None
    (mine,) = statuses
    if mine & OPTS_OUT:
        return Outcome(order=order, opted_out=True)
    if mine & DOES:
        return Outcome(order=order)
    refused = sorted(mine & REASONS.keys())
    return Outcome(order=order, reason=REASONS[refused[0]]) if refused else None
