"""Periodic telemetry: which reports are due, and what is in them.

A report is made when every gateway that is heard has measured past its end, or has had its time.
Where nobody measured, a silent device is taken to be at its default, and the reading says that it is
estimated; where nobody measured anything it says that it is bad (2.0b R318).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from openadr_core.model.report import DataPoint, Measurand, Reading, ReportOffer
from openadr_ven.application.observation import SUMS_S, Observation, measured_between
from openadr_ven.domain.held import WantedReport
from openadr_ven.fleet.columns import Floats

SECOND = timedelta(seconds=1)
PATIENCE = timedelta(seconds=60)
"""How long a report waits for samples that may still come: a broker that is back brings what it kept."""
START_UP = timedelta(seconds=5)
"""After a start every gateway is waited for, heard or not, but not for longer."""
POWER_POINT, BASELINE_POINT = "power", "baseline"
BUFFERED = timedelta(seconds=SUMS_S)

OFFER = ReportOffer(
    specifier_id="fleet_usage",
    report_name="TELEMETRY_USAGE",
    data_points=tuple(
        DataPoint(r_id=r_id, measurand=measurand, min_period=SECOND, max_period=timedelta(minutes=15))
        for r_id, measurand in ((POWER_POINT, Measurand.USAGE), (BASELINE_POINT, Measurand.BASELINE))
    ),
    buffered=BUFFERED,
)
"""What this agent can report: its fleet's power, and what that would be without the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSpan:
    """The fleet's baseline, from when an event was taken up until it was let go."""

    starts_at: datetime
    ends_at: datetime | None
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReport:
    wanted: WantedReport
    """As it is after this report."""
    readings: tuple[Reading, ...]
    finished: bool
    """Nothing more is wanted."""


def due_reports(
    wanted: WantedReport,
    seen: Observation,
    *,
    spans: list[BaselineSpan],
    silent_w: Floats,
    started_at: datetime,
    now: datetime,
) -> Iterator[DueReport]:
    """The reports that can be made now, oldest first."""
    oldest = now - BUFFERED + timedelta(minutes=1)
    if wanted.reported_until < oldest:
        wanted = replace(wanted, reported_until=oldest)
    while (ends_at := _next_end(wanted)) <= now and _is_complete(seen, ends_at, started_at=started_at, now=now):
        readings = tuple(_readings(wanted, ends_at, seen, spans=spans, silent_w=silent_w))
        finished = wanted.last_one or _is_finished(wanted, ends_at)
        wanted = replace(wanted, reported_until=ends_at)
        yield DueReport(wanted=wanted, readings=readings, finished=finished)
        if finished:
            return


def _next_end(wanted: WantedReport) -> datetime:
    request = wanted.request
    # R324: a reportBackDuration of nothing asks for one report, at once.
    return wanted.reported_until + (request.report_back or request.granularity or SECOND)


def _is_finished(wanted: WantedReport, ends_at: datetime) -> bool:
    request = wanted.request
    if not request.report_back:
        return True
    return request.duration is not None and ends_at >= request.starts_at + request.duration


def _is_complete(seen: Observation, ends_at: datetime, *, started_at: datetime, now: datetime) -> bool:
    if now >= max(ends_at, started_at) + PATIENCE:
        return True
    if now < started_at + START_UP and not seen.has_heard_all():
        return False
    return seen.has_caught_up(ends_at, now=now)


def _readings(
    wanted: WantedReport, ends_at: datetime, seen: Observation, *, spans: list[BaselineSpan], silent_w: Floats
) -> Iterator[Reading]:
    request = wanted.request
    # R317: a granularity of nothing is "on change"; the fleet's power always changes, so one value a report.
    length = request.granularity or (ends_at - wanted.reported_until)
    at = wanted.reported_until
    while at < ends_at:
        measured = measured_between(seen, int(at.timestamp()), int((at + length).timestamp()), silent_w=silent_w)
        values = {POWER_POINT: measured.power_w, BASELINE_POINT: _baseline_w(spans, at, measured.power_w)}
        for r_id in request.r_ids:
            yield Reading(r_id=r_id, starts_at=at, duration=length, value=values[r_id], quality=measured.quality)
        at += length


def _baseline_w(spans: list[BaselineSpan], at: datetime, power_w: float) -> float:
    """Interpretation: without an event the baseline is what the fleet takes."""
    found = (span for span in spans if span.starts_at <= at and (span.ends_at is None or at < span.ends_at))
    return next((span.power_w for span in found), power_w)
