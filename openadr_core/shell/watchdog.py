"""Notices that this process could not do its work for a while, and that the clock was set.

A handler that blocks the event loop, a SIGSTOP, a virtual machine that was paused: on the next beat
each is an alarm. The schedule itself needs no repair, for what is due is derived from the store; the
alarm tells operators why it was late.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from openadr_core.limits import WATCHDOG_BEAT_S, WATCHDOG_STALL_S
from openadr_core.shell.clock import SystemClock, steady_s

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    kind: Literal["stalled", "clock stepped", "clock settled"]
    seconds: float
    """How long nothing ran, or how far the wall clock is ahead."""


class Watchdog:
    """Beats on the event loop; every alarm is logged and told to ``on_alarm``."""

    def __init__(
        self,
        clock: SystemClock,
        on_alarm: Callable[[Alarm], None],
        *,
        beat_s: float = WATCHDOG_BEAT_S,
        stall_s: float = WATCHDOG_STALL_S,
        steady_s: Callable[[], float] = steady_s,
    ) -> None:
        self._clock = clock
        self._on_alarm = on_alarm
        self._beat_s = beat_s
        self._stall_s = stall_s
        self._steady_s = steady_s
        self._last_s = steady_s()

    async def run(self) -> None:
        """Beat until cancelled."""
        self._last_s = self._steady_s()
        while True:
            await asyncio.sleep(self._beat_s)
            self.beat()

    def beat(self) -> None:
        """One look at both clocks; raises whatever alarms are due."""
        now_s = self._steady_s()
        late_s, self._last_s = now_s - self._last_s - self._beat_s, now_s
        if late_s > self._stall_s:
            self._raise(Alarm(kind="stalled", seconds=late_s))
        drift_s = self._clock.drift_s
        match self._clock.check():
            case "stepped":
                self._raise(Alarm(kind="clock stepped", seconds=drift_s))
            case "settled":
                self._raise(Alarm(kind="clock settled", seconds=drift_s))

    def _raise(self, alarm: Alarm) -> None:
        log.warning(alarm.kind, seconds=round(alarm.seconds, 3), new_starts_frozen=self._clock.new_starts_frozen)
        self._on_alarm(alarm)
