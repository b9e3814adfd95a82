"""A slow gateway is not taken for a dead one, and what is asked of it does not grow because it is slow."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openadr_ven.application.patience import (
    ANSWER_FIRST_S,
    ANSWER_MAX_S,
    REST_MAX_S,
    REST_MIN_S,
    SILENT_MAX_S,
    SILENT_MIN_S,
    WORK_S,
    Patience,
)
from openadr_ven.fleet.columns import Mode
from openadr_ven.gateways.contract import CommandFrame, TelemetryFrame
from openadr_ven.simulator.faults import Fault, FaultKind
from tests.ven.application.world import World, an_ask, post, store_at

NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
ROWS = 16_700
GOOD, SLOW = 0, 1


@dataclass
class Gateway:
    """One with so much to do: rows of commands, and a telemetry frame each second, one after the other."""

    rows_per_s: float
    telemetry_rows: float
    acknowledges_at_once: bool
    work: deque[tuple[str, int, float]] = field(default_factory=deque)
    """What it is, its sequence, and the rows of it that are left."""

    def second(self) -> list[tuple[str, int]]:
        """What it says within the next second: telemetry, a command received, a command begun."""
        said = []
        if not any(kind == "telemetry" for kind, _, _ in self.work):
            self.work.append(("telemetry", 0, self.telemetry_rows))
        left = self.rows_per_s
        while self.work and left > 0.0:
            kind, sequence, rows = self.work.popleft()
            if kind == "command" and self.acknowledges_at_once:
                said.append(("received", sequence))
                kind = "begun"
            done = min(rows, left)
            left -= done
            if done < rows:
                self.work.appendleft((kind, sequence, rows - done))
            else:
                said.append(("begun" if kind == "command" else kind, sequence))
        return said

    @property
    def waiting_rows(self) -> float:
        return sum(rows for kind, _, rows in self.work if kind != "telemetry")


@dataclass
class Told:
    """What a round-by-round life with an overloaded gateway came to."""

    offered: list[int] = field(default_factory=list)
    """Rows by second."""
    fell_at: list[int] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)


def live(gateway: Gateway, *, seconds: int, moves: bool, silent_of: Callable[[Patience, float], bool]) -> Told:
    """A gateway that nothing troubles, and this one, which is told something new each round if ``moves``."""
    patience, told, sequence = Patience(2), Told(), 0
    holds, was_silent, spoke_s = False, True, 0.0
    for second in range(seconds):
        now_s = float(second)
        patience.measured(GOOD, sequence=sequence, is_new=True, now_s=now_s)
        for kind, of in gateway.second():
            spoke_s = now_s
            if kind == "telemetry":
                patience.measured(SLOW, sequence=0, is_new=True, now_s=now_s)
            else:
                patience.answered(SLOW, sequence=of, has_begun=kind == "begun", now_s=now_s)
        patience.judge(now_s)
        silent = silent_of(patience, now_s - spoke_s)
        if silent and not was_silent:
            told.fell_at.append(second)
        wants = not silent and (moves or not holds)
        tells = (holds and silent) or (wants and not (silent_of is by_patience and patience.busy()[SLOW]))
        if tells:
            sequence, holds = sequence + 1, not silent
            gateway.work.append(("command", sequence, float(ROWS)))
            patience.told(np.array([SLOW]), sequence=sequence, now_s=now_s)
        told.offered.append(ROWS if tells else 0)
        told.waiting.append(gateway.waiting_rows)
        was_silent = silent
    return told


def by_patience(patience: Patience, _quiet_s: float) -> bool:
    return bool(patience.silent[SLOW])


def by_three_seconds(_patience: Patience, quiet_s: float) -> bool:
    """As it was: three seconds without a word, and back with the next."""
    return quiet_s > SILENT_MIN_S


def starved(*, rows_per_s: float, acknowledges_at_once: bool = False) -> Gateway:
    return Gateway(rows_per_s=rows_per_s, telemetry_rows=100.0, acknowledges_at_once=acknowledges_at_once)


def test_three_seconds_of_patience_feed_the_overload() -> None:
    """The illness, or this file would show nothing: let go and told again, for ever."""
    told = live(starved(rows_per_s=2_000), seconds=300, moves=False, silent_of=by_three_seconds)
    assert len(told.fell_at) >= 10
    assert sum(told.offered) >= 20 * ROWS


@pytest.mark.parametrize("rows_per_s", [1_700, 2_000, 3_000, 5_000])
def test_who_needs_up_to_ten_seconds_for_a_command_is_told_once(rows_per_s: float) -> None:
    told = live(starved(rows_per_s=rows_per_s), seconds=300, moves=False, silent_of=by_patience)
    assert (told.fell_at, sum(told.offered)) == ([], ROWS)


@settings(max_examples=60, deadline=None)
@given(rows_per_s=st.floats(20.0, 40_000.0), moves=st.booleans(), at_once=st.booleans())
def test_what_is_offered_is_bounded_and_there_is_no_oscillation(rows_per_s: float, moves: bool, at_once: bool) -> None:
    """However slow it is, and though something new is wanted each second."""
    gateway = starved(rows_per_s=rows_per_s, acknowledges_at_once=at_once)
    told = live(gateway, seconds=600, moves=moves, silent_of=by_patience)
    # Falls are ever farther apart: by the rest, which doubles.
    rest_s = [min(REST_MIN_S * 2**number, REST_MAX_S) for number in range(len(told.fell_at))]
    assert all(later - earlier >= rest for (earlier, later), rest in zip(pairwise(told.fell_at), rest_s, strict=False))
    assert len(told.fell_at) <= 5 + 600 / REST_MAX_S
    offered = np.array(told.offered)
    if rows_per_s < ROWS and not at_once:
        # Unanswered, it is told something new every ten seconds at most, and released once for each fall.
        in_ten_s = np.convolve(offered > 0, np.ones(int(SILENT_MAX_S)), mode="valid")
        assert in_ten_s.max() <= 1 + SILENT_MAX_S / max(ROWS / rows_per_s, 1.0) + 2
    if rows_per_s >= ROWS + 200:
        assert told.fell_at == []
        assert max(told.waiting) <= ROWS


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([1, 1, 1, 2, 4, 8, 9, 20]), min_size=1, max_size=40),
    told_before=st.integers(0, 12),
    takes_it=st.booleans(),
)
def test_who_is_dead_is_planned_without_within_the_bound(gaps: list[int], told_before: int, takes_it: bool) -> None:
    """Whatever was learnt of it, and whatever it was told last."""
    patience, now_s = Patience(2), 0.0
    for gap in gaps:
        for _ in range(gap):
            now_s += 1.0
            patience.measured(GOOD, sequence=0, is_new=True, now_s=now_s)
            patience.judge(now_s)
        patience.measured(SLOW, sequence=0, is_new=True, now_s=now_s)
    patience.told(np.array([SLOW]), sequence=7, now_s=now_s)
    if takes_it:
        patience.answered(SLOW, sequence=7, has_begun=False, now_s=now_s)
    for second in range(int(SILENT_MAX_S) + 1):
        now_s += 1.0
        patience.measured(GOOD, sequence=0, is_new=True, now_s=now_s)
        if second == told_before:
            patience.told(np.array([SLOW]), sequence=8, now_s=now_s)
        patience.judge(now_s)
    assert patience.silent.tolist() == [False, True]


def hear_all(patience: Patience, now_s: float, *, but: frozenset[int] = frozenset()) -> None:
    for which in {GOOD, SLOW} - but:
        patience.measured(which, sequence=0, is_new=True, now_s=now_s)
    patience.judge(now_s)


def silent_after(patience: Patience, now_s: float) -> float:
    """How long the one may say nothing until it is planned without."""
    for passed in range(1, 30):
        hear_all(patience, now_s + passed, but=frozenset({SLOW}))
        if patience.silent[SLOW]:
            return passed
    raise AssertionError("never")


def test_who_was_prompt_is_missed_after_three_seconds() -> None:
    patience = Patience(2)
    for second in range(20):
        hear_all(patience, float(second))
    assert silent_after(patience, 19.0) == SILENT_MIN_S + 1


def test_who_is_at_work_has_the_whole_bound() -> None:
    patience = Patience(2)
    for second in range(20):
        hear_all(patience, float(second))
    patience.told(np.array([SLOW]), sequence=1, now_s=19.0)
    patience.answered(SLOW, sequence=1, has_begun=False, now_s=19.0)
    assert silent_after(patience, 19.0) == SILENT_MAX_S + 1 < WORK_S


def test_one_that_was_silent_rests_and_each_time_twice_as_long() -> None:
    patience, now_s = Patience(2), 0.0
    hear_all(patience, now_s)
    rested = []
    for _ in range(6):
        now_s += silent_after(patience, now_s)
        back_s = now_s + 1.0
        while patience.silent[SLOW]:
            now_s += 1.0
            hear_all(patience, now_s)
        rested.append(now_s - back_s)
    assert rested == [3.0, 6.0, 12.0, 24.0, 48.0, REST_MAX_S]


def test_a_gap_begins_the_rest_anew() -> None:
    patience, now_s = Patience(2), 0.0
    hear_all(patience, now_s)
    now_s += silent_after(patience, now_s)
    for passed in range(1, 40):
        hear_all(patience, now_s + passed, but=frozenset({SLOW}) if passed % 12 else frozenset())
        assert patience.silent[SLOW], "a word every twelve seconds is no recovery"


def test_how_late_we_are_and_our_own_deafness_are_nobodys_silence() -> None:
    patience = Patience(2)
    hear_all(patience, 0.0)
    patience.judge(1.0)
    patience.judge(21.0)  # stopped for twenty seconds: what came meanwhile is not read yet
    assert not patience.silent.any()
    for second in range(22, 60):
        patience.judge(float(second))  # nobody is heard at all: the broker is down
    assert not patience.silent.any()
    patience.measured(GOOD, sequence=0, is_new=True, now_s=60.0)
    patience.measured(SLOW, sequence=0, is_new=True, now_s=60.0)
    patience.judge(60.0)
    assert not patience.silent.any()
    assert silent_after(patience, 60.0) == SILENT_MIN_S + 1, "and nobody is thought slow for it"


def test_the_time_for_an_answer_follows_what_was_measured_and_doubles_when_none_comes() -> None:
    patience, which, now_s = Patience(1), np.array([0]), 0.0
    patience.judge(now_s)
    assert patience.answer_s.tolist() == [ANSWER_FIRST_S]

    def wait(until_s: float) -> None:
        nonlocal now_s
        while now_s < until_s:
            now_s += 1.0
            patience.judge(now_s)

    for sequence in range(1, 30):
        patience.told(which, sequence=sequence, now_s=now_s)
        wait(now_s + 8.0)
        patience.answered(0, sequence=sequence, has_begun=True, now_s=now_s)
    wait(now_s + 1.0)
    (usual_s,) = patience.answer_s.tolist()
    assert 8.0 <= usual_s <= 9.0
    found = []
    for _ in range(5):
        patience.told(which, sequence=30, now_s=now_s, again=True)
        wait(now_s + patience.answer_s[0] + 2.0)
        found.append(float(patience.answer_s[0]))
    assert found == pytest.approx([min(usual_s * 2**missed, ANSWER_MAX_S) for missed in range(1, 6)])
    patience.answered(0, sequence=30, has_begun=True, now_s=now_s)
    wait(now_s + 1.0)
    assert patience.answer_s.tolist() == [usual_s], "what was told twice is not measured (RFC 6298, 3)"


# -- the whole agent -------------------------------------------------------------------


async def in_an_event(tmp_path: Path) -> World:
    world = World(await store_at(tmp_path), NOW)
    await world.start()
    await world.second(12)
    post(world, an_ask(world))
    await world.second(15)
    return world


def told_to(world: World, vendor: str, since: int) -> list[CommandFrame]:
    code = world.fleet.vendor_names.index(vendor)
    names = {world.fleet.gateway_names[one] for one in np.unique(world.fleet.gateway[world.fleet.vendor == code])}
    return [one.frame for one in world.broker.receipts[since:] if one.frame.gateway in names]


async def test_a_gateway_that_acknowledges_and_cannot_measure_is_let_do_its_work(tmp_path: Path) -> None:
    world = await in_an_event(tmp_path)
    slow = next(iter(told_to(world, "vendor-1", 0))).gateway
    before = len(world.broker.receipts)
    for _ in range(8):
        world.clock.advance(1)
        reports = world.town.tick(world.now)
        world.broker.unheard.extend(
            one for one in reports if not (isinstance(one, TelemetryFrame) and one.gateway == slow)
        )
        await world._live(world.running)
    frames = [one.frame for one in world.broker.receipts[before:] if one.frame.gateway == slow]
    assert all((frame.rows["mode"] != Mode.RELEASE).all() for frame in frames)


async def test_releases_that_nobody_confirms_are_told_again_as_they_were_and_ever_less_often(tmp_path: Path) -> None:
    world = await in_an_event(tmp_path)
    sent: list[tuple[datetime, CommandFrame]] = []
    hand_over = world.broker.send

    async def send(frames: list[CommandFrame]) -> None:
        sent.extend((world.now, frame) for frame in frames)
        await hand_over(frames)

    world.broker.send = send  # type: ignore[method-assign, assignment]
    world.town.inject(Fault(kind=FaultKind.ISOLATED, vendor="vendor-1", value=0.0, after_s=0.0))
    await world.second(34)
    releases = [
        (at, frame)
        for at, frame in sent
        if (frame.rows["mode"] == Mode.RELEASE).all() and frame.gateway == told_to(world, "vendor-1", 0)[0].gateway
    ]
    assert len(releases) >= 3
    assert len({frame.command_id for _, frame in releases}) == 1
    assert all(frame.rows.size == releases[0][1].rows.size for _, frame in releases)
    pauses = [later - earlier for (earlier, _), (later, _) in pairwise(releases)]
    assert all(later > earlier for earlier, later in pairwise(pauses))
    assert pauses[0] >= timedelta(seconds=SILENT_MIN_S)
