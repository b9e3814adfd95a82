"""Reports that events ask for: what the agent is to measure, and what is sent when (R8).

The plan is :mod:`openadr_core.oadr3.report_plan`; readings come from the agent as for any other protocol, in steps
that fit into the event's intervals, and wait here until the report is due that needs them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import gcd

from openadr_core.errors import RemoteProtocolError
from openadr_core.model.report import Reading, ReportRequest
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.layout import Layout, lay_out
from openadr_core.oadr3.messages import ReportDescriptor
from openadr_core.oadr3.report_plan import PlannedReport, due_reports, planned_report
from openadr_ven.application.report_offers import SECOND, USAGE
from openadr_ven.domain.held import Batch
from openadr_ven.domain.indications import (
    Indication,
    ReportCancelled,
    ReportDelivered,
    ReportNotOffered,
    ReportRefused,
    ReportRequested,
    ReportWaits,
)
from openadr_ven.protocols.oadr3.bids import BID_TYPES, NO_BIDS, Bids, bid_body, why_no_bid
from openadr_ven.protocols.oadr3.memory import KnownEvent, Memory, Reported, Unfinished
from openadr_ven.protocols.oadr3.report_bodies import FAR, Content, body_of, told_of
from openadr_ven.protocols.oadr3.report_types import TYPES, ReportType, why_not

STEPS_S = (900, 300, 60, 30, 10, 5, 1)
"""Lengths of what is measured, the longest first that fits."""
MINUTE = timedelta(minutes=1)
TOGETHER_MAX_S, TOGETHER_MIN_S = 1800, 60
"""Seconds that the agent tells of at once: fewer than it keeps, and not so few that it does nothing else."""
PIECES_MAX = 100
"""That an event with short intervals is told in, each as soon as it is measured."""
PATIENCE = timedelta(seconds=90)
"""After its time a report goes with what there is: the agent itself waits a minute for samples that may come."""
CORRECTED_WITHIN = timedelta(hours=1)
"""What comes later than that after a report's time is of no use to anybody: the agent keeps no more either."""
UNFINISHED_MAX = 8
WAITING_MAX = 2000
"""Batches that wait for a report to be due: six weeks of half-hours."""
BID_MAX = 1000
"""Intervals that one report bids for."""
LEAD = timedelta(minutes=5)
"""Before a forecast is due, what it is made of is measured."""


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
    def is_bid(self) -> bool:
        return self.descriptor.payload_type in BID_TYPES

    @property
    def kind(self) -> ReportType:
        return TYPES[self.descriptor.payload_type]

    @property
    def is_ahead(self) -> bool:
        return not self.descriptor.historical

    def planned(self, number: int) -> PlannedReport | None:
        """Interpretation: a bid is made at once, and for all intervals of the event, however it is asked for."""
        if self.is_bid:
            bid = PlannedReport(number=0, due_at=self.known.obtained_at, intervals=self.layout.first[:BID_MAX])
            return bid if number == 0 else None
        return planned_report(self.layout, self.descriptor, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One report on its way."""

    asked: Asked
    planned: PlannedReport
    name: str
    body: dict[str, object]
    told: timedelta
    """Of how much of its intervals it tells truly."""
    report_id: str = ""
    """Of the one that it corrects or renews; empty if it is new."""


def asked_of(known: KnownEvent, bids: Bids) -> tuple[list[Asked], list[Indication]]:
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
        is_bid = descriptor.payload_type in BID_TYPES
        has_intervals = bool(layout.first)
        reason = why_no_bid(descriptor, bids, has_intervals=has_intervals) if is_bid else why_not(descriptor, layout)
        if reason:
            said.append(ReportNotOffered(event_id=known.id, what=descriptor.payload_type, reason=reason))
        else:
            found.append(Asked(known, place, descriptor, layout))
    return found, said


def request_of(asked: Asked) -> ReportRequest:
    """What the agent is asked to measure for it: for a forecast, how the fleet stands before each is due."""
    layout = asked.layout
    starts_at = min(placed.starts_at for placed in layout.first)
    step, together = (MINUTE, MINUTE) if asked.is_ahead else _steps(asked)
    begins_at = starts_at - LEAD if asked.is_ahead else starts_at
    return ReportRequest(
        id=asked.request_id,
        specifier_id=USAGE,
        r_ids=asked.kind.points,
        granularity=step,
        report_back=together,
        starts_at=begins_at,
        duration=None if layout.ends_at is None else layout.ends_at - begins_at,
    )


def _steps(asked: Asked) -> tuple[timedelta, timedelta]:
    """How long what is measured is, and how much of it is told at once: so that both fit into every interval.

    Where nothing fits, the last piece of an interval comes with the minute that it ends in.
    """
    layout = asked.layout
    starts_at = min(placed.starts_at for placed in layout.first)
    edges = {int((edge - starts_at).total_seconds()) for one in layout.first for edge in (one.starts_at, one.ends_at)
             if edge is not None}  # fmt: skip
    whole = gcd(*edges) or 1
    together = next(seconds for seconds in range(TOGETHER_MAX_S, 0, -1) if whole % seconds == 0)
    lasts = None if layout.ends_at is None else (layout.ends_at - starts_at).total_seconds()
    if together < TOGETHER_MIN_S and (lasts is None or lasts > PIECES_MAX * together):
        return timedelta(seconds=_fitting(together, asked)), timedelta(seconds=TOGETHER_MIN_S)
    return timedelta(seconds=_fitting(together, asked)), timedelta(seconds=together)


def _fitting(whole_s: int, asked: Asked) -> int:
    """A minute at most for what is only looked at: a look holds for one."""
    longest = 60 if asked.kind.is_seen else STEPS_S[0]
    return next(step for step in STEPS_S if step <= longest and whole_s % step == 0)


class ReportBook:
    """What is asked for, and the readings that wait for their report."""

    def __init__(self, bids: Bids = NO_BIDS) -> None:
        self._bids = bids
        self._asked: dict[str, Asked] = {}
        self._batches: dict[str, dict[int, Batch]] = defaultdict(dict)

    def heed(self, known: KnownEvent) -> list[Indication]:
        """An event is new, or has changed, or we have started."""
        found, said = asked_of(known, self._bids)
        before = {asked.request_id for asked in self._asked.values() if asked.known.id == known.id}
        for asked in found:
            self._asked[asked.request_id] = asked
            if not asked.is_bid:
                said.append(ReportRequested(request=request_of(asked)))
        for request_id in before - {asked.request_id for asked in found}:
            said += self._drop(request_id)
        return said

    def know(self, known: KnownEvent) -> None:
        """The same after a restart: the agent still has its requests."""
        for asked in asked_of(known, self._bids)[0]:
            self._asked[asked.request_id] = asked

    def forget(self, event_id: str) -> list[Indication]:
        ids = [asked.request_id for asked in self._asked.values() if asked.known.id == event_id]
        return [said for request_id in ids for said in self._drop(request_id)]

    def add(self, batch: Batch, memory: Memory) -> list[Indication]:
        """Readings came; said at once of those that nobody asks for, that newer ones make useless, and that wait."""
        asked = self._asked.get(batch.request.id)
        if asked is None:
            return [ReportDelivered(batch=batch.number)]
        waiting = self._batches[batch.request.id]
        waiting[batch.number] = batch
        if not asked.is_ahead:
            return [ReportWaits(batch=batch.number)] if self._waits(asked, batch, memory) else []
        older = [number for number in waiting if number < batch.number]
        for number in older:
            del waiting[number]
        return [ReportDelivered(batch=number) for number in older]

    def _waits(self, asked: Asked, batch: Batch, memory: Memory) -> bool:
        """Whether a batch is here long before the report that it is for, so that it must not stand in others' way."""
        planned = self._planned(memory, asked)
        ends_at = max((one.starts_at + one.duration for one in batch.readings), default=FAR)
        few = sum(len(batches) for batches in self._batches.values()) <= WAITING_MAX
        return few and planned is not None and planned.due_at > ends_at

    def next_due_at(self, memory: Memory) -> datetime | None:
        moments = [
            planned.due_at for planned in (self._planned(memory, asked) for asked in self._asked.values()) if planned
        ]
        return min(moments, default=None)

    def due(self, memory: Memory, *, ven_name: str, resource: str, now: datetime) -> Post | None:
        """The report that is to be sent now, the most overdue first; or one that can be corrected."""
        ready = [
            (planned.due_at, asked.request_id, asked, planned)
            for asked in self._asked.values()
            if (planned := self._planned(memory, asked)) is not None and self._is_ready(asked, planned, now)
        ]
        if not ready:
            return self._correction(memory, ven_name=ven_name, resource=resource, now=now)
        _, _, asked, planned = min(ready, key=lambda one: one[:2])
        before = memory.reported_of(asked.known.id, asked.place)
        post = self._post(asked, planned, ven_name, resource)
        return replace(post, report_id=before.bid_id) if before is not None and asked.is_bid else post

    def done(self, memory: Memory, post: Post, report_id: str = "") -> tuple[Memory, list[Indication]]:
        """The VTN has it: what it was made of need not be kept, unless a later report, or a correction, needs it."""
        asked, number = post.asked, post.planned.number
        before = memory.reported_of(asked.known.id, asked.place)
        unfinished = tuple(one for one in before.unfinished if one.number != number) if before else ()
        left = _unfinished(post, report_id or post.report_id)
        next_number = before.next_number if before is not None and post.report_id else number + 1
        memory = memory.with_reported(
            Reported(
                event_id=asked.known.id, place=asked.place, next_number=next_number,
                unfinished=(*unfinished, *left)[-UNFINISHED_MAX:],
                bid_id=report_id if asked.is_bid else "", bid_version=asked.known.version if asked.is_bid else 0,
            )
        )  # fmt: skip
        return memory, self._spent(memory, asked)

    def expire(self, memory: Memory, now: datetime) -> tuple[Memory, list[Indication]]:
        """Reports that can be corrected no more, and the readings that were kept for it."""
        said: list[Indication] = []
        for asked in self._asked.values():
            reported = memory.reported_of(asked.known.id, asked.place)
            left = tuple(one for one in reported.unfinished if now <= one.until) if reported else ()
            if reported is not None and left != reported.unfinished:
                memory = memory.with_reported(replace(reported, unfinished=left))
                said += self._spent(memory, asked)
        return memory, said

    def _spent(self, memory: Memory, asked: Asked) -> list[Indication]:
        """Readings that no report needs any more."""
        needed_from = self._needed_from(memory, asked)
        waiting = self._batches[asked.request_id]
        spent = [
            batch_number
            for batch_number, batch in waiting.items()
            if all(one.starts_at + one.duration <= needed_from for one in batch.readings)
        ]
        for batch_number in spent:
            del waiting[batch_number]
        return [ReportDelivered(batch=batch_number) for batch_number in spent]

    def _needed_from(self, memory: Memory, asked: Asked) -> datetime:
        """From when on readings are still wanted."""
        following = self._planned(memory, asked)
        if following is not None and asked.is_ahead:
            return following.due_at - LEAD
        reported = memory.reported_of(asked.known.id, asked.place)
        open_ones = (asked.planned(one.number) for one in (reported.unfinished if reported else ()))
        return min(
            (placed.starts_at for one in (following, *open_ones) if one is not None for placed in one.intervals),
            default=FAR,
        )

    def _correction(self, memory: Memory, *, ven_name: str, resource: str, now: datetime) -> Post | None:
        """R8.5: of a report that went out with less than all, once there is more: the same again, in its place."""
        for asked in self._asked.values():
            reported = memory.reported_of(asked.known.id, asked.place)
            for one in reported.unfinished if reported else ():
                planned = asked.planned(one.number)
                if planned is None or now > one.until:
                    continue
                post = self._post(asked, planned, ven_name, resource)
                if post.told > one.told:
                    return replace(post, report_id=one.report_id)
        return None

    def taken_away(self, memory: Memory, post: Post) -> Memory:
        """Somebody removed the bid that was to be renewed: it is made anew."""
        before = memory.reported_of(post.asked.known.id, post.asked.place)
        return memory if before is None else memory.with_reported(replace(before, bid_id=""))

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
        reported = memory.reported_of(asked.known.id, asked.place)
        if asked.is_bid:
            # R7.12: what is to be had, and for how much, may be another matter in each version of the event.
            is_due = reported is None or reported.bid_version < asked.known.version
            return asked.planned(0) if is_due else None
        if reported is not None:
            return asked.planned(reported.next_number)
        obtained_at = asked.known.obtained_at
        since = obtained_at - timedelta(microseconds=1)
        return next(due_reports(asked.layout, asked.descriptor, obtained_at=obtained_at, since=since, until=FAR), None)

    def _is_ready(self, asked: Asked, planned: PlannedReport, now: datetime) -> bool:
        if now < planned.due_at:
            return False
        if now >= planned.due_at + PATIENCE or asked.is_bid:
            return True
        readings = self._readings(asked)
        if asked.is_ahead:
            return bool(readings)
        return _is_whole(asked, planned, told_of(planned, readings))

    def _readings(self, asked: Asked) -> list[Reading]:
        return [
            one
            for batch in self._batches[asked.request_id].values()
            for one in batch.readings
            if one.r_id in asked.kind.points
        ]

    def _post(self, asked: Asked, planned: PlannedReport, ven_name: str, resource: str) -> Post:
        readings = [] if asked.is_bid else self._readings(asked)
        name = f"{asked.known.id} {asked.descriptor.payload_type} {asked.place} {planned.number}"
        if (bid := self._bids.of(asked.descriptor.payload_type) if asked.is_bid else None) is not None:
            body = bid_body(asked.known.id, asked.descriptor, planned, bid, name=name, ven_name=ven_name)
            return Post(asked=asked, planned=planned, name=name, body=body, told=timedelta())
        content = Content(
            known=asked.known, descriptor=asked.descriptor, planned=planned, readings=readings,
            step=request_of(asked).granularity,
        )  # fmt: skip
        body = body_of(content, name=name, ven_name=ven_name, resource=resource)
        return Post(asked=asked, planned=planned, name=name, body=body, told=told_of(planned, readings))


def _unfinished(post: Post, report_id: str) -> Iterator[Unfinished]:
    """What is left to be corrected of it; nothing of a forecast, and nothing without a way to say so."""
    asked = post.asked
    if report_id and not asked.is_bid and not asked.is_ahead and not _is_whole(asked, post.planned, post.told):
        yield Unfinished(
            number=post.planned.number, report_id=report_id, told=post.told,
            until=post.planned.due_at + CORRECTED_WITHIN,
        )  # fmt: skip


def _is_whole(asked: Asked, planned: PlannedReport, told: timedelta) -> bool:
    """Interpretation: a meter reads whole seconds, and an event that begins now begins within one."""
    return told > (_length(planned) - SECOND) * len(asked.kind.points)


def _length(planned: PlannedReport) -> timedelta:
    return sum(((one.ends_at or one.starts_at) - one.starts_at for one in planned.intervals), timedelta())


def ids_by_name(texts: Iterable[str]) -> Mapping[str, str]:
    """Of reports: the name is what we know them by."""
    members = (parse_object(text.encode())[0] for text in texts)
    return {str(one.get("reportName")): str(one.get("id", "")) for one in members}
