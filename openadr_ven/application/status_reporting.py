"""How the fleet's resources stand: looked at every few seconds, kept for an hour, reported as asked.

A resource is the whole fleet, or its devices of one class.

* Online: some device of it was heard lately. Interpretation: an aggregate answers if any part of it does.
* Manual override: all of its devices that are heard were taken back by their owners, so that nothing of it
  would follow. Interpretation: one household among thousands does not override the others.
* Capacity: its net import as a share of its rating, beside what is normal without the event.
* Percent offset: by how much its net import differs from normal.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from openadr_core.model.report import (
    Control,
    ControlValue,
    Quality,
    ReportRequest,
    ResourceStatus,
    StatusReading,
)
from openadr_ven.application.report_offers import BUFFERED, STATUS_PERIOD
from openadr_ven.application.reporting import DueReport, is_finished, next_end
from openadr_ven.domain.held import StatusSample, WantedReport
from openadr_ven.fleet.columns import Fleet, FleetState, Floats, Mask

PLACEHOLDER = ResourceStatus(
    online=False,
    manual_override=False,
    controls={
        Control.CAPACITY: ControlValue(current=0.0, minimum=0.0, maximum=0.0, normal=0.0),
        Control.PERCENT_OFFSET: ControlValue(current=0.0, normal=0.0),
    },
)
"""Of what nothing is known; it comes with a bad quality (2.0b R318)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The fleet's rows by resource."""

    fleet: Fleet
    names: tuple[str, ...]
    """As :func:`.report_offers.resources_of` gives them: the whole, then its classes in ascending order."""

    def statuses(self, state: FleetState, live: Mask, normal_w: Floats) -> dict[str, ResourceStatus]:
        """How each stands; ``normal_w`` is each row's net import without the event."""
        fleet = self.fleet
        codes, classes = np.unique(fleet.device_class, return_inverse=True)

        def by_class(values: Floats) -> Floats:
            return np.bincount(classes, weights=values, minlength=codes.size).astype(np.float64)

        columns = np.stack(
            [
                by_class(live.astype(np.float64)),
                by_class((live & state.override).astype(np.float64)),
                by_class(state.power_w),
                by_class(normal_w),
                by_class(fleet.import_max_w),
                by_class(fleet.export_max_w),
            ]
        )
        rows = [columns.sum(axis=1), *columns.T]
        return {name: _status(*(float(value) for value in row)) for name, row in zip(self.names, rows, strict=True)}


def _status(  # noqa: PLR0917  # one row of columns
    live: float, overridden: float, power_w: float, normal_w: float, import_w: float, export_w: float
) -> ResourceStatus:
    rating_w = max(import_w, export_w) or 1.0
    offset = (power_w - normal_w) / abs(normal_w) * 100 if normal_w else 0.0
    return ResourceStatus(
        online=live > 0,
        manual_override=0 < live <= overridden,
        controls={
            Control.CAPACITY: ControlValue(
                current=power_w / rating_w,
                minimum=-export_w / rating_w,
                maximum=import_w / rating_w,
                normal=normal_w / rating_w,
            ),
            Control.PERCENT_OFFSET: ControlValue(current=offset, normal=0.0),
        },
    )


class StatusLog:
    """The samples of the last hour, oldest first."""

    def __init__(self, kept: Iterable[StatusSample] = ()) -> None:
        self._samples = deque(kept, maxlen=int(BUFFERED / STATUS_PERIOD))

    def is_due(self, now: datetime) -> bool:
        return not self._samples or now >= self._samples[-1].at + STATUS_PERIOD

    def add(self, sample: StatusSample) -> None:
        self._samples.append(sample)

    @property
    def newest(self) -> StatusSample | None:
        return self._samples[-1] if self._samples else None

    def at(self, moment: datetime) -> StatusSample | None:
        """The newest that was taken by then, if it is not older than a report can be wrong by."""
        found = next((one for one in reversed(self._samples) if one.at <= moment), None)
        return found if found is not None and found.at > moment - 2 * STATUS_PERIOD else None

    def between(self, since: datetime, until: datetime) -> list[StatusSample]:
        return [one for one in self._samples if since <= one.at < until]


def due_statuses(wanted: WantedReport, log: StatusLog, *, now: datetime) -> Iterator[DueReport]:
    """The reports of status that can be made now, oldest first."""
    request = wanted.request
    if request.is_one_shot:
        yield DueReport(wanted=wanted, statuses=_readings(request, now, log.newest), finished=True)
        return
    oldest = now - BUFFERED
    if wanted.reported_until < oldest:
        wanted = replace(wanted, reported_until=oldest.replace(microsecond=0))
    while (ends_at := next_end(wanted)) <= now:
        made = _changes(wanted, ends_at, log) if request.is_on_change else _steps(wanted, ends_at, log)
        finished = wanted.last_one or is_finished(request, ends_at)
        wanted = replace(made.wanted, reported_until=ends_at)
        yield replace(made, wanted=wanted, finished=finished)
        if finished:
            return


def _steps(wanted: WantedReport, ends_at: datetime, log: StatusLog) -> DueReport:
    statuses: list[StatusReading] = []
    at = wanted.reported_until
    while at < ends_at:
        statuses += _readings(wanted.request, at, log.at(at))
        at += wanted.request.granularity
    return DueReport(wanted=wanted, statuses=tuple(statuses), finished=False)


def _changes(wanted: WantedReport, ends_at: datetime, log: StatusLog) -> DueReport:
    """2.0b R317: each sample that differs from the one before it; if none does, one that says so."""
    told, statuses = wanted.told, list[StatusReading]()
    for sample in log.between(wanted.reported_until, ends_at):
        news = _told(wanted.request, sample.statuses)
        if news != told:
            told = news
            statuses += _readings(wanted.request, sample.at, sample)
    if not statuses:
        at = wanted.reported_until
        before = _readings(wanted.request, at, log.at(ends_at))
        statuses = [
            replace(one, quality=Quality.UNCHANGED, cause="") if one.quality is Quality.GOOD else one for one in before
        ]
    return DueReport(wanted=replace(wanted, told=told), statuses=tuple(statuses), finished=False)


def _told(request: ReportRequest, statuses: Mapping[str, ResourceStatus]) -> tuple[str, ...]:
    """Interpretation: a control has changed when it has to two digits; a fleet's power is never still."""
    return tuple(
        " ".join(
            [str(found.online), str(found.manual_override), *(f"{one.current:.2g}" for one in found.controls.values())]
        )
        for found in (statuses.get(r_id, PLACEHOLDER) for r_id in request.r_ids)
    )


def _readings(request: ReportRequest, at: datetime, sample: StatusSample | None) -> tuple[StatusReading, ...]:
    """R334: what nothing is known of has the shape of what is known, with a placeholder in it."""
    statuses = {} if sample is None else sample.statuses
    return tuple(
        StatusReading(r_id=r_id, at=at.replace(microsecond=0), status=statuses[r_id])
        if r_id in statuses
        else StatusReading(
            r_id=r_id, at=at.replace(microsecond=0), status=PLACEHOLDER, quality=Quality.BAD, cause="Not Connected"
        )
        for r_id in request.r_ids
    )
