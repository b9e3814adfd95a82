"""The agent's side of its shards: it sends each cell what has changed, asks, and does by itself what nobody answers.

A cell is a state machine that depends on what it was told alone, so whoever takes it over in mid-round is told the
same again and goes on with the same result: a shard that dies takes nothing with it. The envelope, the events and
the commands never leave the agent; shards have no word in how much is planned.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from numpy.typing import NDArray

from openadr_core.errors import MalformedMessage
from openadr_ven.dispatch.cell import Cell, Sight, is_same
from openadr_ven.dispatch.cutting import cells_of
from openadr_ven.dispatch.market import Ask
from openadr_ven.dispatch.seller import Question, Seller
from openadr_ven.fleet.columns import Fleet, Floats, over
from openadr_ven.fleet.wire import Said, decode, encode

PIECE = 1 << 16
"""Elements of an array in one message: half a megabyte, and engines carry one."""

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

    def __init__(self, fleet: Fleet, exchange: Exchange, *, fleet_sha256: str, cell_rows: int) -> None:
        self.parts = cells_of(fleet, cell_rows)
        self.answered = 0
        """Questions that shards have answered; the others were answered here."""
        self._exchange = exchange
        self._fleet_sha256 = fleet_sha256
        self._own = [Cell(fleet.take(part)) for part in self.parts]
        self._known = [_Known() for _ in self.parts]
        self._life = uuid.uuid4().hex
        self._count = 0

    def open(self, sights: Sequence[Sight]) -> Ask:
        """A round, by what is seen of each cell."""
        market = self._stamp()
        for known, sight in zip(self._known, sights, strict=True):
            self._stamp_changes(known, sight)
        away = set(range(len(sights)))
        lacking: dict[int, Sequence[str]] = dict.fromkeys(away, ())
        for _ in range(2):  # what a shard of a new life lacks, it says once
            opened = self._tell([(cell, self._opening(market, cell, sights[cell])) for cell in sorted(lacking)])
            away -= {cell for cell in lacking if opened[cell] is None}
            lacking = {cell: said.values["lacks"] for cell, said in opened.items() if said and said.values.get("lacks")}
            puts = [
                (cell, put) for cell, names in lacking.items() for name in names for put in self._puts(cell, name)
            ]  # fmt: skip
            if not puts:
                break
            self._tell(puts)
        return _Round(self, market, sights, away - lacking.keys()).ask

    def own(self, cell: int, sight: Sight) -> Seller:
        """This cell, computed here."""
        return self._own[cell].open(sight)

    def ask(
        self, market: str, cells: Sequence[int], question: Question, numbers: Sequence[Floats]
    ) -> list[Said | None]:
        """The answers of shards, None where one has none."""
        asked = [
            (cell, self._said({"do": "ask", "market": market, "question": question.value}, numbers=numbers[cell]))
            for cell in cells
        ]
        told = self._tell(asked)
        answers = [said if (said := told[cell]) is not None and "answer" in said.arrays else None for cell in cells]
        self.answered += sum(answer is not None for answer in answers)
        return answers

    def _stamp(self) -> str:
        self._count += 1
        return f"{self._life}-{self._count}"

    def _stamp_changes(self, known: _Known, sight: Sight) -> None:
        for name, array in sight.arrays().items():
            if name not in known.arrays or not is_same(known.arrays[name], array):
                known.stamps[name], known.arrays[name] = self._stamp(), array.copy()

    def _opening(self, market: str, cell: int, sight: Sight) -> bytes:
        stamps = {name: self._known[cell].stamps[name] for name in sight.arrays()}
        return self._said({
            "do": "open", "market": market, "stamps": stamps, "outlook": asdict(sight.outlook),
            "direction": int(sight.direction), "policy": sight.policy,
        })  # fmt: skip

    def _puts(self, cell: int, name: str) -> list[bytes]:
        known = self._known[cell]
        array, stamp = known.arrays[name], known.stamps[name]
        values = {"do": "put", "name": name, "stamp": stamp, "size": array.size}
        return [
            self._said({**values, "start": start}, piece=array[start : start + PIECE])
            for start in range(0, max(array.size, 1), PIECE)
        ]

    def _said(self, values: dict[str, Any], **arrays: NDArray[Any]) -> bytes:
        return encode(Said(values={**values, "fleet": self._fleet_sha256}, arrays=arrays))

    def _tell(self, messages: Sequence[tuple[int, bytes]]) -> dict[int, Said | None]:
        """The last answer of each cell; None if any of its messages has none."""
        answers: dict[int, Said | None] = {}
        for (cell, _), data in zip(messages, self._exchange(messages), strict=True):
            said = None if data is None else _understood(cell, data)
            answers[cell] = None if cell in answers and answers[cell] is None else said
        return answers


class _Round:
    """One round: which cells are with shards, and all that was asked, for whoever takes one over."""

    def __init__(self, floor: ShardFloor, market: str, sights: Sequence[Sight], away: set[int]) -> None:
        self._floor = floor
        self._market = market
        self._sights = sights
        self._away = away
        self._asked: list[tuple[Question, Sequence[Floats]]] = []
        here = [cell for cell in range(len(sights)) if cell not in away]
        self._here = dict(zip(here, over(lambda cell: floor.own(cell, sights[cell]), here), strict=True))

    def ask(self, question: Question, numbers: Sequence[Floats]) -> Sequence[Floats]:
        away = sorted(self._away)
        found: dict[int, Floats] = {}
        for cell, said in zip(away, self._floor.ask(self._market, away, question, numbers), strict=True):
            if said is None:
                self._take_over(cell)
            else:
                found[cell] = said.arrays["answer"]
        here = sorted(self._here)
        answers = over(lambda cell: self._here[cell].answer(question, numbers[cell]), here)
        self._asked.append((question, numbers))
        found |= dict(zip(here, answers, strict=True))
        return [found[cell] for cell in range(len(self._sights))]

    def _take_over(self, cell: int) -> None:
        log.warning("shard lost; its cell is computed here", cell=cell)
        seller = self._floor.own(cell, self._sights[cell])
        for question, numbers in self._asked:
            seller.answer(question, numbers[cell])
        self._away.discard(cell)
        self._here[cell] = seller


def _understood(cell: int, data: bytes) -> Said | None:
    try:
        said = decode(data)
    except MalformedMessage as problem:
        log.warning("shard not understood", cell=cell, error=str(problem))
        return None
    if "refused" in said.values:
        log.warning("shard refused", cell=cell, reason=str(said.values["refused"])[:200])
        return None
    return said
