"""Telemetry of the fleet's usage: which reports are due, and what is in them.

A report is made when every gateway that is heard has measured past its end, or has had its time.
Where nobody measured, a silent device is taken to be at its default, and the reading says that it is
estimated; where nobody measured anything it says that it is bad (2.0b R318).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from openadr_core.model.report import Quality, Reading, ReportRequest, StatusReading
from openadr_ven.application.observation import Observation
from openadr_ven.application.offered import OfferedLog, SetpointLog
from openadr_ven.application.report_offers import (
    BASELINE_POINT,
    BUFFERED,
    ENERGY_POINT,
    POWER_POINT,
    SECOND,
    SETPOINT_POINT,
)
from openadr_ven.domain.held import WantedReport
from openadr_ven.fleet.columns import Floats

HOUR = timedelta(hours=1)
KEPT = BUFFERED - timedelta(minutes=1)
"""How far back a report can reach: what is buffered, less a minute in which it may still be made."""
PATIENCE = timedelta(seconds=60)
"""How long a report waits for samples that may still come: a broker that is back brings what it kept."""
START_UP = timedelta(seconds=5)
"""After a start every gateway is waited for, heard or not, but not for longer."""
CAUSES = {Quality.ESTIMATED: "Last Usable Value", Quality.BAD: "Comm Failure"}
"""In the words of 2.0b's data quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSpan:
    """The fleet's baseline, from when an event was taken up until it was let go."""

    starts_at: datetime
    ends_at: datetime | None
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The fleet's meter, and what is needed to read it where nobody measured."""

    seen: Observation
    spans: Sequence[BaselineSpan]
    silent_w: Floats
    """By gateway: what stands in for those that are silent."""
    started_at: datetime
    offered: OfferedLog = field(default_factory=OfferedLog)
    setpoints: SetpointLog = field(default_factory=SetpointLog)

    def is_complete(self, ends_at: datetime, now: datetime) -> bool:
        """Whether nothing more is to be expected from before a moment."""
        if now >= max(ends_at, self.started_at) + PATIENCE:
            return True
        if now < self.started_at + START_UP and not self.seen.has_heard_all():
            return False
        return self.seen.has_caught_up(ends_at, now=now)

    def over(self, starts_at: datetime, ends_at: datetime) -> "Metered":
        """Means over ``[starts_at, ends_at)``, second by second."""
        starts_s = int(starts_at.timestamp())
        seconds = range(starts_s, max(int(ends_at.timestamp()), starts_s + 1))
        found = [self.seen.fleet_power_w(second, silent_w=self.silent_w) for second in seconds]
        shares = [share for _, share in found]
        quality = Quality.GOOD if min(shares) == 1.0 else Quality.BAD if max(shares) == 0.0 else Quality.ESTIMATED
        power_w = [power for power, _ in found]
        baseline_w = [self._baseline_w(second, power) for second, power in zip(seconds, power_w, strict=True)]
        return Metered(
            power_w=float(np.mean(power_w)),
            baseline_w=float(np.mean(baseline_w)),
            quality=quality,
            seen=self.offered.at(starts_at),
            setpoint_w=self.setpoints.mean_w(seconds.start, seconds.stop),
        )

    def _baseline_w(self, second: int, power_w: float) -> float:
        """Interpretation: without an event the baseline is what the fleet takes."""
        at = datetime.fromtimestamp(second, UTC)
        found = (span for span in self.spans if span.starts_at <= at and (span.ends_at is None or at < span.ends_at))
        return next((span.power_w for span in found), power_w)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    power_w: float
    baseline_w: float
    quality: Quality
    """ESTIMATED if some gateway's part is assumed, BAD if all of it is."""
    seen: Mapping[str, float] = field(default_factory=dict)
    """By data point, what is looked at now and then; empty where nobody had."""
    setpoint_w: float | None = None
    """None where the fleet was free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReport:
    wanted: WantedReport
    """As it is after this report."""
    readings: tuple[Reading, ...] = ()
    statuses: tuple[StatusReading, ...] = ()
    finished: bool
    """Nothing more is wanted."""


def first_moment(request: ReportRequest, now: datetime) -> datetime:
    """Where the first report of a request begins, to the second (2.0b R324, R325): at its dtstart.

    Interpretation: where that is longer past than data is kept, with the report that would be under way, so that
    reports end at the moments that were asked for. What is asked for once begins now.
    """
    starts_at = request.starts_at.replace(microsecond=0)
    if not request.report_back:
        return now.replace(microsecond=0)
    if starts_at >= now - KEPT:
        return starts_at
    return starts_at + (now - starts_at) // request.report_back * request.report_back


def due_reports(wanted: WantedReport, meter: Meter, *, now: datetime) -> Iterator[DueReport]:
    """The reports of usage that can be made now, oldest first."""
    request = wanted.request
    if request.is_one_shot:
        yield _newest(wanted, meter, now)
        return
    if wanted.reported_until < now - KEPT:
        wanted = replace(wanted, reported_until=(now - KEPT).replace(microsecond=0))
    while (ends_at := next_end(wanted)) <= now and meter.is_complete(ends_at, now):
        made = _changes(wanted, ends_at, meter) if request.is_on_change else _steps(wanted, ends_at, meter)
        finished = wanted.last_one or is_finished(request, ends_at)
        wanted = replace(made.wanted, reported_until=ends_at)
        yield replace(made, wanted=wanted, finished=finished)
        if finished:
            return


def next_end(wanted: WantedReport) -> datetime:
    """When the next report ends: after its time, or with the request's."""
    ends_at = wanted.reported_until + wanted.request.report_back
    last = wanted.request.ends_at
    return ends_at if last is None else max(min(ends_at, last.replace(microsecond=0)), wanted.reported_until + SECOND)


