"""How long a gateway may say nothing, and when it counts again: so that a slow one is not taken for a dead one.

To plan without a gateway lets its devices go and tells others instead; when it is back all of them are told once
more. Done to one that is merely slow, that is the load which makes it slow. Hence:

- Silence is counted from the last word of any kind: who acknowledges is slow, not silent.
- The time allowed grows with what was measured, as a retransmission timer does (RFC 6298): smoothed gap and four
  times its mean deviation, within bounds. A gateway that is at work on what it was told may take all of the bound.
- One that has been silent counts again only after it has spoken without a gap for a while, and that while doubles
  each time, so that it is let go of ever less often.
- While its last command is unanswered it is told nothing new but releases, for up to the same bound: so much is the
  most that waits for it. Releases that nobody confirms are told again, at pauses that double (Karn); what was told
  twice is not measured.

How late we are ourselves is nobody's silence, and if nobody at all is heard it is we who are deaf.
Arrays are by gateway; moments are seconds since 1970 by our clock. One lives in ``Observation``.
"""

import numpy as np
from numpy.typing import NDArray

from openadr_ven.fleet.columns import Floats, Mask

ROUND_S = 1.0
SILENT_MIN_S = 3.0
"""Telemetry comes each second; three missed in a row is silence …"""
SILENT_MAX_S = 10.0
"""… and after so long without a word it always is: its devices are planned without."""
STALE_S = 30.0
"""Of a gateway that speaks, samples so old are nothing to plan on: as long as a lease usually is."""
ANSWER_FIRST_S, ANSWER_MIN_S, ANSWER_MAX_S = 10.0, 3.0, 60.0
"""How long to wait for the acknowledgement of a command: before anything was measured, and ever."""
WORK_S = 30.0
"""A gateway that has taken a command may be at work on it for so long."""
REST_MIN_S, REST_MAX_S = 3.0, 60.0
"""How long one that was silent must have spoken without a gap before it counts again …"""
GOOD_INTERVALS = 3
"""… and so many samples in a row must each have followed another in time."""
FORGIVEN_S = 300.0
"""Silences farther apart have nothing to do with each other."""


class Smoothed:
    """A delay and its mean deviation, smoothed (RFC 6298, 2.2 and 2.3), each with its own number of samples."""

    def __init__(self, size: int) -> None:
        self._mean_s = np.full(size, np.nan)
        self._deviation_s = np.zeros(size)

    def add(self, which: int, sample_s: float) -> None:
        mean_s = self._mean_s[which]
        if np.isnan(mean_s):
            self._mean_s[which], self._deviation_s[which] = sample_s, sample_s / 2
            return
        self._deviation_s[which] += (abs(sample_s - mean_s) - self._deviation_s[which]) / 4
        self._mean_s[which] += (sample_s - mean_s) / 8

    def most_s(self, first_s: float) -> Floats:
        """What it will hardly be longer than; ``first_s`` where nothing was measured."""
        found = self._mean_s + 4 * self._deviation_s
        return np.where(np.isnan(found), first_s, found)


