"""A parcel in a shard's hands: commands go into its ledger and out to its gateways, what gateways say to the agent.

What the agent asks to carry is written down, handed to the broker, and only then confirmed; what a gateway said stays
with the broker until the agent has stored it. So a shard that dies leaves nothing undone that somebody waits for:
the agent, which has no answer, does the same itself, and the broker tells again whoever takes the session over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import structlog

from openadr_core.errors import MalformedMessage, OpenAdrError, RemoteProtocolError
from openadr_ven.adapters.command_ledger import CommandLedger
from openadr_ven.adapters.shards.sessions import Session
from openadr_ven.fleet.parcels import Parcel
from openadr_ven.fleet.wire import Said, bundle, decode, encode, pieces_of
from openadr_ven.gateways.codec import decode as decode_frame
from openadr_ven.gateways.codec import encode as encode_frame
from openadr_ven.gateways.contract import AckFrame, CommandFrame, Report

GATHER_S = 0.05
"""What gateways say in this time goes to the agent together."""
BATCH_BYTES = 800_000
ON_THE_WAY_MAX = 64
"""Batches that the agent has not stored yet; more wait at the broker."""
AGAIN_S = 0.5

Tell = Callable[[bytes], Awaitable[bytes | None]]
"""To the agent; its answer, None if there is none."""
log = structlog.get_logger(__name__)


class Carrier:
    def __init__(
        self,
        parcel: Parcel,
        gateways: Session,
        ledger: CommandLedger,
        *,
        fleet_sha256: str,
        now: Callable[[], datetime],
    ) -> None:
        """``gateways`` hears those of the parcel, in its own session, and settles when told."""
        self.parcel = parcel
        self._gateways = gateways
        self._ledger = ledger
        self._fleet_sha256 = fleet_sha256
        self._now = now
        self.sequence = 0
        """Of the last round that was carried."""
        self._batched = 0
        """Reports so far."""
        self._on_the_way: set[int] = set()
        """Of each batch that the agent has not stored, how many reports were before it."""

    @property
    def hears(self) -> bool:
        """Whether it has its gateways' session: who has not does not have the parcel, and the agent stands in."""
        return self._gateways.connected

    # -- out ---------------------------------------------------------------------------

    async def carry(self, data: bytes) -> bytes:
        """The answer to a message with frames: ``sent`` once the broker has all of them, or why not."""
        about: dict[str, Any] = {"parcel": self.parcel.number}
        try:
            said = decode(data)
            about["id"] = said.values.get("id")
            frames = self._frames(said)
            relief_w = said.arrays.get("relief_w")
            if (
                relief_w is None
                or relief_w.dtype != np.float32
                or relief_w.size != sum(one.rows.size for one in frames)
            ):
                raise MalformedMessage("other relief than rows")
            await asyncio.to_thread(self._ledger.carried, self.parcel.number, frames, relief_w)
            await self._gateways.hand_over(frames)
            await asyncio.to_thread(self._ledger.sent, self.parcel.number, frames, self._now())
        except (OpenAdrError, LookupError, OSError) as problem:
            log.warning("not carried", parcel=self.parcel.number, error=str(problem))
            return encode(Said(values={**about, "refused": str(problem)[:200]}))
        self.sequence = frames[0].sequence
        return encode(Said(values={**about, "sent": len(frames)}))

    def _frames(self, said: Said) -> list[CommandFrame]:
        """Of one round, for gateways of this parcel; MalformedMessage if not."""
        if said.values.get("fleet") != self._fleet_sha256 or said.values.get("parcel") != self.parcel.number:
            raise MalformedMessage("of another fleet, or another parcel")
        frames: list[CommandFrame] = []
        for piece in pieces_of(said):
            frame = decode_frame(piece)
            if not isinstance(frame, CommandFrame) or frame.gateway not in self.parcel.gateways:
                raise MalformedMessage("no command for a gateway of this parcel")
            frames.append(frame)
        if len({(one.sequence, one.event_id, one.event_version) for one in frames}) != 1:
            raise MalformedMessage("not of one round")
        return frames

    # -- in ----------------------------------------------------------------------------

    async def hear(self, tell: Tell) -> None:
        """For ever: what gateways say, to the agent; settled once it has stored it."""
        room = asyncio.Semaphore(ON_THE_WAY_MAX)
        heard: asyncio.Queue[Report] = asyncio.Queue()
        self._batched = self._gateways.mark()
        self._on_the_way.clear()

        async def listen() -> None:
            async for report in self._gateways.receive():
                heard.put_nowait(report)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            while True:
                for batch in _parts(await _gathered(heard)):
                    before, self._batched = self._batched, self._batched + len(batch)
                    self._on_the_way.add(before)
                    await room.acquire()
                    task = tasks.create_task(self._deliver(batch, before, tell))
                    task.add_done_callback(lambda _: room.release())

    async def _deliver(self, batch: Sequence[tuple[Report, bytes]], before: int, tell: Tell) -> None:
        acks = [one for one, _ in batch if isinstance(one, AckFrame)]
        if acks:
            try:
                await asyncio.to_thread(self._ledger.acknowledged, acks)
            except (LookupError, OSError) as problem:
                log.exception("acknowledgements not in the ledger", parcel=self.parcel.number, error=str(problem))
        about = {"id": before, "parcel": self.parcel.number, "fleet": self._fleet_sha256}
        data = bundle(about, [one for _, one in batch])
        while not _is_taken(await tell(data), before):  # noqa: ASYNC110  # the agent says nothing when it is back
            await asyncio.sleep(AGAIN_S)
        self._on_the_way.discard(before)
        # What came before and is not stored yet keeps what came after it at the broker.
        self._gateways.settle(min(self._on_the_way, default=self._batched))


async def _gathered(heard: "asyncio.Queue[Report]") -> list[Report]:
    batch = [await heard.get()]
    await asyncio.sleep(GATHER_S)
    while not heard.empty():
        batch.append(heard.get_nowait())
    return batch


def _parts(batch: Sequence[Report]) -> Iterator[list[tuple[Report, bytes]]]:
    """As much together as a message carries."""
    part: list[tuple[Report, bytes]] = []
    size = 0
    for report in batch:
        data = encode_frame(report)
        if part and size + len(data) > BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append((report, data))
        size += len(data)
    yield part


def _is_taken(answer: bytes | None, number: int) -> bool:
    if answer is None:
        return False
    try:
        said = decode(answer)
    except RemoteProtocolError:
        return False
    return bool(said.values.get("id") == number)
