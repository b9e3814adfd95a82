"""EiReport at the VTN: what a party can report, what it reports, and what it may ask of us."""

from openadr_core.errors import UnknownReference
from openadr_core.oadr2 import codes
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_vtn.application.handlers import errands, reports
from openadr_vtn.application.ports import Notice
from openadr_vtn.domain.errand import Errand, ErrandKind
from openadr_vtn.protocols.oadr2_answers import Refusal, first, request_id_of, said_to
from openadr_vtn.protocols.oadr2_desk import Answer, Asked, answered
from openadr_vtn.protocols.oadr2_errands import refusals_of
from openadr_vtn.protocols.oadr2_reports import METADATA, data_from_wire, offers_from_wire, request_to_wire


async def register_report(asked: Asked, message: m.RegisterReport) -> Answer:
    """R306, R344: all that the party can report, and at once what we want of it."""
    requests = await reports.offer_reports(
        asked.uow,
        asked.party,
        offers_from_wire(message.reports, ven_id=asked.party.id),
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
    """R329: what is pending at the party. It answers an errand, or what was asked for in passing (R344)."""
    said, pending = message.response, message.pending_report_request_ids
    refusal = "" if said.response_code.startswith("2") else f"{said.response_code} {said.response_description or ''}"
    asked_for = await reports.settle_requests(asked.uow, asked.party.id, request_id_of(message), pending)
    faults = await reports.confirm_requests(
        asked.uow, asked.party, pending, refusal=refusal.strip(), asked=asked_for, now=asked.now
    )
    return answered(asked, message, first(faults), notices=refusals_of(asked, ErrandKind.CREATE_REPORT, message))


async def canceled_report(asked: Asked, message: m.CanceledReport) -> Answer:
    """R336: what is pending still tells what was cancelled, whatever the code says of ids that were done already."""
    await errands.settle(asked.uow, asked.party.id, ErrandKind.CANCEL_REPORT, request_id_of(message))
    await reports.confirm_cancel(asked.uow, asked.party, message.pending_report_request_ids, asked.now)
    return answered(asked, message)


async def update_report(asked: Asked, message: m.UpdateReport) -> Answer:
    """R328, R335: what was cancelled and comes all the same is cancelled again in the answer."""
    receipt = await reports.receive_reports(
        asked.uow, asked.party, asked.mailbox, data_from_wire(message.reports), asked.now
    )
    fault = first(receipt.faults)
    cancel = None
    if receipt.too_much:
        cancel = m.CancelReport(
            request_id=asked.desk.new_id(),
            report_request_ids=tuple(one.request.id for one in receipt.too_much),
            report_to_follow=all(one.to_follow and one.ended_at is None for one in receipt.too_much),
            ven_id=asked.party.id,
        )
    answer = m.UpdatedReport(response=said_to(message, fault), cancel_report=cancel, ven_id=asked.party.id)
    notices = [Notice(kind="report received", party_id=asked.party.id)]
    if fault is not None:
        notices.append(Notice(kind="message refused", party_id=asked.party.id, detail=fault.description))
    return Answer(body=encode(answer), mailbox=receipt.mailbox, notices=tuple(notices))


async def create_report(asked: Asked, message: m.CreateReport) -> Answer:
    """R301, R311: asked for METADATA we say again, under that request's id, that we make no reports.

    There is nothing else to ask for. Interpretation: one that is asked for again and again is answered
    once, which is all there is to tell of no reports (R510); it is pending until it is answered (R329).
    """
    wanted = [one.report_request_id for one in message.report_requests]
    if any(one.specifier.report_specifier_id != METADATA for one in message.report_requests):
        raise UnknownReference("this VTN offers no such report", clause="R304")
    for request_id in wanted:
        await errands.owe(
            asked.uow, asked.party.id, ErrandKind.REGISTER_REPORT,
            content=request_id, new_id=asked.desk.new_id, now=asked.now,
        )  # fmt: skip
    answer = m.CreatedReport(
        response=said_to(message), pending_report_request_ids=await _pending(asked), ven_id=asked.party.id
    )
    return Answer(body=encode(answer))


async def cancel_report(asked: Asked, message: m.CancelReport) -> Answer:
    """R336: of ours, only the METADATA requests that are not answered yet can be cancelled."""
    waiting = {errand.content: errand for errand in await _metadata_errands(asked)}
    unknown = [request_id for request_id in message.report_request_ids if request_id not in waiting]
    for request_id in set(message.report_request_ids) & set(waiting):
        await asked.uow.errands.remove(waiting[request_id])
    refusal = Refusal(code=codes.INVALID_ID, description="this VTN makes no such report") if unknown else None
    answer = m.CanceledReport(
        response=said_to(message, refusal), pending_report_request_ids=await _pending(asked), ven_id=asked.party.id
    )
    return Answer(body=encode(answer))


async def _pending(asked: Asked) -> tuple[str, ...]:
    return tuple(errand.content for errand in await _metadata_errands(asked))


async def _metadata_errands(asked: Asked) -> list[Errand]:
    """Requests of the party for METADATA that wait for their answer."""
    return [
        errand
        for errand in await asked.uow.errands.of_parties([asked.party.id])
        if errand.kind is ErrandKind.REGISTER_REPORT and errand.content
    ]