class Patience:
    def __init__(self, count: int) -> None:
        self.silent: Mask = np.ones(count, dtype=np.bool_)
        """Planned without, as of the last ``judge``; all are until they are first heard."""
        self.fell: Mask = np.zeros(count, dtype=np.bool_)
        """Those that it found silent first …"""
        self.back: Mask = np.zeros(count, dtype=np.bool_)
        """… and those that count again since."""
        self.answer_s: Floats = np.full(count, ANSWER_FIRST_S)
        """As of the last ``judge``, how long to wait for an answer to what was told before it."""
        self.late_s = 0.0
        """How late the last ``judge`` was itself: a broker's slowness, or ours, and nobody's silence."""
        self._spoke_s = np.full(count, -np.inf)
        self._measured_s = np.full(count, -np.inf)
        self._newest_s = -np.inf
        """When anybody was last heard …"""
        self._judged_newest_s = -np.inf
        """… as of the last ``judge``."""
        self._judged_s = np.inf
        self._speaks_since_s = np.full(count, np.inf)
        """Since when without a gap …"""
        self._samples = np.zeros(count, dtype=np.int64)
        """… and how many samples came since."""
        self._fell_s = np.full(count, -np.inf)
        self._rest_s = np.zeros(count)
        self._gap, self._delay = Smoothed(count), Smoothed(count)
        self._sequence = np.zeros(count, dtype=np.int64)
        """Of the last command."""
        self._told_s = np.full(count, -np.inf)
        self._waits = np.zeros(count, dtype=np.bool_)
        """Its last command is unanswered …"""
        self._works = np.zeros(count, dtype=np.bool_)
        """… or has been taken, and no device was said to have begun."""
        self._retold = np.zeros(count, dtype=np.bool_)
        self._missed = np.zeros(count, dtype=np.int64)
        """Answers in a row that did not come in time."""
        self._overdue = np.zeros(count, dtype=np.bool_)

    # -- what is heard and told ----------------------------------------------------------

    def measured(self, which: int, *, sequence: int, is_new: bool, now_s: float) -> None:
        """Telemetry came, which had seen that command; ``is_new`` unless it tells of a moment that was told of."""
        if is_new:
            if np.isfinite(self._measured_s[which]):
                # As it was last judged: a deafness of ours is not in it.
                self._gap.add(which, max(self._judged_newest_s - float(self._measured_s[which]), 0.0))
            self._measured_s[which] = now_s
            self._samples[which] += 1
        if sequence >= self._sequence[which]:
            self._waits[which] = self._works[which] = False
        self._speaks(which, now_s)

    def answered(self, which: int, *, sequence: int, has_begun: bool, now_s: float) -> None:
        """An acknowledgement came; ``has_begun`` unless it only says that the command was received."""
        if sequence >= self._sequence[which]:
            if self._waits[which] and not self._retold[which]:
                self._delay.add(which, max(now_s - float(self._told_s[which]), 0.0))
            self._missed[which] = 0
            self._works[which] = (self._waits[which] or self._works[which]) and not has_begun
            self._waits[which] = False
        self._speaks(which, now_s)

    def told(self, which: NDArray[np.intp], *, sequence: int, now_s: float, again: bool = False) -> None:
        """The broker has taken a command for these."""
        self._sequence[which], self._told_s[which] = sequence, now_s
        self._waits[which], self._works[which], self._overdue[which] = True, False, False
        self._retold[which] = again

    def _speaks(self, which: int, now_s: float) -> None:
        self._spoke_s[which] = now_s
        self._newest_s = max(self._newest_s, now_s)
        self._speaks_since_s[which] = min(self._speaks_since_s[which], now_s)

    # -- what follows --------------------------------------------------------------------

    def judge(self, now_s: float) -> None:
        """Once a round: who is silent."""
        self.late_s = max(now_s - self._judged_s - ROUND_S, 0.0)
        self._judged_s = now_s
        for moments in (self._spoke_s, self._measured_s, self._told_s):
            np.add(moments, self.late_s, out=moments)
        self._newest_s = self._judged_newest_s = min(self._newest_s + self.late_s, now_s)
        usual_s = np.clip(self._delay.most_s(ANSWER_FIRST_S), ANSWER_MIN_S, ANSWER_MAX_S)
        self.answer_s = np.minimum(usual_s * 2.0 ** np.minimum(self._missed, 10), ANSWER_MAX_S)
        missed = self._waits & ~self._overdue & (now_s - self._told_s > self.answer_s)
        self._missed += missed
        self._overdue |= missed
        quiet_s = (self._newest_s if np.isfinite(self._newest_s) else now_s) - self._spoke_s
        allowed_s = self._allowed_s(now_s)
        broken = quiet_s > allowed_s
        self._speaks_since_s[broken], self._samples[broken] = np.inf, 0
        self.fell = fell = broken & ~self.silent
        again = now_s - self._fell_s < FORGIVEN_S
        self._rest_s[fell] = np.where(again, np.minimum(2 * self._rest_s, REST_MAX_S), REST_MIN_S)[fell]
        self._fell_s[fell] = now_s
        rested = (now_s - self._speaks_since_s >= self._rest_s) & (self._samples > GOOD_INTERVALS)
        back = self.silent & ~broken & (rested | np.isneginf(self._fell_s))
        self._missed[back] = 0
        self.back = back & np.isfinite(self._fell_s)
        self.silent = np.asarray((self.silent | fell) & ~back)

    def busy(self) -> Mask:
        """Those whose last command, of an earlier round, is unanswered and not overdue: they are told nothing new."""
        told_for_s = self._judged_s - self._told_s
        return np.asarray(self._waits & ~self._overdue & (told_for_s > 0.0) & (told_for_s <= SILENT_MAX_S))

    def _allowed_s(self, now_s: float) -> Floats:
        """How long each may say nothing; who is at work, all of the bound."""
        at_work = self.busy() | (self._works & (now_s - self._told_s <= WORK_S))
        usual_s = np.clip(self._gap.most_s(SILENT_MIN_S), SILENT_MIN_S, SILENT_MAX_S)
        return np.asarray(np.where(at_work, SILENT_MAX_S, usual_s))
