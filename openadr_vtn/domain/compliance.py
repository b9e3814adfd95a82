"""Which reports an event asks of a VEN of OpenADR 3, and how it has met them. Nothing of it is stored.

What is owed follows from the event's report descriptors (:mod:`openadr_core.oadr3.report_plan`), what
came from the reports as they were received. A VEN keeps its own clock and draws its own start, so a
report is late only after a grace.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from openadr_core.oadr3.layout import Layout, Placed
from openadr_core.oadr3.messages import ReportDescriptor, ReportIntervals
from openadr_core.oadr3.report_plan import PlannedReport, due_reports

GOOD_QUALITY = frozenset({"OK", "ESTIMATED"})
"""Of the standard's words for DATA_QUALITY (User Guide 8.4); a private word is taken for no good."""


class Standing(StrEnum):
    PENDING = "pending"
    """It is not due yet, or has been for less than the grace."""
    MET = "met"
    POOR = "poor"
    """It came, and says itself that some of it is missing or bad."""
    LATE = "late"
    """It came, whole, after its time."""
    MISSING = "missing"
    """Some of it has not come, and its time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedInterval:
    """One payload in one interval of a report that came."""

    payload_type: str
    interval_id: int
    received_at: datetime
    """When the report first came."""
    changed_at: datetime | None = None
    """When it was last changed; None: never."""
    starts_at: datetime | None = None
    """None where the report leaves it to the event's interval of the same id."""
    ends_at: datetime | None = None
    quality: str = "OK"
    """The DATA_QUALITY beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedReport:
    """A report that the event asks for, and what has come of it."""

    payload_type: str
    number: int
    """Counted from 0 through all reports of the descriptor."""
    due_at: datetime
    intervals: int
    """How many it is to cover."""
    covered: int
    """How many of them have come."""
    poor: int
    """How many of those say that they are no good."""
    complete_at: datetime | None
    """When the last of them came; None while some are missing."""
    standing: Standing

    def late_by(self, now: datetime) -> timedelta:
        """After its time; nothing for one that came in time, or is not late yet."""
        if self.standing not in {Standing.LATE, Standing.MISSING}:
            return timedelta()
        return (self.complete_at or now) - self.due_at


def owed_reports(
    layout: Layout,
    descriptors: Iterable[ReportDescriptor],
    came: Iterable[ReportedInterval],
    *,
    obtained_at: datetime,
    since: datetime,
    now: datetime,
    grace: timedelta,
) -> list[OwedReport]:
    """What fell due in ``(since, now]`` for a VEN that read the event at ``obtained_at``, by due time."""
    by_type: dict[str, list[ReportedInterval]] = defaultdict(list)
    for one in came:
        by_type[one.payload_type].append(one)
    found = [
        _owed(layout, descriptor, planned, by_type[descriptor.payload_type], now=now, grace=grace)
        for descriptor in descriptors
        for planned in due_reports(layout, descriptor, obtained_at=obtained_at, since=since, until=now)
    ]
    return sorted(found, key=lambda one: (one.due_at, one.payload_type, one.number))


def _owed(
    layout: Layout,
    descriptor: ReportDescriptor,
    planned: PlannedReport,
    came: Sequence[ReportedInterval],
    *,
    now: datetime,
    grace: timedelta,
) -> OwedReport:
    answers = [
        [one for one in came if _answers(one, placed, planned, descriptor, layout.lap)] for placed in planned.intervals
    ]
    pairs = [(placed, found) for placed, found in zip(planned.intervals, answers, strict=True) if found]
    given = [min(_came_at(one, placed, descriptor) for one in found) for placed, found in pairs]
    # A correction counts for what it says, not for when it came.
    last_word = [max(found, key=lambda one: one.changed_at or one.received_at) for _, found in pairs]
    complete_at = max(given) if len(given) == len(answers) else None
    poor = sum(one.quality not in GOOD_QUALITY for one in last_word)
    return OwedReport(
        payload_type=descriptor.payload_type,
        number=planned.number,
        due_at=planned.due_at,
        intervals=len(answers),
        covered=len(given),
        poor=poor,
        complete_at=complete_at,
        standing=_standing(planned.due_at + grace, complete_at, poor, now),
    )


def _answers(
    one: ReportedInterval,
    placed: Placed,
    planned: PlannedReport,
    descriptor: ReportDescriptor,
    lap: timedelta | None,
) -> bool:
    """Whether this is about that interval of the event."""
    if descriptor.report_intervals is ReportIntervals.OPEN_INTERVALS:
        return _overlaps(one, placed)
    if one.interval_id != placed.id:
        return False
    if lap is None:
        return True
    # The same ids come round again: an interval without a time of its own is of the lap that it came after.
    if one.starts_at is not None:
        return _overlaps(one, placed)
    return planned.due_at <= one.received_at < planned.due_at + lap


def _came_at(one: ReportedInterval, placed: Placed, descriptor: ReportDescriptor) -> datetime:
    """Interpretation: a report that is changed may have grown or been corrected, and nobody says which.

    What was there before the interval ended cannot have told of it, so then the change did.
    """
    if one.changed_at is None or not descriptor.historical:
        return one.received_at
    had_ended = placed.ends_at is not None and placed.ends_at <= one.received_at
    return one.received_at if had_ended else one.changed_at


def _overlaps(one: ReportedInterval, placed: Placed) -> bool:
    if one.starts_at is None:
        return one.received_at >= placed.starts_at
    begins_before_end = placed.ends_at is None or one.starts_at < placed.ends_at
    return begins_before_end and (
        one.starts_at >= placed.starts_at or (one.ends_at or one.starts_at) > placed.starts_at
    )


def _standing(late_from: datetime, complete_at: datetime | None, poor: int, now: datetime) -> Standing:
    if complete_at is None:
        return Standing.MISSING if now > late_from else Standing.PENDING
    if complete_at > late_from:
        return Standing.LATE
    return Standing.POOR if poor else Standing.MET
