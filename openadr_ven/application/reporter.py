"""Makes the reports that were asked for, and hands them to the conversation, oldest first.

What is made is in the store before it is told, and stays there until the VTN has acknowledged it, or
it is too old to matter. The conversation is given so much of it at a time, so that days without a VTN
fill the disk within its bound and never the memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from openadr_core.limits import REPORT_INTERVALS_MAX
from openadr_ven.application.device_metering import DEVICES, DeviceMeters
from openadr_ven.application.history_reporting import due_steps, history_readings, span_of
from openadr_ven.application.observation import Observation
from openadr_ven.application.offered import OfferedLog, SetpointLog
from openadr_ven.application.ports import UnitOfWork
from openadr_ven.application.report_offers import BUFFERED, HISTORY_STEP, STATUS
from openadr_ven.application.reporting import BaselineSpan, DueReport, Meter, due_reports
from openadr_ven.application.status_reporting import Resources, StatusLog, due_statuses
from openadr_ven.domain.held import Batch, StatusSample, WantedReport
from openadr_ven.fleet.columns import Floats

MADE_AT_ONCE_MAX = 60
"""Reports of one request in one round: an hour to make up for is made up for in a minute."""
HANDED_MAX = 200
"""Reports that the conversation is to tell at a time, besides those that wait for a later report."""
SPANS_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long what was measured is kept."""

    history: timedelta
    undelivered: timedelta
    """Reports that the VTN has not acknowledged: older ones are given up; history tells of them still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRound:
    """What came of one round; it counts once it is stored."""

    wanted: dict[str, WantedReport]
    """What is still wanted."""
    batches: tuple[Batch, ...]
    """For the conversation."""
    reached: datetime
    """The end of the history that is written."""
    more: bool
    """The store may hold reports beyond those."""


class Reporter:
    def __init__(
        self, *, seen: Observation, resources: Resources, kept: Kept, now: datetime, devices: DeviceMeters | None = None
    ) -> None:
        """``devices``: those that the VTN knows one by one."""
        self._seen = seen
        self._devices = devices
        self._resources = resources
        self._kept = kept
        self._started_at = now
        self._spans: list[BaselineSpan] = []
        self._log = StatusLog()
        self.offered = OfferedLog()
        """What the fleet could be asked for, as it was looked at."""
        self.setpoints = SetpointLog()
        self._reached = now
        """The end of the history that is written."""
        self._handed: set[int] = set()
        self._handed_until = 0
        self._more = True
        """The store may hold reports that were not handed over."""

    async def restore(self, unit: UnitOfWork, *, now: datetime) -> None:
        """Take up where the store says that we were."""
        self._seen.restore(await unit.metered(now - BUFFERED))
        self._log = StatusLog(await unit.status_samples(now - BUFFERED))
        newest = await unit.newest_history()
        self._reached = now if newest is None else newest.starts_at + HISTORY_STEP

    # -- the baseline of events -----------------------------------------------------------

    def baseline_begins(self, starts_at: datetime, power_w: float, *, ends_at: datetime | None = None) -> None:
        """From then on the fleet would have taken so much: until then, or until it is let go."""
        if not (self._spans and self._spans[-1].ends_at is None):
            self._spans.append(BaselineSpan(starts_at=starts_at, ends_at=ends_at, power_w=power_w))

    def baseline_ends(self, now: datetime) -> None:
        self._spans = [replace(span, ends_at=span.ends_at or now) for span in self._spans[-SPANS_KEPT:]]

    # -- the round ------------------------------------------------------------------------

    async def round(
        self, unit: UnitOfWork, wanted: Mapping[str, WantedReport], *, normal_w: Floats, now: datetime
    ) -> ReportRound:
        """What is due, written; ``normal_w`` is each device's net import without the event, or what it takes."""
        meter = Meter(
            seen=self._seen,
            spans=self._spans,
            silent_w=self._seen.by_gateway(normal_w),
            started_at=self._started_at,
            offered=self.offered,
            setpoints=self.setpoints,
        )
        if self._devices is not None:
            self._devices.look(now)
        if self._log.is_due(now):
            sample = self._sample(normal_w, now)
            await unit.add_status_sample(sample)
            self._log.add(sample)  # a look that is not stored is a look all the same
        steps = list(due_steps(self._reached, meter, kept=self._kept.history, now=now))
        await unit.save_history(steps)
        still, more = dict(wanted), self._more
        for request_id, one in wanted.items():
            for due in await self._due(unit, one, meter, now):
                more = True
                await _add(unit, due, now)
                still[request_id] = due.wanted
                if due.finished:
                    del still[request_id]
                    await unit.forget_wanted_report(request_id)
            if request_id in still and still[request_id] != one:
                await unit.save_wanted_report(still[request_id])
        room = HANDED_MAX - len(self._handed)
        batches = await unit.unsent_batches(after=self._handed_until, limit=room) if more and room else []
        return ReportRound(
            wanted=still,
            batches=tuple(batches),
            reached=steps[-1].starts_at + HISTORY_STEP if steps else self._reached,
            more=more and len(batches) == room,
        )

    def stored(self, made: ReportRound) -> None:
        """That round counts."""
        self._reached, self._more = made.reached, made.more
        if made.batches:
            self._handed.update(batch.number for batch in made.batches)
            self._handed_until = made.batches[-1].number

    def settled(self, numbers: Iterable[int]) -> None:
        """The conversation is done with these, or has put them aside for later, and can be given others."""
        self._handed.difference_update(numbers)

    async def tidy(self, unit: UnitOfWork, now: datetime) -> int:
        """Drop what is too old; how many reports were given up."""
        await unit.forget_metered(now - BUFFERED)
        await unit.forget_status_samples(now - BUFFERED)
        await unit.forget_history(now - self._kept.history)
        return await unit.forget_batches(now - self._kept.undelivered)

    def _sample(self, normal_w: Floats, now: datetime) -> StatusSample:
        seen = self._seen
        if not seen.has_heard_any():
            return StatusSample(at=now.replace(microsecond=0), statuses={})
        return StatusSample(
            at=now.replace(microsecond=0), statuses=self._resources.statuses(seen.state, seen.live(now), normal_w)
        )

    async def _due(self, unit: UnitOfWork, wanted: WantedReport, meter: Meter, now: datetime) -> list[DueReport]:
        request = wanted.request
        if request.history:
            since, until = span_of(request, kept=self._kept.history, now=now)
            readings = history_readings(request, await unit.history(since, until), since)
            return [DueReport(wanted=wanted, readings=readings, finished=True)]
        found: Iterator[DueReport]
        if request.specifier_id == DEVICES and self._devices is not None:
            found = self._devices.due(wanted, now=now)
        elif request.specifier_id == STATUS:
            found = due_statuses(wanted, self._log, now=now)
        else:
            found = due_reports(wanted, meter, now=now)
        return list(islice(found, MADE_AT_ONCE_MAX))


async def _add(unit: UnitOfWork, due: DueReport, now: datetime) -> None:
    """One report, or, where it would be too large to be read, several with a part each."""
    moments = sorted({one.starts_at for one in due.readings} | {one.at for one in due.statuses})
    parts = range(0, len(moments), REPORT_INTERVALS_MAX)
    for first in parts:
        chosen = set(moments[first : first + REPORT_INTERVALS_MAX])
        await unit.add_batch(
            due.wanted.request,
            readings=[one for one in due.readings if one.starts_at in chosen],
            statuses=[one for one in due.statuses if one.at in chosen],
            last=due.finished and first == parts[-1],
            made_at=now,
        )
