"""Reports that events ask for: what the agent is to measure, and what is sent when (R8).

The plan is :mod:`openadr_core.oadr3.report_plan`; readings come from the agent as for any other protocol, in steps
that fit into the event's intervals, and wait here until the report is due that needs them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from openadr_core.errors import RemoteProtocolError
from openadr_core.model.report import Quality, Reading, ReportRequest
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.layout import Layout, Placed, lay_out
from openadr_core.oadr3.messages import ReportDescriptor, ReportIntervals
from openadr_core.oadr3.readings import AGGREGATED, DATA_QUALITY
from openadr_core.oadr3.report_plan import PlannedReport, due_reports, planned_report
from openadr_core.oadr3.times import length_text, moment_text
from openadr_ven.application.report_offers import AVAILABLE_POINT, BASELINE_POINT, POWER_POINT, USAGE
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    Indication,
    ReportCancelled,
    ReportDelivered,
    ReportNotOffered,
    ReportRefused,
    ReportRequested,
)
from openadr_ven.protocols.oadr3.memory import KnownEvent, Memory, Reported

POINTS = {
    "DEMAND": POWER_POINT, "USAGE": POWER_POINT, "BASELINE": BASELINE_POINT, "UP_REGULATION_AVAILABLE": AVAILABLE_POINT,
}  # fmt: skip
"""By payload type. All are mean powers here; an energy is that, times the interval."""
STEPS_S = (900, 300, 60, 30, 10, 5, 1)
"""Lengths of what is measured, the longest first that fits into every interval."""
PATIENCE = timedelta(seconds=90)
"""After its time a report goes with what there is: the agent itself waits a minute for samples that may come."""
HOUR = timedelta(hours=1)
KILO = 1000.0
FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """One report descriptor of an event that we can serve."""

    known: KnownEvent
    place: int
    descriptor: ReportDescriptor
    layout: Layout

    @property
    def request_id(self) -> str:
        return f"{self.known.id}/{self.place}"

    @property
    def point(self) -> str:
        return POINTS[self.descriptor.payload_type]


@dataclass(frozen=True, slots=True)
class Post:
    """One report on its way."""

    asked: Asked
    planned: PlannedReport
    name: str
    body: dict[str, object]


def asked_of(known: KnownEvent) -> tuple[list[Asked], list[Indication]]:
    """What an event asks for and we can give; and what we cannot, to be said."""
    request = decode_event(known.document.encode())
    try:
        layout = lay_out(
            request.intervals, period=request.period, duration=request.duration, obtained_at=known.obtained_at, draw=0.0
        )
    except RemoteProtocolError:
        layout = Layout(first=())
    found: list[Asked] = []
    said: list[Indication] = []
    for place, descriptor in enumerate(request.report_descriptors):
        reason = _why_not(descriptor, layout)
        if reason:
            said.append(ReportNotOffered(event_id=known.id, what=descriptor.payload_type, reason=reason))
        else:
            found.append(Asked(known, place, descriptor, layout))
    return found, said


def _why_not(descriptor: ReportDescriptor, layout: Layout) -> str:
    if descriptor.payload_type not in POINTS:
        return f"the fleet reports {', '.join(POINTS)}"
    if not descriptor.historical:
        return "the fleet forecasts nothing"
    if descriptor.report_intervals is not ReportIntervals.INTERVALS:
        return "the fleet reports by the event's own intervals"
    if descriptor.is_ad_hoc:
        return "the fleet reports at times that the event sets"
    if not layout.first or any(placed.ends_at is None for placed in layout.first):
        return "the event has no intervals that end"
    return ""


def request_of(asked: Asked) -> ReportRequest:
    """What the agent is asked to measure for it."""
    layout = asked.layout
    starts_at = min(placed.starts_at for placed in layout.first)
    step = _step(layout, starts_at)
    return ReportRequest(
        id=asked.request_id,
        specifier_id=USAGE,
        r_ids=(asked.point,),
        granularity=step,
        report_back=step,
        starts_at=starts_at,
        duration=None if layout.ends_at is None else layout.ends_at - starts_at,
    )


def _step(layout: Layout, starts_at: datetime) -> timedelta:
    edges = {edge - starts_at for placed in layout.first for edge in (placed.starts_at, placed.ends_at) if edge}
    fitting = (timedelta(seconds=step) for step in STEPS_S if not any(edge % timedelta(seconds=step) for edge in edges))
    return next(fitting, timedelta(seconds=1))


class ReportBook:
    """What is asked for, and the readings that wait for their report."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._batches: dict[str, dict[int, Batch]] = defaultdict(dict)

    def heed(self, known: KnownEvent) -> list[Indication]:
        """An event is new, or has changed, or we have started."""
        found, said = asked_of(known)
        before = {asked.request_id for asked in self._asked.values() if asked.known.id == known.id}
        for asked in found:
            self._asked[asked.request_id] = asked
            said.append(ReportRequested(request=request_of(asked)))
        for request_id in before - {asked.request_id for asked in found}:
            said += self._drop(request_id)
        return said

    def know(self, known: KnownEvent) -> None:
        """The same after a restart: the agent still has its requests."""
        for asked in asked_of(known)[0]:
            self._asked[asked.request_id] = asked

    def forget(self, event_id: str) -> list[Indication]:
        ids = [asked.request_id for asked in self._asked.values() if asked.known.id == event_id]
        return [said for request_id in ids for said in self._drop(request_id)]

    def add(self, batch: Batch) -> Indication | None:
        """Readings came; said at once of those that nobody asks for any more."""
        if batch.request.id not in self._asked:
            return ReportDelivered(batch=batch.number)
        self._batches[batch.request.id][batch.number] = batch
        return None

    def next_due_at(self, memory: Memory) -> datetime | None:
        moments = [
            planned.due_at for planned in (self._planned(memory, asked) for asked in self._asked.values()) if planned
        ]
        return min(moments, default=None)

    def due(self, memory: Memory, *, ven_name: str, resource: str, now: datetime) -> Post | None:
        """The report that is to be sent now, the most overdue first."""
        ready = [
            (planned.due_at, asked.request_id, asked, planned)
            for asked in self._asked.values()
            if (planned := self._planned(memory, asked)) is not None and self._is_ready(asked, planned, now)
        ]
        if not ready:
            return None
        _, _, asked, planned = min(ready, key=lambda one: one[:2])
        return self._post(asked, planned, ven_name, resource)

    def done(self, memory: Memory, post: Post) -> tuple[Memory, list[Indication]]:
        """The VTN has it: what it was made of need not be kept, unless a later report needs it too."""
        asked, number = post.asked, post.planned.number
        memory = memory.with_reported(Reported(event_id=asked.known.id, place=asked.place, next_number=number + 1))
        following = self._planned(memory, asked)
        needed_from = FAR if following is None else min(placed.starts_at for placed in following.intervals)
        waiting = self._batches[asked.request_id]
        spent = [
            batch_number
            for batch_number, batch in waiting.items()
            if all(one.starts_at + one.duration <= needed_from for one in batch.readings)
        ]
        for batch_number in spent:
            del waiting[batch_number]
        return memory, [ReportDelivered(batch=batch_number) for batch_number in spent]

    def refused(self, memory: Memory, post: Post, code: str, description: str) -> tuple[Memory, list[Indication]]:
        """It will never be taken: the next one is another matter."""
        memory, said = self.done(memory, post)
        spent = [one.batch for one in said if isinstance(one, ReportDelivered)]
        if not spent:
            return memory, [
                ReportNotOffered(event_id=post.asked.known.id, what=post.name, reason=f"{code} {description}")
            ]
        return memory, [ReportRefused(batch=batch, code=code, description=description) for batch in spent]

    def _drop(self, request_id: str) -> list[Indication]:
        self._asked.pop(request_id, None)
        spent = self._batches.pop(request_id, {})
        return [
            ReportCancelled(request_id=request_id, to_follow=False),
            *(ReportDelivered(batch=number) for number in spent),
        ]

    def _planned(self, memory: Memory, asked: Asked) -> PlannedReport | None:
        """The next report of a descriptor; of those that were due before we read the event, the latest alone."""
        number = memory.next_number(asked.known.id, asked.place)
        if number is not None:
            return planned_report(asked.layout, asked.descriptor, number)
        obtained_at = asked.known.obtained_at
        since = obtained_at - timedelta(microseconds=1)
        return next(due_reports(asked.layout, asked.descriptor, obtained_at=obtained_at, since=since, until=FAR), None)

    def _is_ready(self, asked: Asked, planned: PlannedReport, now: datetime) -> bool:
        if now < planned.due_at:
            return False
        if now >= planned.due_at + PATIENCE:
            return True
        readings = self._readings(asked)
        return all(_covered(placed, readings) for placed in planned.intervals)

    def _readings(self, asked: Asked) -> list[Reading]:
        return [
            one
            for batch in self._batches[asked.request_id].values()
            for one in batch.readings
            if one.r_id == asked.point
        ]

    def _post(self, asked: Asked, planned: PlannedReport, ven_name: str, resource: str) -> Post:
        descriptor, readings = asked.descriptor, self._readings(asked)
        name = f"{asked.known.id} {descriptor.payload_type} {asked.place} {planned.number}"
        units = _units(descriptor)
        body: dict[str, object] = {
            "eventID": asked.known.id,
            "clientName": ven_name,
            "reportName": name,
            "payloadDescriptors": [
                {"objectType": "REPORT_PAYLOAD_DESCRIPTOR", "payloadType": descriptor.payload_type, "units": units}
            ],
            "resources": [
                {
                    "resourceName": AGGREGATED if descriptor.aggregate else resource,
                    "intervals": [
                        _interval(placed, readings, descriptor.payload_type, units) for placed in planned.intervals
                    ],
                }
            ],
        }
        return Post(asked, planned, name, body)


