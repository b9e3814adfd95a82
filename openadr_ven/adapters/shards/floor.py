"""The agent's side of its shards: it sends each cell what has changed, asks, and does by itself what nobody answers.

A cell is a state machine that depends on what it was told alone, so whoever takes it over in mid-round is told the
same again and goes on with the same result: a shard that dies takes nothing with it. The envelope and the events
never leave the agent; shards have no word in how much is planned. Nor are they believed: an answer must be to this very
message, and one that cannot be true (``dispatch/plausible.py``), or in the one cell of a round that is computed here
too is not what was found here, takes the cell from them for a while.
"""

import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from openadr_core.errors import MalformedMessage
from openadr_ven.dispatch.cell import Cell, Sight, is_same
from openadr_ven.dispatch.cutting import cells_of
from openadr_ven.dispatch.market import Ask
from openadr_ven.dispatch.plausible import Implausible, Judge
from openadr_ven.dispatch.seller import Question, Seller
from openadr_ven.fleet.columns import Fleet, Floats, over
from openadr_ven.fleet.wire import Said, decode, encode

PIECE = 1 << 16
"""Elements of an array in one message: half a megabyte, and engines carry one."""

SAME, SAME_W = 1e-6, 1e-3
"""Relative, and besides: what another processor may make of the same sum."""
QUARANTINE_S = 600.0
"""So long nobody is asked for a cell of which somebody said what cannot be true."""

Exchange = Callable[[Sequence[tuple[int, bytes]]], Sequence[bytes | None]]
"""Messages, each for a cell by its number, to whoever has it; the answers in their order, None where there is none."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Known:
    """What a cell's shard was told last."""

    stamps: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