def is_finished(request: ReportRequest, ends_at: datetime) -> bool:
    return request.ends_at is not None and ends_at >= request.ends_at.replace(microsecond=0)


def readings_of(request: ReportRequest, at: datetime, length: timedelta, metered: Metered) -> list[Reading]:
    """A reading for each point that was asked for."""
    return [_reading(r_id, at, length, *_told(r_id, length, metered)) for r_id in request.r_ids]


def _told(r_id: str, length: timedelta, metered: Metered) -> tuple[float, Quality]:
    measured = {
        POWER_POINT: metered.power_w,
        ENERGY_POINT: metered.power_w * (length / HOUR),
        BASELINE_POINT: metered.baseline_w,
    }
    if r_id in measured:
        return measured[r_id], metered.quality
    if r_id == SETPOINT_POINT:
        free = metered.setpoint_w is None
        return metered.setpoint_w or 0.0, Quality.MISSING if free else Quality.GOOD
    return metered.seen.get(r_id, 0.0), Quality.GOOD if r_id in metered.seen else Quality.BAD


def _reading(r_id: str, at: datetime, length: timedelta, value: float, quality: Quality) -> Reading:
    return Reading(
        r_id=r_id, starts_at=at, duration=length, value=value, quality=quality, cause=CAUSES.get(quality, "")
    )


def _newest(wanted: WantedReport, meter: Meter, now: datetime) -> DueReport:
    """2.0b R337: the newest second of the buffer, at once; if nobody is heard, the last one, which is bad (R318)."""
    ends_at = meter.seen.complete_until(now) or now.replace(microsecond=0)
    starts_at = ends_at - SECOND
    readings = readings_of(wanted.request, starts_at, SECOND, meter.over(starts_at, ends_at))
    return DueReport(wanted=replace(wanted, reported_until=ends_at), readings=tuple(readings), finished=True)


def _steps(wanted: WantedReport, ends_at: datetime, meter: Meter) -> DueReport:
    readings: list[Reading] = []
    at = wanted.reported_until
    while at < ends_at:
        until = min(at + wanted.request.granularity, ends_at)
        readings += readings_of(wanted.request, at, until - at, meter.over(at, until))
        at = until
    return DueReport(wanted=wanted, readings=tuple(readings), finished=False)


def _changes(wanted: WantedReport, ends_at: datetime, meter: Meter) -> DueReport:
    """2.0b R317: an interval from each change to the next; if nothing changed, one that says so.

    Interpretation: what changes is what the fleet's power and baseline are to three digits. A fleet's meter
    is never still, and its noise is no news.
    """
    seconds = int((ends_at - wanted.reported_until) / SECOND)
    moments = [wanted.reported_until + number * SECOND for number in range(seconds)]
    told, changes = wanted.told, []
    for at in moments:
        metered = meter.over(at, at + SECOND)
        news = (f"{metered.power_w:.3g}", f"{metered.baseline_w:.3g}", metered.quality.value)
        if news != told:
            told = news
            changes.append(at)
    unchanged = not changes
    starts = changes or moments[:1]
    readings: list[Reading] = []
    for at, until in zip(starts, [*starts[1:], ends_at], strict=True):
        found = meter.over(at, until)
        made = readings_of(wanted.request, at, until - at, found)
        readings += [replace(one, quality=Quality.UNCHANGED, cause="") for one in made] if unchanged else made
    return DueReport(wanted=replace(wanted, told=told), readings=tuple(readings), finished=False)
