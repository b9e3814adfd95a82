"""Which reports an event's reportDescriptor asks for, and when (OpenADR 3.1 User Guide 7.5 and 8.7).

The guide says things about startInterval that its diagrams contradict. Interpretation, with each
diagram as a case of the tests:

* A report looks back (``historical``) and is made when its last interval ends, or ahead, and is
  made when its first interval begins. The diagram of rolling forecasts, which makes them after
  what they forecast, is not followed; 8.8 says it in words.
* Looking back, startInterval is where the first report is made, and the intervals before it,
  itself included, are what it covers. Where there are not so many before it, it is the first one
  covered. Looking ahead, it is always the first one covered.
* startInterval −1 is the event's last interval, or, if reports come every so many intervals, the
  end of the first so many. numIntervals −1 is all there are between one report and the next.
* An event that repeats its intervals is reported lap by lap, without end, unless ``frequency``
  says otherwise (diagram "looping"); ``repeat`` then counts inside a lap.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from openadr_core.oadr3.layout import Layout, Placed
from openadr_core.oadr3.messages import ReportDescriptor

FOR_EVER = -1
INTERVALS_PER_REPORT_MAX = 10_000
"""More than a year of hours; a report with more would not pass any server's limit."""

NUMBERS = 2**31
"""Reports of one descriptor: one a second for 68 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReport:
    number: int
    """Counted from 0 through all reports of the descriptor: with the event and the payload type, its name."""
    due_at: datetime
    intervals: tuple[Placed, ...]
    """What it covers, oldest first."""


def planned_report(layout: Layout, descriptor: ReportDescriptor, number: int) -> PlannedReport | None:
    """The report with this number; None if no such one is asked for.

    None for an ad hoc descriptor either, nor for an event without intervals and without a period:
    those reports the VEN makes of its own accord.
    """
    if descriptor.is_ad_hoc or not layout.first or number >= _most(layout, descriptor):
        return None
    first, length = _span(layout, descriptor, number)
    return _report(layout, number, first, length, historical=descriptor.historical)


def due_reports(
    layout: Layout, descriptor: ReportDescriptor, *, obtained_at: datetime, since: datetime, until: datetime
) -> Iterator[PlannedReport]:
    """What falls due in ``(since, until]`` for a VEN that first read the event at ``obtained_at``, in order.

    7.5, "do it now": of the reports that were due before the event was read, the latest alone is
    made, at once.
    """

    def due_at(number: int) -> datetime:
        report = planned_report(layout, descriptor, number)
        return datetime.max.replace(tzinfo=UTC) if report is None else report.due_at

    # Reports fall due in the order of their numbers, and may have done so for years: the first one is searched for.
    after = bisect_right(range(NUMBERS), max(since, obtained_at), key=due_at)
    if since < obtained_at <= until and after:
        after -= 1
    for number in range(after, NUMBERS):
        report = planned_report(layout, descriptor, number)
        if report is None or report.due_at > until:
            return
        yield report


def _most(layout: Layout, asked: ReportDescriptor) -> int:
    by_lap = asked.frequency < 0 and layout.lap is not None and not layout.implied
    return NUMBERS if asked.repeat == FOR_EVER or by_lap else max(asked.repeat, 0)


def _span(layout: Layout, asked: ReportDescriptor, number: int) -> tuple[int, int]:
    """First interval and number of intervals of a report, before it is known whether they exist."""
    lap = len(layout.first)
    step = asked.frequency if asked.frequency > 0 else lap
    length = asked.num_intervals if asked.num_intervals > 0 else None
    first = _first_covered(asked, lap=lap, step=step, length=length)
    # All between this report and the next; of a single report, all that is left of the event.
    rest = step if asked.frequency > 0 else max(lap - first, 1)
    return first + number * step, min(length or rest, INTERVALS_PER_REPORT_MAX)


def _first_covered(asked: ReportDescriptor, *, lap: int, step: int, length: int | None) -> int:
    start = asked.start_interval
    if not asked.historical:
        return max(start, 0)
    if start >= 0:
        enough_before = length is not None and start - length + 1 >= 0
        return start - length + 1 if enough_before and length is not None else start
    made_at = step - 1 if asked.frequency > 0 else lap - 1
    return max(made_at - (length or made_at + 1) + 1, 0)


def _report(layout: Layout, number: int, first: int, length: int, *, historical: bool) -> PlannedReport | None:
    """None once the event has no more intervals; a report at its end covers those there are."""
    found = [placed for placed in (layout.nth(index) for index in range(first, first + length)) if placed is not None]
    if not found:
        return None
    intervals = tuple(sorted(found, key=lambda placed: placed.starts_at))
    if not historical:
        return PlannedReport(number=number, due_at=intervals[0].starts_at, intervals=intervals)
    ends = [placed.ends_at for placed in intervals]
    if None in ends:
        return None
    return PlannedReport(number=number, due_at=max(end for end in ends if end is not None), intervals=intervals)
