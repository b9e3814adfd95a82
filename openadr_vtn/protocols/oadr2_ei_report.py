"""EiReport at the VTN: what a party can report, what it reports, and what it may ask of us."""

from openadr_core.errors import UnknownReference
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers import errands, reports
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.errand import ErrandKind
from openadr_vtn.protocols.oadr2_answers import Refusal, first, said_to
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered
from openadr_vtn.protocols.oadr2_reports import METADATA, data_from_wire, offers_from_wire, request_to_wire


async def register_report(asked: Asked, message: m.RegisterReport) -> Answer:
    """R306, R344: all that the party can report, and at once what we want of it."""
    requests = await reports.offer_reports(
        asked.uow,
        asked.party,
        offers_from_wire(message.reports),
        wish=asked.desk.telemetry,
        new_id=asked.desk.new_id,
        now=asked.now,
    )
    answer = m.RegisteredReport(
        response=said_to(message),
        report_requests=tuple(request_to_wire(requested) for requested in requests),
        ven_id=asked.party.id,
    )
    return Answer(body=encode(answer))


async def created_report(asked: Asked, message: m.CreatedReport) -> Answer:
    faults = await reports.confirm_requests(asked.uow, asked.party, message.pending_report_request_ids, asked.now)
    return answered(asked, message, first(faults))


async def update_report(asked: Asked, message: m.UpdateReport) -> Answer:
    faults, mailbox = await reports.receive_reports(
        asked.uow, asked.party, asked.mailbox, data_from_wire(message.reports), asked.now
    )
    notice = Notice(kind="report received", party_id=asked.party.id)
    return answered(asked, message, first(faults), mailbox=mailbox, notices=(notice,))


async def create_report(asked: Asked, message: m.CreateReport) -> Answer:
    """R301: asked for METADATA we say again that we make no reports; there is nothing else to ask for."""
    specifiers = {request.specifier.report_specifier_id for request in message.report_requests}
    if specifiers - {METADATA}:
        raise UnknownReference("this VTN offers no such report", clause="R304")
    await errands.owe(asked.uow, asked.party.id, ErrandKind.REGISTER_REPORT, new_id=asked.desk.new_id, now=asked.now)
    return answered(asked, message)


async def cancel_report(asked: Asked, message: m.CancelReport) -> Answer:
    """R336: the party asked us for no report that it could cancel."""
    return answered(asked, message, Refusal(code=codes.INVALID_ID, description="this VTN makes no such report"))