class ShardFloor:
    """A ``books.Floor``. Cells that no shard answers for are this process's own."""

    def __init__(
        self,
        fleet: Fleet,
        exchange: Exchange,
        *,
        fleet_sha256: str,
        cell_rows: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.parts = cells_of(fleet, cell_rows)
        self.answered = 0
        """Questions that shards have answered; the others were answered here."""
        self.faults: list[tuple[int, str]] = []
        """Cells, and what was said of them that cannot be true; whoever tells somebody clears it."""
        self._monotonic = monotonic
        self._barred_until_s: dict[int, float] = {}
        self._exchange = exchange
        self._fleet_sha256 = fleet_sha256
        self._own = [Cell(fleet.take(part)) for part in self.parts]
        self._known = [_Known() for _ in self.parts]
        self._life = uuid.uuid4().hex
        self._count = 0
        self._audits = 0

    def open(self, sights: Sequence[Sight]) -> Ask:
        """A round, by what is seen of each cell."""
        market = self._stamp()
        for known, sight in zip(self._known, sights, strict=True):
            self._stamp_changes(known, sight)
        away = {cell for cell in range(len(sights)) if not self.is_barred(cell)}
        lacking: dict[int, Sequence[str]] = dict.fromkeys(away, ())
        for _ in range(2):  # what a shard of a new life lacks, it says once
            opened = self._tell([self._opening(market, cell, sights[cell]) for cell in sorted(lacking)])
            away -= {cell for cell in lacking if opened[cell] is None}
            lacking = {cell: lacks for cell, said in opened.items() if said and (lacks := self._lacks(cell, said))}
            puts = [put for cell, names in lacking.items() for name in names for put in self._puts(cell, name)]
            if not puts:
                break
            self._tell(puts)
        away = {cell for cell in away - lacking.keys() if not self.is_barred(cell)}
        return _Round(self, market, sights, away, audited=self._audited(away)).ask

    def own(self, cell: int, sight: Sight) -> Seller:
        """This cell, computed here."""
        return self._own[cell].open(sight)

    def _audited(self, away: set[int]) -> int | None:
        """Another one each time: who lies plausibly is found out when its turn comes."""
        self._audits += 1
        return sorted(away)[self._audits % len(away)] if away else None

    def judge(self, cell: int, sight: Sight) -> Judge:
        return Judge(self._own[cell].fleet, sight)

    def is_barred(self, cell: int) -> bool:
        return self._monotonic() < self._barred_until_s.get(cell, -math.inf)

    def bar(self, cell: int, fault: str) -> None:
        """Whoever has the cell is not asked for a while: what it said cannot be true."""
        log.error("shard not believed; its cell is computed here", cell=cell, fault=fault, seconds=QUARANTINE_S)
        self._barred_until_s[cell] = self._monotonic() + QUARANTINE_S
        self.faults.append((cell, fault))

    def ask(
        self, market: str, number: int, cells: Sequence[int], question: Question, numbers: Sequence[Floats]
    ) -> list[Floats | None]:
        """The answers of shards, None where one has none."""
        values = {"do": "ask", "market": market, "number": number, "question": question.value}
        told = self._tell([self._said(cell, values, numbers=numbers[cell]) for cell in cells])
        return [None if (said := told[cell]) is None else said.arrays.get("answer") for cell in cells]

    def _stamp(self) -> str:
        self._count += 1
        return f"{self._life}-{self._count}"

    def _stamp_changes(self, known: _Known, sight: Sight) -> None:
        for name, array in sight.arrays().items():
            if name not in known.arrays or not is_same(known.arrays[name], array):
                known.stamps[name], known.arrays[name] = self._stamp(), array.copy()

    def _opening(self, market: str, cell: int, sight: Sight) -> "_Message":
        stamps = {name: self._known[cell].stamps[name] for name in sight.arrays()}
        return self._said(cell, {
            "do": "open", "market": market, "stamps": stamps, "outlook": asdict(sight.outlook),
            "direction": int(sight.direction), "policy": sight.policy,
        })  # fmt: skip

    def _lacks(self, cell: int, said: Said) -> Sequence[str]:
        lacks = said.values.get("lacks", ())
        known = self._known[cell].arrays
        if isinstance(lacks, (list, tuple)) and all(isinstance(one, str) and one in known for one in lacks):
            return lacks
        self.bar(cell, "open: lacks what it was not told of")
        return ()

    def _puts(self, cell: int, name: str) -> list["_Message"]:
        known = self._known[cell]
        array, stamp = known.arrays[name], known.stamps[name]
        values = {"do": "put", "name": name, "stamp": stamp, "size": array.size}
        return [
            self._said(cell, {**values, "start": start}, piece=array[start : start + PIECE])
            for start in range(0, max(array.size, 1), PIECE)
        ]

    def _said(self, cell: int, values: dict[str, Any], **arrays: NDArray[Any]) -> "_Message":
        about = self._stamp()
        values = {**values, "id": about, "cell": cell, "fleet": self._fleet_sha256}
        return _Message(cell, about, encode(Said(values=values, arrays=arrays)))

    def _tell(self, messages: Sequence["_Message"]) -> dict[int, Said | None]:
        """The last answer of each cell; None if any of its messages has none."""
        answers: dict[int, Said | None] = {}
        found = self._exchange([(one.cell, one.data) for one in messages])
        for message, data in zip(messages, found, strict=True):
            said = None if data is None else self._understood(message, data)
            cell = message.cell
            answers[cell] = None if cell in answers and answers[cell] is None else said
        return answers

    def _understood(self, message: "_Message", data: bytes) -> Said | None:
        try:
            said = decode(data)
        except MalformedMessage as problem:
            self.bar(message.cell, str(problem))
            return None
        if said.values.get("id") != message.id or said.values.get("cell") != message.cell:
            self.bar(message.cell, "an answer to another message")
            return None
        if "refused" in said.values:
            log.warning("shard refused", cell=message.cell, reason=str(said.values["refused"])[:200])
            return None
        return said


class _Message(NamedTuple):
    cell: int
    id: str
    data: bytes


class _Round:
    """One round: which cells are with shards, and all that was asked, for whoever takes one over."""

    def __init__(
        self, floor: ShardFloor, market: str, sights: Sequence[Sight], away: set[int], *, audited: int | None
    ) -> None:
        self._floor = floor
        self._market = market
        self._sights = sights
        self._away = away
        self._asked: list[tuple[Question, Sequence[Floats]]] = []
        judged = sorted(away)
        self._judges = dict(zip(judged, over(lambda cell: floor.judge(cell, sights[cell]), judged), strict=True))
        self._audited = audited
        if audited is not None:
            self._auditor = floor.own(audited, sights[audited])
        here = [cell for cell in range(len(sights)) if cell not in away]
        self._here = dict(zip(here, over(lambda cell: floor.own(cell, sights[cell]), here), strict=True))

    def ask(self, question: Question, numbers: Sequence[Floats]) -> Sequence[Floats]:
        away = sorted(self._away)
        found: dict[int, Floats] = {}
        told = self._floor.ask(self._market, len(self._asked), away, question, numbers)
        believed = True
        for cell, answer in zip(away, told, strict=True):
            if answer is not None and (fault := self._fault(cell, question, numbers[cell], answer)):
                self._floor.bar(cell, fault)
            elif answer is not None:
                found[cell] = answer
                self._floor.answered += 1
                continue
            believed = believed and not self._floor.is_barred(cell)
            self._take_over(cell)
        if not believed:
            # What it said before may be no truer, and others were told what was made of it.
            raise Implausible
        here = sorted(self._here)
        answers = over(lambda cell: self._here[cell].answer(question, numbers[cell]), here)
        self._asked.append((question, numbers))
        found |= dict(zip(here, answers, strict=True))
        return [found[cell] for cell in range(len(self._sights))]

    def _fault(self, cell: int, question: Question, numbers: Floats, answer: Floats) -> str | None:
        fault = self._judges[cell].fault(question, numbers, answer)
        if cell != self._audited or fault:
            return fault
        own = self._auditor.answer(question, numbers)
        return None if np.allclose(own, answer, rtol=SAME, atol=SAME_W) else f"{question}: not what is found here"

    def _take_over(self, cell: int) -> None:
        log.warning("shard lost; its cell is computed here", cell=cell)
        seller = self._floor.own(cell, self._sights[cell])
        for question, numbers in self._asked:
            seller.answer(question, numbers[cell])
        self._away.discard(cell)
        self._here[cell] = seller
