"""Shards: the same result to the bit however many processes compute it, and whoever of them dies in the middle."""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_core.errors import MalformedMessage
from openadr_ven.adapters.shards.floor import Exchange, ShardFloor
from openadr_ven.adapters.shards.host import ShardHost
from openadr_ven.application.books import Floor
from openadr_ven.dispatch.cell import Cells
from openadr_ven.dispatch.guard import Envelope, GuardState, admit
from openadr_ven.dispatch.market import Market
from openadr_ven.dispatch.plan import Plan, plan_over
from openadr_ven.dispatch.plausible import Implausible
from openadr_ven.dispatch.policy import POLICIES
from openadr_ven.fleet.columns import Direction, FleetState, Mode
from openadr_ven.fleet.wire import LENGTH, Said, decode, encode
from tests.ven.dispatch.several import a_fleet, evening, sights_of

FLEET = a_fleet(2_000, quota_w=3e5)
STATE = evening(FLEET)
ROWS = 300
SHA = "f" * 64
RNG = np.random.default_rng(3)


def a_host(cells: Sequence[int] | None = None) -> ShardHost:
    parts = Cells(FLEET, ROWS).parts
    chosen = range(len(parts)) if cells is None else cells
    return ShardHost(FLEET, {cell: parts[cell] for cell in chosen}, fleet_sha256=SHA)


class Loopback:
    """Shards in this process, by the cells that each has. ``loses`` says of each message whether it is lost."""

    def __init__(self, hosts: Sequence[Sequence[int]], loses: Callable[[], bool] = lambda: False) -> None:
        self.hosts = [(frozenset(cells), a_host(cells)) for cells in hosts]
        self.loses = loses
        self.bytes = 0

    def __call__(self, messages: Sequence[tuple[int, bytes]]) -> Sequence[bytes | None]:
        self.bytes += sum(len(data) for _, data in messages)
        assert all(len(data) < 1 << 20 for _, data in messages), "what an engine carries in one message"
        return [None if self.loses() else self._answer(cell, data) for cell, data in messages]

    def restart(self, place: int) -> None:
        cells, _ = self.hosts[place]
        self.hosts[place] = (cells, a_host(sorted(cells)))

    def _answer(self, cell: int, data: bytes) -> bytes | None:
        return next((host.handle(cell, data) for cells, host in self.hosts if cell in cells), None)


def floor_of(exchange: Exchange) -> ShardFloor:
    return ShardFloor(FLEET, exchange, fleet_sha256=SHA, cell_rows=ROWS)


def a_round(
    floor: Floor, fraction: float = 0.6, *, policy: str = "endurance", state: FleetState = STATE, **more: np.ndarray
) -> Plan:
    sights = sights_of(FLEET, state, floor.parts, policy, **more)
    try:
        market = Market(floor.open(sights), len(sights), quota_w=FLEET.vendor_limit_w)
        return plan_over(
            market, FLEET, state.power_w, fraction * market.most_w, direction=Direction.RELIEF, uniform=0.3,
            has_held="held" in more,
        )  # fmt: skip
    except Implausible:
        return a_round(floor, fraction, policy=policy, state=state, **more)


def assert_same(one: Plan, other: Plan) -> None:
    """To the bit."""
    assert one.relief_w.tobytes() == other.relief_w.tobytes()
    assert one.setpoint_w.tobytes() == other.setpoint_w.tobytes()
    assert one.mode.tobytes() == other.mode.tobytes()
    assert (one.price, one.planned_w, one.available_w) == (other.price, other.planned_w, other.available_w)
    assert one.shortfall_by_cause == other.shortfall_by_cause


def a_head(*arrays: list[object]) -> bytes:
    head = json.dumps({"values": {}, "arrays": arrays}).encode()
    return LENGTH.pack(len(head)) + head


CELLS = range(len(Cells(FLEET, ROWS).parts))
DEALT: dict[str, list[Sequence[int]]] = {
    "one": [CELLS], "two": [CELLS[:3], CELLS[3:]], "each": [[cell] for cell in CELLS], "some": [CELLS[1:3]], "none": [],
}  # fmt: skip


@pytest.mark.parametrize("dealt", sorted(DEALT))
@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"merit"}))
def test_the_same_to_the_bit_however_cells_are_dealt(policy: str, dealt: str) -> None:
    """Oracle 19, with the tree, quotas and whole devices."""
    floor = floor_of(Loopback(DEALT[dealt]))
    assert_same(a_round(floor, policy=policy), a_round(Cells(FLEET, ROWS), policy=policy))
    assert (floor.answered > 0) == (dealt != "none")
    assert floor.faults == [], "honest shards are believed"


def test_rounds_go_on_as_in_one_process() -> None:
    away, here = floor_of(Loopback(DEALT["two"])), Cells(FLEET, ROWS)
    state, held = STATE, np.zeros(FLEET.size, dtype=np.bool_)
    for number in range(4):
        plans = [a_round(floor, 0.3 + 0.1 * number, state=state, held=held) for floor in (away, here)]
        assert_same(*plans)
        held = plans[0].mode == Mode.SHED
        state = replace(state, soc=np.where(RNG.random(FLEET.size) < 0.2, state.soc - 0.01, state.soc))
    assert held.any()
    assert away.faults == []


