"""Devices of IEEE 2030.5 as a driver of the edge: an order is a DERControl, what came of it is in their Responses.

A control ends by itself, at its device's, so nobody is held without an end. A device does what it was told when it
says so (Response 2, started): until then its order has no outcome, and one that says nothing in time is let go again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from openadr_core.model.grid_support import GridFunction, GridSupport
from openadr_core.shell.waking import woken
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import Reason
from openadr_ven.gateways.edge.driver import Adjusted, Adjustment, DriverTraits, Hear, Order, Outcome
from openadr_ven.gateways.sep2.words import DOES, OPTS_OUT, OVER, REASONS, Facts, asked_of, reading_of

LOST_AFTER = 3.0
"""Poll or post rates, whichever is longer, in which a device may be silent."""
LOOKS_EVERY_S = 1.0

log = structlog.get_logger(__name__)


Key = tuple[str, GridFunction | None]
"""An LFDI, and what of the device is meant: one of its functions, or (None) its power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one device is to do from now on, until then, in place of what it was told of that before."""

    lfdi: str
    members: Mapping[str, Any] = field(default_factory=dict)
    """Of DERControlBase, where its power is meant; none: it is let go."""
    function: GridFunction | None = None
    """What is meant besides its power …"""
    support: GridSupport | None = None
    """… and how it is to be set; None: it is let go."""
    until: datetime

    @property
    def key(self) -> Key:
        return self.lfdi, self.function

    @property
    def is_release(self) -> bool:
        return not self.members and self.support is None


Heard = Callable[[str, bool], None]
"""An LFDI that was heard, and whether it told something."""


class Server(Protocol):
    """The embedded server; ``embedded.EmbeddedServer`` is it."""

    def serving(self, heard: Heard) -> AbstractAsyncContextManager[str]:
        """While it serves; where."""

    async def tell(self, wishes: Sequence[Wish]) -> Mapping[Key, tuple[str, ...] | None]:
        """By wish the mRIDs of the controls that are to be answered; None for what the standard cannot say.

        Of a device that is told something the one that tells it; of one that is let go those that have not ended.
        """

    async def answers(self, mrids: Collection[str]) -> Mapping[str, frozenset[int]]:
        """Response statuses to these controls."""

    async def facts(self, lfdi: str) -> Facts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """What a device is still to answer."""

    wish: Wish
    mrids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    reason: Reason = Reason.NONE
    opted_out: bool = False


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
        told: dict[Key, Order] = {}
        wishes: list[Wish] = []
        for order in orders:
            lfdi = self._lfdi_of.get(order.device_id, "")
            is_release = order.mode is Mode.RELEASE and lfdi
            asked = {} if is_release else asked_of(order, self._facts.get(lfdi, Facts()))
            if isinstance(asked, Reason):
                yield Outcome(order=order, reason=asked)
            else:
                wishes.append(Wish(lfdi=lfdi, members=asked, until=order.until))
                told[wishes[-1].key] = order
        async for wish, verdict in self._carried_out(wishes):
            if verdict.opted_out:
                await self._opt_out(wish.lfdi, wish.until)
            yield Outcome(order=told[wish.key], reason=verdict.reason, opted_out=verdict.opted_out)

    async def adjust(self, adjustments: Sequence[Adjustment]) -> AsyncIterator[Adjusted]:
        """Each function is a control of its own, so that a newer one takes the place of what it means, and of no other.

        Interpretation: whoever opts out of one does not do it, whoever it is that wants so.
        """
        told: dict[Key, Adjustment] = {}
        wishes: list[Wish] = []
        for one in adjustments:
            lfdi = self._lfdi_of.get(one.device_id, "")
            if not lfdi:
                yield Adjusted(adjustment=one, reason=Reason.UNREACHABLE)
                continue
            wishes.append(Wish(lfdi=lfdi, function=one.function, support=one.support, until=one.until))
            told[wishes[-1].key] = one
        async for wish, verdict in self._carried_out(wishes):
            reason = Reason.UNSUPPORTED_MODE if verdict.opted_out else verdict.reason
            yield Adjusted(adjustment=told[wish.key], reason=reason)

    async def _carried_out(self, wishes: Sequence[Wish]) -> AsyncIterator[tuple[Wish, _Verdict]]:
        """What became of each, as it becomes known."""
        by_key = {wish.key: wish for wish in wishes}
        waiting: dict[Key, _Waiting] = {}
        with self._listening() as news:
            for key, mrids in (await self._server.tell(wishes)).items():
                if mrids is None:
                    yield by_key[key], _Verdict(reason=Reason.OUT_OF_RANGE)
                else:
                    waiting[key] = _Waiting(wish=by_key[key], mrids=mrids)
            async for answered in self._awaited(waiting, news):
                yield answered
        # Nothing was heard: it must not begin when nobody counts on it any more.
        await self._let_go(one.wish for one in waiting.values() if not one.wish.is_release)
        for one in waiting.values():
            yield one.wish, _Verdict(reason=Reason.UNREACHABLE)

    async def _awaited(self, waiting: dict[Key, _Waiting], news: asyncio.Event) -> AsyncIterator[tuple[Wish, _Verdict]]:
        """Verdicts as they become known; what is left in ``waiting`` has none."""
        ends_at = asyncio.get_running_loop().time() + self._answer_wait_s
        while waiting:
            news.clear()
            said = await self._server.answers([mrid for one in waiting.values() for mrid in one.mrids])
            for key, one in list(waiting.items()):
                if (verdict := _verdict(one, said)) is not None:
                    del waiting[key]
                    yield one.wish, verdict
            left_s = ends_at - asyncio.get_running_loop().time()
            if waiting and left_s <= 0.0:
                return
            if waiting:
                await woken(news, left_s)

    async def _opt_out(self, lfdi: str, until: datetime) -> None:
        """Interpretation: it is its owner's until what it was told would have ended."""
        self._out_until[lfdi] = until
        self._news.add(lfdi)
        await self._let_go([Wish(lfdi=lfdi, until=until)])

    async def _let_go(self, wishes: Iterable[Wish]) -> None:
        now = self._now()
        await self._server.tell([Wish(lfdi=one.lfdi, function=one.function, until=now) for one in wishes])

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


def _verdict(waiting: _Waiting, said: Mapping[str, frozenset[int]]) -> _Verdict | None:
    """None while nothing is known."""
    statuses = [said.get(mrid, frozenset()) for mrid in waiting.mrids]
    if waiting.wish.is_release:
        return _Verdict() if all(one & OVER for one in statuses) else None
    (mine,) = statuses
    if mine & OPTS_OUT:
        return _Verdict(opted_out=True)
    if mine & DOES:
        return _Verdict()
    refused = sorted(mine & REASONS.keys())
    return _Verdict(reason=REASONS[refused[0]]) if refused else None
