"""A shard that lies, is mistaken or answers for another: it is not believed, and the round is as without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from openadr_ven.adapters.shards.floor import QUARANTINE_S, ShardFloor
from openadr_ven.dispatch.cell import Cells
from openadr_ven.dispatch.plausible import Judge
from openadr_ven.dispatch.seller import Question
from openadr_ven.fleet.columns import Floats, Mode
from openadr_ven.fleet.wire import Said, decode, encode
from tests.ven.dispatch.several import sights_of
from tests.ven.shards.test_shard_floor import CELLS, FLEET, ROWS, SHA, STATE, Loopback, a_round, assert_same

LIAR = 2
"""The cell whose answers are bent."""
Bend = Callable[[Said, Said], Said]
"""The question and the honest answer → what is said instead."""


@dataclass
class Bent:
    """An honest shard whose answers about one cell somebody bends on the way."""

    bend: Bend
    honest: Loopback = field(default_factory=lambda: Loopback([CELLS]))
    asked: list[int] = field(default_factory=list)

    def __call__(self, messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
        return [self._bent(data, said) if cell == LIAR and said else said
                for (cell, data), said in zip(messages, self.honest(messages), strict=True)]  # fmt: skip

    def _bent(self, asked: bytes, said: bytes) -> bytes:
        self.asked.append(len(asked))
        return encode(self.bend(decode(asked), decode(said)))


def lying(question: str, lie: Callable[[Floats], Floats]) -> Bend:
    def bend(asked: Said, said: Said) -> Said:
        if asked.values.get("question") != question or "answer" not in said.arrays:
            return said
        return replace(said, arrays={"answer": lie(said.arrays["answer"].copy())})

    return bend


def saying(**values: Any) -> Bend:
    return lambda _, said: replace(said, values={**said.values, **values})


def floor_over(bend: Bend, clock: list[float]) -> tuple[ShardFloor, Bent]:
    exchange = Bent(bend)
    return ShardFloor(
        FLEET, exchange, fleet_sha256=SHA, cell_rows=ROWS, monotonic=lambda: clock[0]
    ), exchange  # fmt: skip


def at(place: int, value: float) -> Callable[[Floats], Floats]:
    def lie(answer: Floats) -> Floats:
        answer[place] = value
        return answer

    return lie


def at_once(asked: Said, said: Said) -> Said:
    """More devices start, or let go, than were drawn (T04)."""
    place = {"draw": 1, "whole": 0}.get(str(asked.values.get("question")))
    if place is None:
        return said
    return lying(asked.values["question"], lambda one: at(place, one[place] + 5e4)(one))(asked, said)


LIES: dict[str, tuple[Bend, str]] = {
    "more than its devices have": (lying("open", lambda one: one * 50), "more than"),
    "more within limits": (lying("open", lambda one: at(0, one[1] + 9.0)(one)), "more within limits than without"),
    "not a number": (lying("respond", at(0, np.nan)), "respond: not finite"),
    "without end": (lying("curve", at(-1, np.inf)), "curve: not finite"),
    "less for more": (lying("curve", lambda one: one[::-1].copy()), "supply falls as the price rises"),
    "a slope that falls": (lying("respond", at(1, -1.0)), "a slope that falls"),
    "watts from elsewhere": (lying("by_vendor", lambda one: one + 1e9), "more than a vendor's devices can do"),
    "one device for all": (lying("relief", at(0, 9e5)), "a device that does more than it can"),
    "the other way": (lying("relief", lambda one: -one), "a device that does more than it can"),
    "everybody at once": (at_once, "another sum than it responded with"),
    "another settlement": (lying("settle", lambda one: one * 0.9), "another sum than it responded with"),
    "another sum": (lying("relief", lambda one: one * 0.5), "another sum than was settled"),
    "too many shares": (lying("shares", at(0, 1e9)), "more devices than it has"),
    "neither": (lying("draw", at(2, 0.5)), "neither yes nor no"),
    "too few numbers": (lying("settle", lambda one: one[:0]), "0 numbers, not 1"),
    "other numbers": (lying("settle", lambda one: one.astype(np.float32)), "no row of numbers"),
    "nothing": (lambda _, said: replace(said, arrays={"answer": np.zeros(0)} if said.arrays else {}), "numbers, not"),
    "lacks everything": (saying(lacks=["your", "certificate"]), "lacks what it was not told of"),
    "lacks nonsense": (saying(lacks={"soc": 1}), "lacks what it was not told of"),
    "another message": (saying(id="0-1"), "an answer to another message"),
    "another cell": (saying(cell=LIAR + 1), "an answer to another message"),
    "no id": (lambda _, said: replace(said, values={}), "an answer to another message"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(LIES))
def test_what_cannot_be_true_is_not_believed(kind: str) -> None:
    """T07, for a shard: the round is the same to the bit, and the cell is asked of nobody for a while."""
    bend, says = LIES[kind]
    clock = [1e3]
    floor, exchange = floor_over(bend, clock)
    honest = Cells(FLEET, ROWS)
    assert_same(a_round(floor), a_round(honest))
    assert [cell for cell, _ in floor.faults] == [LIAR]
    assert says in floor.faults[0][1]
    asked = len(exchange.asked)
    clock[0] += QUARANTINE_S - 1.0
    assert_same(a_round(floor, 0.3), a_round(honest, 0.3))
    assert len(exchange.asked) == asked, "nobody is asked for it"
    exchange.bend = lambda _, said: said
    clock[0] += 2.0
    assert_same(a_round(floor, 0.5), a_round(honest, 0.5))
    assert len(exchange.asked) > asked, "and then it is, again"
    assert len(floor.faults) == 1


def test_who_lies_plausibly_is_found_out_when_its_turn_comes() -> None:
    """It says that its batteries are emptier than they are: nothing shows it but to look."""

    class Modest(Loopback):
        def __call__(self, messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
            return super().__call__([(cell, modest(data) if cell == LIAR else data) for cell, data in messages])

    def modest(data: bytes) -> bytes:
        said = decode(data)
        is_charge = said.values.get("name") == "soc"
        return encode(replace(said, arrays={"piece": said.arrays["piece"] * 0.8})) if is_charge else data

    floor = ShardFloor(FLEET, Modest([CELLS]), fleet_sha256=SHA, cell_rows=ROWS)
    rounds = 0
    while not floor.faults:
        a_round(floor, policy="proportional")
        rounds += 1
    assert rounds <= len(CELLS)
    assert floor.faults == [(LIAR, floor.faults[0][1])]
    assert "not what is found here" in floor.faults[0][1]
    assert_same(a_round(floor), a_round(Cells(FLEET, ROWS)))


def test_answers_that_change_places_are_not_believed() -> None:
    """A shard that has two cells and answers of one for the other."""

    class Swapped(Loopback):
        def __call__(self, messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
            return super().__call__(messages)[::-1]

    floor = ShardFloor(FLEET, Swapped([CELLS]), fleet_sha256=SHA, cell_rows=ROWS)
    assert_same(a_round(floor), a_round(Cells(FLEET, ROWS)))
    assert floor.faults


def test_an_answer_of_an_earlier_round_is_not_believed() -> None:
    kept: dict[str, Said] = {}

    def late(asked: Said, said: Said) -> Said:
        earlier = kept.setdefault(str(asked.values.get("question")), said)
        return earlier if asked.values.get("question") == "settle" else said

    floor, _ = floor_over(late, [0.0])
    honest = Cells(FLEET, ROWS)
    assert_same(a_round(floor, 0.2), a_round(honest, 0.2))
    assert not floor.faults
    assert_same(a_round(floor, 0.9), a_round(honest, 0.9))
    assert floor.faults == [(LIAR, "an answer to another message")]


def test_a_question_out_of_sequence_is_refused() -> None:
    """A lost question is no silent difference: the shard says so, and the agent goes on by itself."""
    loopback = Loopback([CELLS])
    seen: list[tuple[int, bytes]] = []

    def loses_one(messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
        answers = list(loopback(messages))
        seen.extend(messages)
        return answers

    floor = ShardFloor(FLEET, loses_one, fleet_sha256=SHA, cell_rows=ROWS)
    a_round(floor)
    again = next(data for cell, data in seen if cell == 0 and decode(data).values["do"] == "ask")
    (answer,) = loopback([(0, again)])
    assert answer is not None
    assert "refused" in decode(answer).values


def test_one_cells_message_is_refused_by_another() -> None:
    loopback = Loopback([CELLS])
    data = encode(Said(values={"do": "ask", "market": "1", "number": 0, "cell": 1, "id": "1", "fleet": SHA}))
    (answer,) = loopback([(0, data)])
    assert answer is not None
    assert "of another cell" in decode(answer).values["refused"]


def test_a_settlement_that_the_network_does_not_carry_is_not_believed() -> None:
    """Each device within its nameplate, and their transformer burns."""
    sight = sights_of(FLEET, STATE, Cells(FLEET, ROWS).parts, "proportional")[LIAR]
    fleet = FLEET.take(Cells(FLEET, ROWS).parts[LIAR])
    relief_w = np.maximum(sight.columns["baseline_w"], 0.0)
    judge = Judge(fleet, sight)
    assert any((level.sums(relief_w) > level.limit_w).any() for level in sight.levels)
    assert judge.fault(Question.SETTLE, np.zeros(1), np.array([relief_w.sum()])) is None
    fault = judge.fault(Question.RELIEF, np.array([0.0, fleet.size]), relief_w)
    assert fault == "relief: more than the network carries"


def test_square_waves_of_a_shard_change_nothing() -> None:
    """T03: what one shard says up and down is taken for a lie once, and no command follows it."""
    turn = iter(range(10_000))
    floor, _ = floor_over(lying("settle", lambda one: one * (2.0 if next(turn) % 2 else 0.0)), [0.0])
    honest = Cells(FLEET, ROWS)
    for _ in range(6):
        one, other = a_round(floor), a_round(honest)
        assert_same(one, other)
        assert (one.mode != Mode.RELEASE).any()
    assert len(floor.faults) <= 1
