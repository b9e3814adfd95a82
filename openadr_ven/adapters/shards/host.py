"""A shard: some cells of the fleet, and what the agent has told it of them. It remembers nothing that matters.

It decides nothing: it is told what is seen of its devices, answers what they offer, and says what the agent's price
makes of them. Whatever it has lost with an earlier life it says that it lacks, and is told again.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openadr_core.errors import MalformedMessage
from openadr_ven.dispatch.cell import Cell, Sight
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.dispatch.seller import Question, Seller
from openadr_ven.fleet.columns import Direction, Fleet
from openadr_ven.fleet.model import Outlook
from openadr_ven.fleet.wire import Said, decode, encode

MARKETS_MAX = 3
"""Of a cell at a time: an event's plan, and what its prices are worth either way."""
ELEMENTS_MAX = 1 << 28


@dataclass(slots=True)
class _Desk:
    cell: Cell
    columns: dict[str, tuple[str, NDArray[Any]]] = field(default_factory=dict)
    """By name, the stamp that it came with, and the array."""
    sellers: OrderedDict[str, "_Turn"] = field(default_factory=OrderedDict)
    """By market, the newest last."""


@dataclass(slots=True)
class _Turn:
    seller: Seller
    asked: int = 0
    """Questions so far: the next one has this number, or some were lost on the way."""


class ShardHost:
    """The cells of one shard."""

    def __init__(self, fleet: Fleet, parts: Mapping[int, slice], *, fleet_sha256: str) -> None:
        self._desks = {number: _Desk(Cell(fleet.take(part))) for number, part in parts.items()}
        self._fleet_sha256 = fleet_sha256
        self.price: float | None = None
        """At which a cell was settled last."""

    def handle(self, number: int, data: bytes) -> bytes:
        """The answer to a message about a cell; one at a time for each cell. ``refused`` says why there is none."""
        about: dict[str, Any] = {"cell": number}
        try:
            said = decode(data)
            about["id"] = said.values["id"]
            if said.values["fleet"] != self._fleet_sha256:
                raise MalformedMessage("of another fleet")
            if said.values["cell"] != number:
                raise MalformedMessage("of another cell")
            answer = _DOES[said.values["do"]](self._desks[number], said)
            if said.values.get("question") == Question.SETTLE:
                self.price = float(said.arrays["numbers"][0])
        except (MalformedMessage, ValueError, TypeError, LookupError, ArithmeticError) as problem:
            answer = Said(values={"refused": f"{type(problem).__name__}: {problem}"})
        return encode(replace(answer, values={**answer.values, **about}))


def _put(desk: _Desk, said: Said) -> Said:
    """A piece of an array."""
    values, piece = said.values, said.arrays["piece"]
    name, stamp, size, start = str(values["name"]), str(values["stamp"]), int(values["size"]), int(values["start"])
    if not 0 <= start <= start + piece.size <= size <= ELEMENTS_MAX:
        raise MalformedMessage("a piece beyond its array")
    known = desk.columns.get(name)
    if known is None or known[0] != stamp or known[1].size != size:
        # A new array in place of the old one: what a kept book was made of must not change under it.
        known = (stamp, np.zeros(size, dtype=piece.dtype))
        desk.columns[name] = known
    known[1][start : start + piece.size] = piece
    return Said(values={})


def _open(desk: _Desk, said: Said) -> Said:
    """A round begins, with these arrays; what of them is not here is told."""
    values = said.values
    stamps: Mapping[str, str] = values["stamps"]
    lacks = [name for name, stamp in stamps.items() if desk.columns.get(name, ("", None))[0] != stamp]
    if lacks:
        return Said(values={"lacks": lacks})
    if values["policy"] not in POLICIES:
        raise MalformedMessage(f"policy {values['policy']!r}")
    sight = Sight.of(
        Outlook(**values["outlook"]),
        Direction(values["direction"]),
        values["policy"],
        {name: desk.columns[name][1] for name in stamps},
    )
    desk.sellers[str(values["market"])] = _Turn(desk.cell.open(sight))
    while len(desk.sellers) > MARKETS_MAX:
        desk.sellers.popitem(last=False)
    return Said(values={})


def _ask(desk: _Desk, said: Said) -> Said:
    turn = desk.sellers.get(str(said.values["market"]))
    if turn is None:
        return Said(values={"lacks": ["market"]})
    if said.values["number"] != turn.asked:
        raise MalformedMessage(f"question {said.values['number']!r} after {turn.asked}")
    turn.asked += 1
    answer = turn.seller.answer(Question(said.values["question"]), said.arrays["numbers"])
    return Said(values={}, arrays={"answer": answer})


_DOES = {"put": _put, "open": _open, "ask": _ask}