def test_only_what_changed_travels() -> None:
    loopback = Loopback(DEALT["one"])
    floor = floor_of(loopback)
    a_round(floor)
    first, loopback.bytes = loopback.bytes, 0
    a_round(floor)
    again, loopback.bytes = loopback.bytes, 0
    soc = STATE.soc.copy()
    soc[floor.parts[0]] -= 0.01
    a_round(floor, state=replace(STATE, soc=soc))
    assert again < first / 3
    assert 0 < loopback.bytes - again < 8 * ROWS * 3


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 0.5))
def test_whoever_is_lost_in_the_middle_takes_nothing_with_it(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    loopback = Loopback(DEALT["each"], loses=lambda: bool(rng.random() < share))
    floor, here = floor_of(loopback), Cells(FLEET, ROWS)
    for fraction in (0.4, 0.7):
        assert_same(a_round(floor, fraction), a_round(here, fraction))
        loopback.restart(int(rng.integers(len(CELLS))))


def test_a_shard_that_dies_after_any_question_is_replaced() -> None:
    """Its life ends after the first, the second, … answer of the round; each time the round is the same."""
    want = a_round(Cells(FLEET, ROWS))
    for left in range(0, 60, 4):
        answers = iter([False] * left + [True] * 10_000)
        floor = floor_of(Loopback(DEALT["one"], loses=answers.__next__))
        assert_same(a_round(floor), want)


def test_a_new_life_is_told_what_it_lacks() -> None:
    loopback = Loopback(DEALT["two"])
    floor = floor_of(loopback)
    a_round(floor)
    loopback.restart(0)
    before = floor.answered
    assert_same(a_round(floor), a_round(Cells(FLEET, ROWS)))
    answered = floor.answered - before
    a_round(floor)
    assert floor.answered - before == 2 * answered, "every question of every cell, as before"


def test_the_envelope_holds_across_shards_that_come_and_go() -> None:
    """R1: whatever is asked and whoever dies, what is planned of the whole fleet is never beyond what was admitted."""
    rng = np.random.default_rng(9)
    envelope = Envelope(
        event_max_w=900_000, ramp_w_per_s=150_000, release_ramp_w_per_s=150_000, step_max_w=200_000,
        reversals_per_hour=100, reversal_deadband_w=50_000, soc_floor=0.2,
    )  # fmt: skip
    loopback = Loopback(DEALT["each"], loses=lambda: bool(rng.random() < 0.1))
    floor, guard, before_w = floor_of(loopback), GuardState(), 0.0
    for second in range(40):
        verdict = admit(envelope, guard, int(rng.integers(-200_000, 3_000_000)), 1e9 + second)
        guard = verdict.state
        target_w = max(float(verdict.allowed_w), 0.0)
        sights = sights_of(FLEET, STATE, floor.parts, "proportional")
        market = Market(floor.open(sights), len(sights), quota_w=FLEET.vendor_limit_w)
        plan = plan_over(market, FLEET, STATE.power_w, target_w, direction=Direction.RELIEF, uniform=0.7)
        assert plan.relief_w.sum() <= target_w * (1.0 + 1e-9)
        assert plan.relief_w.sum() <= envelope.event_max_w
        assert plan.planned_w - before_w <= envelope.step_max_w + 1.0
        before_w = max(plan.planned_w, target_w)
        if second % 5 == 0:
            loopback.restart(int(rng.integers(len(CELLS))))


class TestMessages:
    def test_numbers_arrive_to_the_bit(self) -> None:
        hard = np.array([np.inf, -np.inf, -0.0, 5e-324, 0.1 + 0.2, np.nan])
        said = Said(values={"x": 0.1 + 0.2, "inf": float("inf")}, arrays={"hard": hard, "yes": hard > 0})
        again = decode(encode(said))
        assert again.values == said.values
        assert again.arrays["hard"].tobytes() == hard.tobytes()
        assert again.arrays["yes"].dtype == np.bool_

    @pytest.mark.parametrize(
        "data",
        [
            b"", b"\x00\x00", b"\xff\xff\xff\xff{}", LENGTH.pack(2) + b"[]", LENGTH.pack(2) + b"{}",
            LENGTH.pack(9) + b'{"values"', encode(Said(values={})) + b"more",
            a_head(["a", "|O", 1]), a_head(["a", "<f8", 9]), a_head(["a", "<f8", -1]),
        ],
    )  # fmt: skip
    def test_what_is_none_is_refused(self, data: bytes) -> None:
        with pytest.raises(MalformedMessage):
            decode(data)
        assert "refused" in decode(a_host().handle(0, data)).values

    @given(data=st.binary(max_size=200))
    def test_no_bytes_kill_a_shard(self, data: bytes) -> None:
        assert "refused" in decode(HOST.handle(0, struct.pack("<I", len(data)) + data)).values

    @pytest.mark.parametrize(
        "values",
        [
            {"do": "put"}, {"do": "eval"}, {"do": "open", "market": "1"}, {"do": "ask", "market": "1"}, {},
            {"do": "open", "market": "1", "stamps": {}, "policy": "theft", "outlook": {}, "direction": 1},
        ],
    )  # fmt: skip
    def test_what_cannot_be_done_is_refused_and_the_next_is_answered(self, values: dict[str, object]) -> None:
        loopback = Loopback(DEALT["one"])
        floor = floor_of(loopback)
        (answer,) = loopback([(0, encode(Said(values={**values, "fleet": SHA, "cell": 0, "id": "1"})))])
        assert answer is not None
        assert decode(answer).values.keys() & {"refused", "lacks"}
        assert_same(a_round(floor), a_round(Cells(FLEET, ROWS)))

    def test_another_fleet_is_refused(self) -> None:
        floor = ShardFloor(FLEET, Loopback(DEALT["one"]), fleet_sha256="0" * 64, cell_rows=ROWS)
        assert_same(a_round(floor), a_round(Cells(FLEET, ROWS)))
        assert floor.answered == 0


HOST = a_host()
