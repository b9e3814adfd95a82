"""The clock: jumps of the wall clock are seen, nothing starts early, everything ends (security T40, R19)."""

import asyncio
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openadr_core.limits import CLOCK_DRIFT_MAX_S
from openadr_core.shell.clock import ManualClock, SystemClock, steady_s
from openadr_core.shell.watchdog import Alarm, Watchdog

TODAY_S = datetime(2026, 7, 15, 18, 30, tzinfo=UTC).timestamp()


class Hands:
    """Two clocks that a test moves: `pass_s` lets time pass, `jump_s` sets the wall clock."""

    def __init__(self, wall_s: float = TODAY_S) -> None:
        self.wall_s = wall_s
        self.steady_s = 1000.0

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    def jump_s(self, seconds: float) -> None:
        self.wall_s += seconds

    def clock(self) -> SystemClock:
        return SystemClock(wall_s=lambda: self.wall_s, steady_s=lambda: self.steady_s)


def test_the_clock_counts_on_when_the_wall_clock_is_set() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_s(10)
    hands.jump_s(3600)
    assert clock.now().timestamp() == pytest.approx(TODAY_S + 10)
    assert clock.now().utcoffset() is not None


@pytest.mark.openadr20b("R114", "N15")
@pytest.mark.parametrize("jump_s", [1.0, -1.0, 1.9, -1.9])
def test_a_small_jump_is_followed_slowly(jump_s: float) -> None:
    hands = Hands()
    clock = hands.clock()
    hands.jump_s(jump_s)
    assert clock.check() is None
    assert not clock.new_starts_frozen
    hands.pass_s(60)
    clock.check()
    assert abs(clock.now().timestamp() - (TODAY_S + 60)) <= 0.031
    for _ in range(70):
        hands.pass_s(60)
        clock.check()
    assert clock.drift_s == pytest.approx(0, abs=1e-3)


@pytest.mark.openadr20b("R114", "N15")
@pytest.mark.parametrize("jump_s", [2.5, -2.5, 3600.0, -3600.0, 7200.0, -7200.0])
def test_a_large_jump_freezes_new_starts_until_it_is_undone_or_accepted(jump_s: float) -> None:
    hands = Hands()
    clock = hands.clock()
    hands.jump_s(jump_s)
    assert [clock.check(), clock.check()] == ["stepped", None]
    assert clock.new_starts_frozen
    assert clock.drift_s == pytest.approx(jump_s)
    hands.jump_s(-jump_s)
    assert [clock.check(), clock.check()] == ["settled", None]
    hands.jump_s(jump_s)
    clock.check()
    clock.accept_wall_clock()
    assert not clock.new_starts_frozen
    assert clock.now().timestamp() == pytest.approx(TODAY_S + jump_s)
    assert clock.check() is None


@given(
    st.lists(
        st.one_of(st.tuples(st.just("jump"), st.floats(-7200, 7200)), st.tuples(st.just("pass"), st.floats(0, 90)))
    ),
    st.integers(0, 600),
    st.integers(1, 600),
)
@example([("jump", 7200.0), ("pass", 60.0)], 30, 600)
@example([("jump", -7200.0), ("pass", 60.0)] * 20, 30, 60)
def test_nothing_starts_early_and_everything_ends(
    moves: list[tuple[str, float]], start_s: int, duration_s: int
) -> None:
    """A scheduler that asks the clock each second, while somebody plays with the wall clock."""
    hands = Hands()
    clock = hands.clock()
    began_s = hands.steady_s
    starts: list[float] = []
    ends: list[float] = []

    def second() -> None:
        hands.pass_s(1)
        clock.check()
        since_s = clock.now().timestamp() - TODAY_S
        if not starts and start_s <= since_s < start_s + duration_s and not clock.new_starts_frozen:
            starts.append(hands.steady_s - began_s)
        if not ends and since_s >= start_s + duration_s:
            ends.append(hands.steady_s - began_s)

    for kind, seconds in moves:
        if kind == "jump":
            hands.jump_s(seconds)
        for _ in range(int(seconds) if kind == "pass" else 1):
            second()
    for _ in range(start_s + duration_s + 10):
        second()
    assert len(ends) == 1
    assert abs(ends[0] - start_s - duration_s) <= 1 + CLOCK_DRIFT_MAX_S
    assert all(started >= start_s - 1 for started in starts)


@pytest.mark.parametrize("wall_s", [0.0, 2.0**31 - 1, 2.0**32, 253402300700.0])
def test_no_date_is_special(wall_s: float) -> None:
    hands = Hands(wall_s)
    clock = hands.clock()
    hands.pass_s(2)
    assert clock.now().timestamp() == pytest.approx(wall_s + 2)


def test_a_leap_second_is_no_step() -> None:
    """The kernel repeats a second: the wall clock falls back by one."""
    hands = Hands(datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    clock = hands.clock()
    hands.pass_s(1.5)
    hands.jump_s(-1)
    assert clock.check() is None


def test_the_real_clock_is_right() -> None:
    clock = SystemClock()
    assert abs(clock.now().timestamp() - time.time()) < 0.1
    assert abs(clock.drift_s) < 0.1
    assert steady_s() <= steady_s()


def test_a_manual_clock_moves_when_told(now: datetime) -> None:
    clock = ManualClock(now)
    clock.advance(90)
    assert (clock.now() - now).total_seconds() == 90


def test_the_watchdog_tells_stalls_and_steps() -> None:
    hands = Hands()
    alarms: list[Alarm] = []
    dog = Watchdog(hands.clock(), alarms.append, beat_s=1.0, stall_s=2.0, steady_s=lambda: hands.steady_s)
    for seconds in (1.0, 2.5, 1.0):
        hands.pass_s(seconds)
        dog.beat()
    assert alarms == []
    hands.pass_s(61.0)
    dog.beat()
    hands.jump_s(100.0)
    hands.pass_s(1.0)
    dog.beat()
    hands.jump_s(-100.0)
    hands.pass_s(1.0)
    dog.beat()
    assert [alarm.kind for alarm in alarms] == ["stalled", "clock stepped", "clock settled"]
    assert [alarm.seconds for alarm in alarms] == pytest.approx([60.0, 100.0, 0.0])


async def test_a_blocked_loop_is_noticed() -> None:
    alarms: list[Alarm] = []
    dog = Watchdog(SystemClock(), alarms.append, beat_s=0.02, stall_s=0.1)
    running = asyncio.create_task(dog.run())
    await asyncio.sleep(0.1)
    time.sleep(0.4)  # noqa: ASYNC251  # the fault that is wanted
    await asyncio.sleep(0.1)
    running.cancel()
    assert [alarm.kind for alarm in alarms] == ["stalled"]
    assert 0.2 < alarms[0].seconds < 1.0


STOPPED = """
import asyncio
from openadr_core.shell.clock import SystemClock
from openadr_core.shell.logs import configure_logs
from openadr_core.shell.watchdog import Watchdog

async def main() -> None:
    dog = Watchdog(SystemClock(), lambda alarm: print(alarm.kind, flush=True), beat_s=0.05, stall_s=0.3)
    running = asyncio.create_task(dog.run())
    await asyncio.sleep(0.2)
    print("ready", flush=True)
    await running

configure_logs()
asyncio.run(main())
"""


def test_a_stopped_process_tells_when_it_is_let_go() -> None:
    """R19: SIGSTOP, then SIGCONT."""
    root = Path(__file__).resolve().parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPED], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        child.send_signal(signal.SIGCONT)
        assert child.stdout.readline() == "stalled\n"
    finally:
        child.kill()
        child.wait()
