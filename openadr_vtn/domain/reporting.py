"""What parties measure: which reports to ask for, what they say, and which are late or missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from math import isfinite

from openadr_core.errors import RuleBroken
from openadr_core.limits import READING_MAX
from openadr_core.model.report import (
    DataPoint,
    Quality,
    Reading,
    ReportOffer,
    ReportRequest,
    StatusReading,
)

USAGE, STATUS = "TELEMETRY_USAGE", "TELEMETRY_STATUS"
ZERO = timedelta(0)
HOUR = timedelta(hours=1)
ONE_SHOT_WAIT = timedelta(minutes=1)
"""A report that is asked for once, or of the past, is sent at once: later than so it is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedReport:
    """A party's offer, with what turns the numbers of its wire into canonical units."""

    offer: ReportOffer
    factors: Mapping[str, float]
    """By rID."""


class RequestState(StrEnum):
    """How far a request has come; derived from its moments, never stored."""

    ASKED = "asked"
    """The party has not said that it will do it."""
    PENDING = "pending"
    """It has."""
    CANCELLING = "cancelling"
    """It is told to stop, and has not said that it has."""
    CANCELLED = "cancelled"
    REFUSED = "refused"
    DONE = "done"
    """All that was asked for has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedReport:
    """A report that was asked of a party, and how it comes in."""

    request: ReportRequest
    asked_at: datetime
    confirmed_at: datetime | None = None
    """When the party listed it as pending."""
    refusal: str = ""
    """Code and text with which the party refused it."""
    received_at: datetime | None = None
    """When data last arrived for it."""
    covered_until: datetime | None = None
    """The end of the newest interval that arrived."""
    quality: Quality | None = None
    """The worst of what arrived last."""
    cancel_asked_at: datetime | None = None
    """When it was decided to end it."""
    to_follow: bool = False
    """Exactly one more report was wanted after the cancel (2.0b R345)."""
    followed_at: datetime | None = None
    """When data came after the party had confirmed the cancel."""
    ended_at: datetime | None = None
    """When nothing more was to be expected of it."""

    @property
    def state(self) -> RequestState:
        if self.refusal:
            return RequestState.REFUSED
        if self.cancel_asked_at is not None:
            return RequestState.CANCELLING if self.ended_at is None else RequestState.CANCELLED
        if self.ended_at is not None:
            return RequestState.DONE
        return RequestState.ASKED if self.confirmed_at is None else RequestState.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryWish:
    """How finely and how often parties are to report; each is asked for the nearest it can do."""

    granularity: timedelta = timedelta(seconds=5)
    report_back: timedelta = timedelta(seconds=5)
    status_back: timedelta = ZERO
    """How often each says how its resources stand; nothing is never."""


# -- asking --------------------------------------------------------------------------


def requests_for(
    offers: Iterable[OfferedReport], wish: TelemetryWish, *, new_id: Callable[[], str], now: datetime
) -> Iterator[RequestedReport]:
    """A periodic request, for ever, of all telemetry; other reports are an operator's to ask for."""
    for offered in offers:
        offer = offered.offer
        if offer.report_name == USAGE:
            wanted, report_back = wish.granularity, wish.report_back
        elif offer.report_name == STATUS and wish.status_back:
            wanted = report_back = wish.status_back
        else:
            continue
        for points in _of_one_rate(offer.data_points):
            granularity = _within(wanted, points)
            intervals = max(1, -(-report_back // granularity)) if granularity else 1
            yield RequestedReport(
                asked_at=now,
                request=ReportRequest(
                    id=new_id(),
                    specifier_id=offer.specifier_id,
                    r_ids=tuple(point.r_id for point in points),
                    granularity=granularity,
                    report_back=max(granularity * intervals, ZERO if granularity else report_back),
                    starts_at=now,
                    duration=None,
                ),
            )


def _of_one_rate(points: Sequence[DataPoint]) -> list[Sequence[DataPoint]]:
    """All of them if there is a rate that they all can do; else each by itself; nothing of nothing."""
    if not points:
        return []
    finest, coarsest = max(point.min_period for point in points), min(point.max_period for point in points)
    return [points] if finest <= coarsest else [[point] for point in points]


def _within(wish: timedelta, points: Sequence[DataPoint]) -> timedelta:
    """2.0b R317: the nearest rate that all these points can do."""
    finest, coarsest = max(point.min_period for point in points), min(point.max_period for point in points)
    return max(min(wish, coarsest), finest)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWish:
    """What an operator asks of a party's report; empty rIDs are all of them."""

    specifier_id: str
    r_ids: tuple[str, ...]
    granularity: timedelta
    report_back: timedelta
    starts_at: datetime | None
    """None: now, and of history all that is kept."""
    duration: timedelta | None
    """None: until cancelled, and of history all since the start."""


def request_of(
    wish: RequestWish, offers: Iterable[OfferedReport], *, request_id: str, now: datetime
) -> RequestedReport:
    """The request, within what the party offers (2.0b R300, R317); RuleBroken says what it does not."""
    offer = next((one.offer for one in offers if one.offer.specifier_id == wish.specifier_id), None)
    if offer is None:
        raise RuleBroken(f"specifier: the party offers no report {wish.specifier_id}")
    known = {point.r_id: point for point in offer.data_points}
    r_ids = wish.r_ids or tuple(known)
    if unknown := [r_id for r_id in r_ids if r_id not in known]:
        raise RuleBroken(f"points: {wish.specifier_id} has no {unknown[0]}; it has {', '.join(known)}")
    if not r_ids:
        raise RuleBroken(f"points: {wish.specifier_id} has none")
    if offer.is_history:
        if wish.granularity or wish.report_back:
            raise RuleBroken("granularity, report_back: what was kept of the past comes whole and at once")
        if wish.starts_at is not None and wish.starts_at > now:
            raise RuleBroken("start: history lies in the past")
    else:
        _check_rates(wish, [known[r_id] for r_id in r_ids])
    return RequestedReport(
        asked_at=now,
        request=ReportRequest(
            id=request_id,
            specifier_id=offer.specifier_id,
            r_ids=r_ids,
            granularity=wish.granularity,
            report_back=wish.report_back,
            starts_at=wish.starts_at or (now - offer.buffered if offer.is_history else now),
            duration=wish.duration or None,
            history=offer.is_history,
        ),
    )


def _check_rates(wish: RequestWish, points: Sequence[DataPoint]) -> None:
    finest, coarsest = max(point.min_period for point in points), min(point.max_period for point in points)
    if wish.granularity and not finest <= wish.granularity <= coarsest:
        raise RuleBroken(f"granularity: the party can do {finest} to {coarsest}")
    if wish.report_back and wish.granularity > wish.report_back:
        raise RuleBroken("report_back: is shorter than the granularity, so that no interval fits in a report")
    if wish.report_back and not wish.granularity and wish.report_back < finest:
        raise RuleBroken(f"report_back: changes are told at most every {finest}")
    if not wish.report_back and (wish.starts_at is not None or wish.duration is not None):
        raise RuleBroken("start, duration: what is asked for once comes at once; say report_back too")


# -- what becomes of a request ---------------------------------------------------------


def confirmed(requested: RequestedReport, now: datetime) -> RequestedReport:
    return replace(requested, confirmed_at=requested.confirmed_at or now, refusal="")


def refused(requested: RequestedReport, said: str, now: datetime) -> RequestedReport:
    return replace(requested, refusal=said, ended_at=requested.ended_at or now)


def cancel_asked(requested: RequestedReport, now: datetime, *, to_follow: bool) -> RequestedReport:
    """It is to end, after exactly one more report if ``to_follow``; the first word about that stands."""
    if requested.cancel_asked_at is not None:
        return requested
    return replace(requested, cancel_asked_at=now, to_follow=to_follow)


def cancelled(requested: RequestedReport, now: datetime) -> RequestedReport:
    """The party has said that it makes it no more."""
    return replace(requested, ended_at=requested.ended_at or now)


def received(
    requested: RequestedReport,
    readings: Sequence[Reading],
    now: datetime,
    *,
    statuses: Sequence[StatusReading] = (),
) -> RequestedReport:
    """The request after data for it has come; data proves that the party has taken it."""
    ends = [reading.starts_at + reading.duration for reading in readings] + [status.at for status in statuses]
    if requested.covered_until is not None:
        ends.append(requested.covered_until)
    is_following = requested.state is RequestState.CANCELLED
    after = replace(
        confirmed(requested, now),
        received_at=now,
        covered_until=max(ends, default=None),
        quality=_worst([*(one.quality for one in readings), *(one.quality for one in statuses)]),
        followed_at=(requested.followed_at or now) if is_following else None,
    )
    return replace(after, ended_at=after.ended_at or now) if _is_complete(after) else after


def is_too_much(requested: RequestedReport) -> bool:
    """Whether data that comes now was cancelled, so that the party must be told (again, 2.0b R335).

    Not for the one report that was to follow, once the party has confirmed the cancel.
    """
    if requested.cancel_asked_at is None:
        return False
    return not requested.to_follow or requested.ended_at is None or requested.followed_at is not None


_ORDER = (Quality.GOOD, Quality.UNCHANGED, Quality.LIMITED, Quality.ESTIMATED, Quality.MISSING, Quality.BAD)


def _worst(qualities: Sequence[Quality]) -> Quality | None:
    return max(qualities, key=_ORDER.index, default=None)


def _is_complete(requested: RequestedReport) -> bool:
    request = requested.request
    if request.history or request.is_one_shot:
        return True
    return request.ends_at is not None and (requested.covered_until or request.starts_at) >= request.ends_at


def late_at(requested: RequestedReport) -> datetime | None:
    """When the next report will be late; None if none is to come any more.

    The first is due one period after the start, each other one period after the last; half a period
    is left for the way.
    """
    if requested.ended_at is not None:
        return None
    request = requested.request
    if not request.report_back:
        return requested.asked_at + ONE_SHOT_WAIT
    since = max(requested.received_at or request.starts_at, request.starts_at)
    due_at = since + request.report_back * 1.5
    return due_at if request.ends_at is None else min(due_at, request.ends_at + request.report_back * 1.5)


def late_by(requested: RequestedReport, now: datetime) -> timedelta:
    """How long a report has been due that has not come; nothing while it is in time."""
    due_at = late_at(requested)
    return ZERO if due_at is None else max(now - due_at, ZERO)


# -- readings --------------------------------------------------------------------------


def spans_of(readings: Sequence[Reading], granularity: timedelta) -> list[timedelta]:
    """For how long each reading of a report stands.

    Interpretation: 2.0b leaves open for how long a point in time stands (R315). It stands until the next of
    its kind, but no longer than the interval that was asked for; the last one, for that interval, or, where
    none was, as long as the one before it.
    """
    spans = [reading.duration for reading in readings]
    places: dict[str, list[int]] = {}
    for place, reading in enumerate(readings):
        if not reading.duration:
            places.setdefault(reading.r_id, []).append(place)
    for points in places.values():
        points.sort(key=lambda place: readings[place].starts_at)
        before = granularity
        for place, following in zip_longest(points, points[1:]):
            if following is not None:
                gap = readings[following].starts_at - readings[place].starts_at
                before = min(gap, granularity or gap)
            spans[place] = granularity or before if following is None else before
    return spans


def canonical(reading: Reading, factor: float, span: timedelta) -> Reading:
    """The reading in its point's canonical unit, over the time it stands for.

    What is no number is a placeholder, and bad (R318); so is what no party can have.
    """
    value = reading.value * factor
    good = isfinite(value) and abs(value) <= READING_MAX
    accuracy = None if reading.accuracy is None else abs(reading.accuracy * factor)
    return replace(
        reading,
        value=value if good else 0.0,
        quality=reading.quality if good else Quality.BAD,
        accuracy=accuracy if accuracy is not None and isfinite(accuracy) else None,
        duration=span,
    )


def mean_power(energy: Iterable[Reading]) -> list[Reading]:
    """Readings in Wh as the watts that they are on average over their intervals."""
    return [
        replace(reading, value=reading.value * (HOUR / reading.duration))
        for reading in energy
        if reading.duration > ZERO
    ]


def gaps(readings: Iterable[Reading], since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of ``[since, until)`` that no usable reading covers."""
    at = since
    for reading in sorted(readings, key=lambda one: one.starts_at):
        if not reading.quality.is_usable:
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
    usual_w = {reading.starts_at: reading.value for reading in baseline if reading.quality.is_usable}
    return [
        Delivered(
            starts_at=reading.starts_at,
            duration=reading.duration,
            metered_w=reading.value,
            baseline_w=usual_w[reading.starts_at],
        )
        for reading in metered
        if reading.quality.is_usable and reading.starts_at in usual_w
    ]
