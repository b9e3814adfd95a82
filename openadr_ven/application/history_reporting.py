"""The fleet's past, in steps of a few minutes: written as each is over, kept for weeks, reported when asked."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from openadr_core.model.report import Quality, Reading, ReportRequest
from openadr_ven.application.report_offers import HISTORY_STEP
from openadr_ven.application.reporting import Meter, Metered, readings_of
from openadr_ven.domain.held import HistoryStep

STEP_S = int(HISTORY_STEP.total_seconds())


def step_of(moment: datetime) -> datetime:
    """The beginning of the step that a moment lies in."""
    return datetime.fromtimestamp(int(moment.timestamp()) // STEP_S * STEP_S, UTC)


def due_steps(reached: datetime, meter: Meter, *, kept: timedelta, now: datetime) -> Iterator[HistoryStep]:
    """The steps that are over since ``reached``, oldest first.

    Those in which we were down are steps too: nothing was measured in them, and they say so.
    """
    at = max(step_of(reached), step_of(now - kept))
    while (ends_at := at + HISTORY_STEP) <= now and meter.is_complete(ends_at, now):
        metered = meter.over(at, ends_at)
        yield HistoryStep(starts_at=at, power_w=metered.power_w, baseline_w=metered.baseline_w, quality=metered.quality)
        at = ends_at


def span_of(request: ReportRequest, *, kept: timedelta, now: datetime) -> tuple[datetime, datetime]:
    """From when to when history is asked for (2.0b R317, R325): all since the start where no duration says else.

    Interpretation: what is asked for beyond now, or before what is kept, is not there to be told.
    """
    since = max(request.starts_at, now - kept)
    until = now if request.ends_at is None else min(request.ends_at, now)
    return since, until


def history_readings(request: ReportRequest, steps: Sequence[HistoryStep], since: datetime) -> tuple[Reading, ...]:
    """A reading for each step and point; where there is no step, a placeholder that is bad (2.0b R318)."""
    # R325: nothing before the start that was asked for, so the placeholder begins there, and not with a step.
    found = steps or [_unknown(since)]
    return tuple(
        reading
        for step in found
        for reading in readings_of(
            request,
            step.starts_at,
            HISTORY_STEP,
            Metered(power_w=step.power_w, baseline_w=step.baseline_w, quality=step.quality),
        )
    )


def _unknown(starts_at: datetime) -> HistoryStep:
    """A placeholder (2.0b R318)."""
    return HistoryStep(starts_at=starts_at, power_w=0.0, baseline_w=0.0, quality=Quality.BAD)
