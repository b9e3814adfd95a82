"""Reports of OpenADR 3.1: kept as they were written, and heard like any other party's.

Their readings are stored with those of 2.0b, an opting out in them is an opt, and the delivery ledger knows that
something was reported. What a 2.0b party reported is read as 3.1 reports too, made of its readings.
"""

from dataclasses import replace
from datetime import datetime

from openadr_core.errors import Conflict, NotFound
from openadr_core.model.target import audience_of
from openadr_core.oadr3.encode import report_text
from openadr_core.oadr3.messages import ReportRequest
from openadr_core.oadr3.names import Operation
from openadr_vtn.application.handlers.events import live_event
from openadr_vtn.application.handlers.hearing import hear
from openadr_vtn.application.handlers.observe import EventReport, event_reports
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.oadr3_ports import Page, ReportFilter, StoredReport
from openadr_vtn.application.object_changes import note_report, stored_report_text
from openadr_vtn.application.ports import AuditEntry, Store, StoredEvent, UnitOfWork
from openadr_vtn.application.viewers import Viewer

OF_PARTY = "--"
"""Between an event's id and a party's: the id of what a 2.0b party reported."""


async def create_report(store: Store, request: ReportRequest, viewer: Viewer, *, report_id: str, now: datetime) -> str:
    """Conflict if the client sees no such event."""
    async with store.unit_of_work() as uow:
        event = await _event(uow, request.event_id, viewer)
        stored = StoredReport(
            id=report_id,
            event_id=request.event_id,
            client_id=viewer.client_id,
            party_id=viewer.party_id,
            client_name=request.client_name,
            document=request.document,
            created_at=now,
            modified_at=now,
        )
        await uow.report_objects.add(stored)
        await hear(uow, request, stored, event, now)
        await note_report(uow, Operation.CREATE, stored, event.event.program_id, now)
    return stored_report_text(stored)


async def replace_report(store: Store, report_id: str, request: ReportRequest, viewer: Viewer, now: datetime) -> str:
    """The report in these words; its readings take the place of earlier ones for the same intervals."""
    async with store.unit_of_work() as uow:
        before = await _report(uow, report_id, viewer)
        if request.event_id != before.event_id:
            raise Conflict("a report stays its event's: delete it, and write a new one")
        (event,) = await uow.events.by_ids([before.event_id])
        stored = replace(before, client_name=request.client_name, document=request.document, modified_at=now)
        await uow.report_objects.replace(stored)
        await hear(uow, request, stored, event, now)
        await note_report(uow, Operation.UPDATE, stored, event.event.program_id, now)
    return stored_report_text(stored)


async def remove_report(store: Store, report_id: str, viewer: Viewer, now: datetime) -> str:
    """The report as it was. Interpretation: what was measured was measured, so its readings stay."""
    async with store.unit_of_work() as uow:
        stored = await _report(uow, report_id, viewer)
        (event,) = await uow.events.by_ids([stored.event_id])
        await uow.report_objects.remove(report_id)
        await note_report(uow, Operation.DELETE, stored, event.event.program_id, now)
        await uow.audit.append(
            AuditEntry(
                at=now, actor=viewer.actor, action="remove report", subject=report_id,
                detail=f"of {stored.client_id} about {stored.event_id}",
            )
        )  # fmt: skip
    return stored_report_text(stored)


async def report_seen(store: Store, report_id: str, viewer: Viewer, now: datetime) -> str:
    async with store.view() as view:
        event_id, of_party, party_id = report_id.partition(OF_PARTY)
        if of_party:
            for one in await event_reports(view, now, event_id=event_id):
                if one.party.id == party_id and _may_see(viewer, one):
                    return _derived_text(one)
        return stored_report_text(await _report(view, report_id, viewer))


async def reports_seen(
    store: Store,
    viewer: Viewer,
    page: Page,
    *,
    now: datetime,
    program_id: str | None = None,
    event_id: str | None = None,
    client_name: str | None = None,
) -> Listed[str]:
    """The newest of 3.1 first, then what 2.0b parties reported, by event; a client sees its own."""
    of = ReportFilter(
        client_id=None if viewer.is_business else viewer.client_id,
        program_id=program_id, event_id=event_id, client_name=client_name,
    )  # fmt: skip
    async with store.view() as view:
        written = await view.report_objects.page(of, page)
        total = await view.report_objects.count(of)
        derived: list[EventReport] = []
        wanted = max(page.skip + page.limit - total, 0) + 1
        if viewer.is_business:
            derived = await event_reports(
                view, now, program_id=program_id, event_id=event_id, party_name=client_name,
                enough=wanted,
            )  # fmt: skip
    skipped = max(page.skip - total, 0)
    shown = derived[skipped : skipped + page.limit - len(written)]
    texts = [stored_report_text(stored) for stored in written] + [_derived_text(one) for one in shown]
    return Listed(items=texts, total=total + len(derived), is_all=len(derived) < wanted)


def _may_see(viewer: Viewer, one: EventReport) -> bool:
    return viewer.is_business or one.party.id == viewer.party_id


def _derived_text(one: EventReport) -> str:
    report_id = f"{one.event.id}{OF_PARTY}{one.party.id}"
    return report_text(report_id, one.event.id, one.until, party=one.party, opt=one.opt, series=one.series)


async def _event(uow: UnitOfWork, event_id: str, viewer: Viewer) -> StoredEvent:
    """Interpretation: what a client may not see is answered as what is not there, so that nobody learns of it."""
    try:
        stored = await live_event(uow, event_id)
    except NotFound as error:
        raise Conflict(str(error)) from None
    if not viewer.sight_of_one.sees(audience_of(stored.event.targets)):
        raise Conflict(f"there is no event {event_id}")
    return stored


async def _report(uow: UnitOfWork, report_id: str, viewer: Viewer) -> StoredReport:
    """NotFound for another client's report, as for one that is not there."""
    stored = await uow.report_objects.by_id(report_id)
    if stored is None or not (viewer.is_business or stored.client_id == viewer.client_id):
        raise NotFound(f"there is no report {report_id}")
    return stored
