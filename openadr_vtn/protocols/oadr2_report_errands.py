"""What we tell a party of reports: those that we make, those that we want of it, those that we want no more."""

from openadr_core.oadr2 import messages as m
from openadr_vtn.application.handlers.report_requests import METADATA_WANTED, requests_of
from openadr_vtn.application.handlers.reports import OF_METADATA
from openadr_vtn.domain.errand import Errand
from openadr_vtn.domain.reporting import RequestState
from openadr_vtn.protocols.oadr2_desk import Asked
from openadr_vtn.protocols.oadr2_reports import metadata_request, request_to_wire


async def register_report(asked: Asked, errand: Errand) -> m.Message:
    """R301, R305: the reports that we make, of which there are none; R311: in answer to which request, if to one."""
    return m.RegisterReport(request_id=errand.id, ven_id=asked.party.id, report_request_id=errand.content or None)


async def create_report(asked: Asked, errand: Errand) -> m.Message | None:
    """What was asked for and is wanted still; or all that the party can report (R327)."""
    wanted: list[m.ReportRequest]
    if errand.content == METADATA_WANTED:
        wanted = [metadata_request(f"{OF_METADATA}{errand.id}")]
    else:
        found = await requests_of(asked.uow, asked.party.id, errand.content)
        wanted = [request_to_wire(one) for one in found if one.state is RequestState.ASKED]
    if not wanted:
        return None
    return m.CreateReport(request_id=errand.id, report_requests=tuple(wanted), ven_id=asked.party.id)


async def cancel_report(asked: Asked, errand: Errand) -> m.Message | None:
    """R336, R345."""
    found = await requests_of(asked.uow, asked.party.id, errand.content)
    ending = [one for one in found if one.state is RequestState.CANCELLING]
    if not ending:
        return None
    return m.CancelReport(
        request_id=errand.id,
        report_request_ids=tuple(one.request.id for one in ending),
        report_to_follow=ending[0].to_follow,
        ven_id=asked.party.id,
    )
