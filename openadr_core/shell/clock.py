"""What time it is, though somebody sets the computer's clock.

Pure code is told the time; shells ask a `Clock`. `SystemClock` reads the wall clock once and then counts
seconds that nobody can set. When the wall clock is stepped away from that count, it says so and new starts
are frozen until the two agree again or an operator accepts the wall clock; what is running ends on time by
the count (security T40). Everything is UTC: days of 23 and 25 hours do not exist here.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from openadr_core.limits import CLOCK_DRIFT_MAX_S, CLOCK_SLEW_MAX

ClockChange = Literal["stepped", "settled"]


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware and in UTC."""


def steady_s() -> float:
    """Seconds that only go forward, those of a suspended machine included where the system counts them."""
    # On Linux CLOCK_MONOTONIC stands still while the machine sleeps, and CLOCK_BOOTTIME does not.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SystemClock:
    """The process's one clock. Somebody must call `check` about once a second (`watchdog.Watchdog` does)."""

    def __init__(self, *, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = steady_s) -> None:
        self._wall_s = wall_s
        self._steady_s = steady_s
        self._checked_s = steady_s()
        self._anchor_s = wall_s() - self._checked_s
        self._stepped = False

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._anchor_s + self._steady_s(), UTC)

    @property
    def drift_s(self) -> float:
        """How far the wall clock is ahead of the count."""
        return self._wall_s() - self._anchor_s - self._steady_s()

    @property
    def new_starts_frozen(self) -> bool:
        """Whether nothing new may be started, because it is not certain what time it is. Ends are kept."""
        return self._stepped

    def check(self) -> ClockChange | None:
        """Compare the clocks; what has changed since the last time, if anything.

        A small difference (a leap second, a careful time server) is followed slowly, so that
        nothing happens early. A large one is never followed by itself.
        """
        now_s, drift_s = self._steady_s(), self.drift_s
        elapsed_s, self._checked_s = now_s - self._checked_s, now_s
        was_stepped, self._stepped = self._stepped, abs(drift_s) > CLOCK_DRIFT_MAX_S
        if self._stepped:
            return None if was_stepped else "stepped"
        most_s = CLOCK_SLEW_MAX * elapsed_s
        self._anchor_s += max(-most_s, min(most_s, drift_s))
        return "settled" if was_stepped else None

    def accept_wall_clock(self) -> None:
        """An operator vouches for the wall clock: count on from there."""
        self._anchor_s = self._wall_s() - self._steady_s()
        self._stepped = False


class ManualClock:
    """A clock for tests and simulations: it moves when told to."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
