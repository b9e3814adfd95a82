"""What parties measure: which reports to ask for, what they say, and which are late or missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from openadr_core.model.report import Quality, Reading, ReportOffer, ReportRequest

TELEMETRY = "TELEMETRY_USAGE"
ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedReport:
    """A party's offer, with what turns the numbers of its wire into watts."""

    offer: ReportOffer
    factors: Mapping[str, float]
    """By rID. A point that is missing here is in a unit that is not power: it is not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedReport:
    """A report that was asked of a party, and how it comes in."""

    request: ReportRequest
    confirmed_at: datetime | None = None
    """When the party listed it as pending."""
    received_at: datetime | None = None
    """When data last arrived for it."""
    covered_until: datetime | None = None
    """The end of the newest interval that arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryWish:
    """How finely and how often parties are to report; each is asked for the nearest it can do."""

    granularity: timedelta = timedelta(seconds=5)
    report_back: timedelta = timedelta(seconds=5)


def requests_for(
    offers: Iterable[OfferedReport], wish: TelemetryWish, *, new_id: Callable[[], str], now: datetime
) -> Iterator[RequestedReport]:
    """A periodic request, for ever, of all that an offer has in watts; other reports are not asked for."""
    for offered in offers:
        points = [point for point in offered.offer.data_points if point.r_id in offered.factors]
        if offered.offer.report_name != TELEMETRY or not points:
            continue
        finest = max(point.min_period for point in points)
        coarsest = min(point.max_period for point in points)
        granularity = max(min(wish.granularity, coarsest), finest)  # 2.0b R317
        intervals = max(1, -(-wish.report_back // granularity)) if granularity else 1
        yield RequestedReport(
            request=ReportRequest(
                id=new_id(),
                specifier_id=offered.offer.specifier_id,
                r_ids=tuple(point.r_id for point in points),
                granularity=granularity,
                report_back=max(granularity * intervals, wish.report_back if not granularity else ZERO),
                starts_at=now,
                duration=None,
            )
        )


def confirmed(requested: RequestedReport, now: datetime) -> RequestedReport:
    return replace(requested, confirmed_at=requested.confirmed_at or now)


def received(requested: RequestedReport, readings: Sequence[Reading], now: datetime) -> RequestedReport:
    """The request after data for it has come."""
    ends = [reading.starts_at + reading.duration for reading in readings]
    if requested.covered_until is not None:
        ends.append(requested.covered_until)
    return replace(confirmed(requested, now), received_at=now, covered_until=max(ends, default=None))


def late_by(requested: RequestedReport, now: datetime) -> timedelta:
    """How long a report has been due that has not come; nothing while it is in time.

    The first is due one period after the start, each other one period after the last; half a period
    is left for the way.
    """
    request = requested.request
    since = max(requested.received_at or request.starts_at, request.starts_at)
    due_at = since + request.report_back * 1.5
    if request.duration is not None:
        due_at = min(due_at, request.starts_at + request.duration + request.report_back * 1.5)
        if requested.covered_until is not None and requested.covered_until >= request.starts_at + request.duration:
            return ZERO
    return max(now - due_at, ZERO)


def gaps(readings: Iterable[Reading], since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of ``[since, until)`` that no usable reading covers."""
    at = since
    for reading in sorted(readings, key=lambda one: one.starts_at):
        if reading.quality is Quality.BAD:
            continue
        start, end = max(reading.starts_at, since), min(reading.starts_at + reading.duration, until)
        if start > at:
            yield (at, min(start, until))
        at = max(at, end)
        if at >= until:
            return
    if at < until:
        yield (at, until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a party did in one interval."""

    starts_at: datetime
    duration: timedelta
    metered_w: float
    baseline_w: float

    @property
    def delivered_w(self) -> float:
        """Less net import than without the event: baseline minus meter."""
        return self.baseline_w - self.metered_w


def delivered(metered: Iterable[Reading], baseline: Iterable[Reading]) -> list[Delivered]:
    """Interval by interval, where both were reported and neither is bad."""
    usual_w = {reading.starts_at: reading.value for reading in baseline if reading.quality is not Quality.BAD}
    return [
        Delivered(
            starts_at=reading.starts_at,
            duration=reading.duration,
            metered_w=reading.value,
            baseline_w=usual_w[reading.starts_at],
        )
        for reading in metered
        if reading.quality is not Quality.BAD and reading.starts_at in usual_w
    ]
