"""The moment of IEEE 2030.5 where somebody moves it: in a laboratory, so that a day of controls is seen in a minute."""

from datetime import datetime, timedelta

from openadr_core.errors import RuleBroken

AHEAD_MOST_S = 366 * 86_400


class LabClock:
    """How far 2030.5 is ahead of the clock that all else goes by; nothing, wherever it is no laboratory.

    It is forgotten when the process ends.
    """

    def __init__(self, *, is_lab: bool = False) -> None:
        self.is_lab = is_lab
        self.ahead_s = 0

    def moment(self, now: datetime) -> int:
        """Whole seconds of the epoch."""
        return int(now.timestamp()) + self.ahead_s

    def at(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.ahead_s)

    def move(self, ahead_s: int) -> None:
        """RuleBroken where devices go by the true time."""
        if not self.is_lab:
            raise RuleBroken("the time of IEEE 2030.5 is moved in a laboratory alone ([sep2] lab_clock)")
        if abs(ahead_s) > AHEAD_MOST_S:
            raise RuleBroken(f"the time is moved by {AHEAD_MOST_S} s at most")
        self.ahead_s = ahead_s


TRUE_TIME = LabClock()
