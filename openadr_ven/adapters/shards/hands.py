"""The agent's gateways and ledger where shards carry: parcel by parcel through the engine, and by itself for the rest.

    der.alive.<fleet>.<parcel>   a shard says that it has the parcel, twice a second
    der.carry.<fleet>.<parcel>   the agent asks it to write frames down and hand them to its gateways
    der.heard.<fleet>.<parcel>   it tells the agent what its gateways said, until the agent has stored it

A parcel of which nobody has said for a while that he has it is the agent's own: it takes the session at the broker
over, and with it what nobody was told, and sends itself. So it does, once, with frames that nobody confirms. Gateways
know a frame by its id, and the ledger a file by its name, so that what two have done is done once.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from openadr_core.errors import MalformedMessage, RemoteProtocolError
from openadr_ven.adapters.command_ledger import CommandLedger
from openadr_ven.adapters.shards.sessions import Session, Voice
from openadr_ven.application.ports import Page
from openadr_ven.dispatch.bulletin import Bulletin
from openadr_ven.domain.held import Round
from openadr_ven.domain.outcome import DeviceOutcomes
from openadr_ven.domain.shard_stand import ShardStand
from openadr_ven.fleet.columns import Fleet, Floats
from openadr_ven.fleet.parcels import Parcel
from openadr_ven.fleet.wire import Said, bundle, decode, encode, pieces_of
from openadr_ven.gateways.codec import decode as decode_frame
from openadr_ven.gateways.codec import encode as encode_frame
from openadr_ven.gateways.contract import CommandFrame, Report, SupportFrame

SILENT_S = 1.5
"""A shard that has said nothing for so long is gone. Less than a device may say nothing before it counts as silent."""
LOOK_S = 0.25

log = structlog.get_logger(__name__)


class Line(Protocol):
    """The agent's connection to the engine."""

    async def request(self, parcel: int, data: bytes) -> bytes | None:
        """The answer of whoever carries a parcel; None if there is none."""

    async def listen(
        self, alive: Callable[[int, bytes], None], heard: Callable[[int, bytes, "Reply"], None]
    ) -> None:  # fmt: skip
        """Connect, and tell of what comes; returns once it is connected, if it ever is."""

    async def close(self) -> None: ...


Reply = Callable[[bytes], None]


@dataclass(slots=True, kw_only=True)
class _Held:
    """A parcel as the agent sees it."""

    parcel: Parcel
    own: Session
    """For when nobody has it."""
    alive_s: float
    shard: tuple[int, int] | None = None
    """Who had it last: which one, of how many."""
    since: datetime | None = None
    sequence: int = 0
    lag_s: float | None = None
    standing_in: asyncio.Task[None] | None = None