def ids_by_name(texts: Iterable[str]) -> Mapping[str, str]:
    """Of reports: the name is what we know them by."""
    members = (parse_object(text.encode())[0] for text in texts)
    return {str(one.get("reportName")): str(one.get("id", "")) for one in members}


def _units(descriptor: ReportDescriptor) -> str:
    if descriptor.units in {"KW", "KWH"}:
        return descriptor.units
    return "KWH" if descriptor.payload_type == "USAGE" else "KW"


def _interval(placed: Placed, readings: Sequence[Reading], payload_type: str, units: str) -> dict[str, object]:
    mean_w, quality = _mean(placed, readings)
    length = (placed.ends_at or placed.starts_at) - placed.starts_at
    value = mean_w / KILO * (length / HOUR if units == "KWH" else 1.0)
    return {
        "id": placed.id,
        "intervalPeriod": {"start": moment_text(placed.starts_at), "duration": length_text(length)},
        "payloads": [
            {"type": payload_type, "values": [round(value, 6)]},
            {"type": DATA_QUALITY, "values": [quality]},
        ],
    }


def _mean(placed: Placed, readings: Sequence[Reading]) -> tuple[float, str]:
    """The mean power over the interval, and what it is worth: with nothing to go by it is zero, and says MISSING."""
    parts = list(_parts(placed, readings))
    told = sum((length for _, length in parts), timedelta())
    if not told:
        return 0.0, "MISSING"
    mean_w = sum(one.value * (length / told) for one, length in parts)
    if any(one.quality is Quality.BAD for one, _ in parts):
        return mean_w, "BAD"
    whole = placed.ends_at is not None and told >= placed.ends_at - placed.starts_at
    return mean_w, "OK" if whole and all(one.quality is Quality.GOOD for one, _ in parts) else "ESTIMATED"


def _parts(placed: Placed, readings: Iterable[Reading]) -> Iterator[tuple[Reading, timedelta]]:
    """Readings inside the interval, and how much of it each covers."""
    ends_at = placed.ends_at or FAR
    for one in readings:
        begins, ends = max(one.starts_at, placed.starts_at), min(one.starts_at + one.duration, ends_at)
        if ends > begins and one.quality is not Quality.MISSING:
            yield one, ends - begins


def _covered(placed: Placed, readings: Sequence[Reading]) -> bool:
    told = sum((length for _, length in _parts(placed, readings)), timedelta())
    return placed.ends_at is not None and told >= placed.ends_at - placed.starts_at
