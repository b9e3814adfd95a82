"""What the parties of an event owe in reports, and how they meet it, whatever they speak. It only reads."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.errors import NotFound, RemoteProtocolError
from openadr_core.model.party import Party
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.decode_reports import decode_report
from openadr_core.oadr3.layout import NO_PERIOD, Layout, lay_out, spread_of
from openadr_core.oadr3.messages import EventRequest, Interval
from openadr_core.oadr3.readings import DATA_QUALITY
from openadr_vtn.application.handlers.observe import PartyPerformance, performances
from openadr_vtn.application.oadr3_ports import Page, ReportFilter, StoredReport
from openadr_vtn.application.ports import StoredEvent, UnitOfWork
from openadr_vtn.domain.compliance import OwedReport, ReportedInterval, owed_reports
from openadr_vtn.domain.delivery import Delivery, newest

GRACE = timedelta(minutes=1)
"""What a report may take to come: a VEN's clock, its randomised start and the way are not ours."""
LOOKED_BACK = timedelta(days=7)
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyCompliance:
    party: Party
    owed: tuple[OwedReport, ...]
    """Of OpenADR 3: report by report, by their due time."""
    performance: PartyPerformance | None
    """Of OpenADR 2.0b, where reports are asked for beside the event: how late they are, and what is missing."""

    def late_by(self, now: datetime) -> timedelta:
        told = [one.late_by(now) for one in self.owed]
        return max([*told, *([self.performance.late_by] if self.performance else [])], default=timedelta())


async def event_compliance(uow: UnitOfWork, event_id: str, now: datetime) -> list[PartyCompliance]:
    """Of every party that the event is for, by name; NotFound if there is no such event."""
    stored = await uow.events.by_id(event_id)
    if stored is None:
        raise NotFound(f"there is no event {event_id}")
    rows = newest(await uow.deliveries.of_event(event_id))
    due = {party_id: row for (_, party_id), row in rows.items() if not row.withdrawn}
    parties = await uow.parties.by_ids(due)
    came = await _came(uow, event_id)
    of_2_0b = [party for party in parties if party.client_id is None]
    told = {one.party.id: one for one in await performances(uow, stored.event, of_2_0b, now)}
    wanted = decode_event(stored.document.encode())
    layout = _layout(wanted, stored)
    return [
        PartyCompliance(
            party=party,
            owed=tuple(
                _owed(party, wanted=wanted, layout=layout, row=due[party.id], came=came.get(party.id, ()), now=now)
            ),
            performance=told.get(party.id),
        )
        for party in sorted(parties, key=lambda party: party.name)
    ]


def _owed(
    party: Party,
    *,
    wanted: EventRequest,
    layout: Layout | None,
    row: Delivery,
    came: Sequence[ReportedInterval],
    now: datetime,
) -> list[OwedReport]:
    if layout is None or party.client_id is None:
        return []
    names = party.granted
    asked = [one for one in wanted.report_descriptors if not one.targets or not names.isdisjoint(one.targets)]
    return owed_reports(
        layout, asked, came, obtained_at=row.fetched_at or row.entitled_at, since=now - LOOKED_BACK, now=now,
        # A VEN may have moved its start.
        grace=GRACE + spread_of((wanted.period or NO_PERIOD).randomize_start, row.entitled_at),
    )  # fmt: skip


def _layout(wanted: EventRequest, stored: StoredEvent) -> Layout | None:
    """None for an event that cannot be laid out: then it is not known what is due when."""
    try:
        return lay_out(
            wanted.intervals, period=wanted.period, duration=wanted.duration, obtained_at=stored.event.created_at,
            draw=0.0,
        )  # fmt: skip
    except RemoteProtocolError:
        return None


async def _came(uow: UnitOfWork, event_id: str) -> Mapping[str, list[ReportedInterval]]:
    """By party."""
    found: dict[str, list[ReportedInterval]] = defaultdict(list)
    read = 0
    while page := await uow.report_objects.page(ReportFilter(event_id=event_id), Page(skip=read, limit=PAGE)):
        read += len(page)
        for stored in page:
            if stored.party_id is not None:
                found[stored.party_id] += _intervals(stored)
    return found


def _intervals(stored: StoredReport) -> Iterator[ReportedInterval]:
    report = decode_report(stored.document.encode())
    changed_at = stored.modified_at if stored.modified_at > stored.created_at else None
    for resource in report.resources:
        for interval in resource.intervals:
            starts_at, ends_at = _times(interval)
            for payload in interval.payloads:
                if payload.type != DATA_QUALITY:
                    yield ReportedInterval(
                        payload_type=payload.type, interval_id=interval.id, received_at=stored.created_at,
                        changed_at=changed_at, starts_at=starts_at, ends_at=ends_at, quality=_quality(interval),
                    )  # fmt: skip


def _times(interval: Interval) -> tuple[datetime | None, datetime | None]:
    period = interval.period
    if period is None or not isinstance(period.start, datetime):
        return None, None
    length = period.duration
    return period.start, period.start + length if isinstance(length, timedelta) else None


def _quality(interval: Interval) -> str:
    said = [payload.values[0] for payload in interval.payloads if payload.type == DATA_QUALITY and payload.values]
    return str(said[0]) if said else "OK"