class Hands:
    """A ``ports.Gateways`` and a ``ports.Ledger``."""

    def __init__(
        self,
        fleet: Fleet,
        parcels: Sequence[tuple[Parcel, Session]],
        line: Line,
        ledger: CommandLedger,
        voice: Voice,
        *,
        fleet_sha256: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``voice`` is for what is no parcel's: a price, and grid support."""
        self._monotonic = monotonic
        self._held = [_Held(parcel=parcel, own=own, alive_s=monotonic()) for parcel, own in parcels]
        self._of_gateway = {name: one.parcel.number for one in self._held for name in one.parcel.gateways}
        self._line = line
        self._ledger = ledger
        self._voice = voice
        self._fleet_sha256 = fleet_sha256
        self._relief: tuple[int, Floats] = (0, np.zeros(fleet.size))
        """A round's sequence, and the relief of each row."""
        self._reports: asyncio.Queue[tuple[Report, Callable[[], None] | None]] = asyncio.Queue()
        self._received = 0
        self._unsettled: deque[tuple[int, Callable[[], None]]] = deque()
        self._asked = 0
        self.changes: list[tuple[str, bool]] = []
        """Who fell silent, or is back (true); whoever tells somebody clears it."""

    def stands(self) -> list[ShardStand]:
        """By shard, those that nobody has spoken for last."""
        by_shard: dict[tuple[int, int] | None, list[_Held]] = {}
        for held in self._held:
            by_shard.setdefault(held.shard, []).append(held)
        return [
            ShardStand(
                number=None if shard is None else shard[0],
                of=None if shard is None else shard[1],
                parcels=tuple(one.parcel.number for one in mine),
                gateways=tuple(one.parcel.codes for one in mine),
                rows=sum(one.parcel.rows for one in mine),
                since=mine[0].since,
                silent_s=max(self._monotonic() - one.alive_s for one in mine),
                is_alive=all(self.is_alive(one.parcel.number) for one in mine),
                sequence=max(one.sequence for one in mine),
                lag_s=max((one.lag_s for one in mine if one.lag_s is not None), default=None),
            )
            for shard, mine in sorted(by_shard.items(), key=lambda item: item[0] or (math.inf, 0))
        ]

    # -- ledger ------------------------------------------------------------------------

    def commanded(self, made: Round, relief_w: Floats) -> Page:
        """What whoever sends it will write down before."""
        return _Noted(self, made.sequence, relief_w)

    def note(self, sequence: int, relief_w: Floats) -> None:
        """The round that is sent next."""
        self._relief = (sequence, relief_w)

    def came_to(self, outcomes: DeviceOutcomes) -> None:
        self._ledger.came_to(outcomes)

    # -- out ---------------------------------------------------------------------------

    async def send(self, frames: Sequence[CommandFrame | SupportFrame]) -> None:
        """Unreachable unless brokers have taken every one of them; sending the same again is harmless.

        Grid support is no row of the ledger, and goes the agent's own way.
        """
        by_parcel: dict[tuple[int, int], list[CommandFrame]] = {}
        beside: list[SupportFrame] = []
        for frame in frames:
            if isinstance(frame, SupportFrame):
                beside.append(frame)
            else:
                by_parcel.setdefault((self._of_gateway[frame.gateway], frame.sequence), []).append(frame)
        if beside:
            await self._voice.hand_over(beside)
        done = await asyncio.gather(
            *(self._carry(self._held[number], some) for (number, _), some in by_parcel.items()), return_exceptions=True
        )
        for failed in filter(None, done):
            raise failed

    async def announce(self, bulletins: Iterable[Bulletin]) -> None:
        await self._voice.announce(bulletins)

    async def _carry(self, held: _Held, frames: list[CommandFrame]) -> None:
        sequence, by_row = self._relief
        if sequence != frames[0].sequence:
            # Releases of an earlier round that nobody has confirmed: the ledger has them, and so have gateways, mostly.
            await held.own.hand_over(frames)
            return
        rows = np.concatenate([self._ledger.rows(one.gateway, one.rows["slot"]) for one in frames])
        relief_w = by_row[rows].astype(np.float32)
        asked_s = self._monotonic()
        if self.is_alive(held.parcel.number) and await self._asked_to_carry(held.parcel, frames, relief_w):
            held.sequence, held.lag_s = sequence, self._monotonic() - asked_s
            return
        log.info("commands sent by the agent itself", parcel=held.parcel.number, sequence=sequence)
        await asyncio.to_thread(self._ledger.carried, held.parcel.number, frames, relief_w)
        await held.own.hand_over(frames)

    async def _asked_to_carry(
        self, parcel: Parcel, frames: Sequence[CommandFrame], relief_w: NDArray[np.float32]
    ) -> bool:  # fmt: skip
        self._asked += 1
        about = {"id": self._asked, "parcel": parcel.number, "fleet": self._fleet_sha256}
        data = bundle(about, [encode_frame(one) for one in frames], relief_w=relief_w)
        answer = await self._line.request(parcel.number, data)
        try:
            said = None if answer is None else decode(answer)
        except RemoteProtocolError:
            said = None
        want = {"id": about["id"], "parcel": parcel.number, "sent": len(frames)}
        if said is not None and want.items() <= said.values.items():
            return True
        log.warning("not carried", parcel=parcel.number, said=None if said is None else str(said.values)[:200])
        return False

    # -- in ----------------------------------------------------------------------------

    async def receive(self) -> AsyncGenerator[Report, None]:
        """Reports as they come, for ever, from shards and from sessions that the agent has taken over."""
        async with AsyncExitStack() as parts:
            looking = asyncio.create_task(self._look())
            parts.push_async_callback(self._leave, looking)
            while True:
                report, settle = await self._reports.get()
                self._received += 1
                if settle is not None:
                    self._unsettled.append((self._received, settle))
                yield report

    def mark(self) -> int:
        return self._received

    def settle(self, mark: int) -> None:
        while self._unsettled and self._unsettled[0][0] <= mark:
            self._unsettled.popleft()[1]()

    def is_alive(self, parcel: int) -> bool:
        """Whether somebody has said lately that he has it."""
        held = self._held[parcel]
        return held.standing_in is None and self._monotonic() - held.alive_s < SILENT_S

    async def _leave(self, looking: asyncio.Task[None]) -> None:
        tasks = [looking, *(one.standing_in for one in self._held if one.standing_in is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._line.close()

    async def _look(self) -> None:
        """For ever: stand in for whoever is gone, and make room for whoever is back."""
        connecting = asyncio.create_task(self._line.listen(self._alive, self._heard))
        try:
            while True:
                fell = [one for one in self._held if one.standing_in is None and self._is_silent(one)]
                back = [one for one in self._held if one.standing_in is not None and not self._is_silent(one)]
                for held in fell:
                    held.standing_in = asyncio.create_task(self._stand_in(held.own))
                for held in back:
                    if held.standing_in is not None:
                        held.standing_in.cancel()
                    held.standing_in = None
                self.changes += [(text, False) for text in _named(fell, "silent: the agent does its part")]
                self.changes += [(text, True) for text in _named(back, "does its part again")]
                await asyncio.sleep(LOOK_S)
        finally:
            connecting.cancel()

    def _is_silent(self, held: _Held) -> bool:
        return self._monotonic() - held.alive_s >= SILENT_S

    async def _stand_in(self, own: Session) -> None:
        async for report in own.receive():
            self._reports.put_nowait((report, _settling(own, own.mark())))

    def _alive(self, parcel: int, data: bytes) -> None:
        try:
            said = decode(data)
        except RemoteProtocolError:
            return
        values = said.values
        number, of, since = (values.get(name) for name in ("number", "of", "since"))
        if not 0 <= parcel < len(self._held) or values.get("fleet") != self._fleet_sha256:
            return
        held = self._held[parcel]
        held.alive_s = self._monotonic()
        if isinstance(number, int) and isinstance(of, int) and isinstance(since, int | float):
            with suppress(ValueError, OverflowError, OSError):
                held.shard, held.since = (number, of), datetime.fromtimestamp(since, UTC)

    def _heard(self, parcel: int, data: bytes, reply: Reply) -> None:
        """Reports of one parcel's gateways, and nobody else's: whoever speaks for others is not heard."""
        try:
            said = decode(data)
            if not 0 <= parcel < len(self._held) or said.values.get("fleet") != self._fleet_sha256:
                raise MalformedMessage("of another fleet")
            if said.values.get("parcel") != parcel:
                raise MalformedMessage(f"about parcel {said.values.get('parcel')!r}")
            reports = [self._report(parcel, piece) for piece in pieces_of(said)]
        except RemoteProtocolError as problem:
            log.warning("shard not heard", parcel=parcel, error=str(problem))
            return
        answer = encode(Said(values={"id": said.values.get("id")}))
        for report in reports[:-1]:
            self._reports.put_nowait((report, None))
        for report in reports[-1:]:
            self._reports.put_nowait((report, lambda: reply(answer)))

    def _report(self, parcel: int, piece: bytes) -> Report:
        frame = decode_frame(piece)
        if isinstance(frame, CommandFrame | SupportFrame) or self._of_gateway.get(frame.gateway) != parcel:
            raise MalformedMessage("not what a gateway of this parcel says")
        return frame


@dataclass(frozen=True, slots=True, eq=False)
class _Noted:
    """A ``ports.Page`` that whoever carries it writes."""

    hands: Hands
    sequence: int
    relief_w: Floats

    def keep(self) -> None:
        self.hands.note(self.sequence, self.relief_w)

    def drop(self) -> None:
        """Nobody hears of it."""


def _named(some: Sequence[_Held], what: str) -> list[str]:
    """A sentence about each shard that these parcels are of."""
    parcels: dict[tuple[int, int] | None, list[int]] = {}
    for one in some:
        parcels.setdefault(one.shard, []).append(one.parcel.number)
    return [
        f"{'nobody' if shard is None else f'shard {shard[0]} of {shard[1]}'}, parcels "
        f"{', '.join(map(str, numbers))}: {what}"
        for shard, numbers in parcels.items()
    ]


def _settling(own: Session, mark: int) -> Callable[[], None]:
    return lambda: own.settle(mark)
