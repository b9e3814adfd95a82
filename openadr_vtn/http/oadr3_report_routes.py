"""OpenADR 3.1: reports. Vens write them; business logic reads everybody's, those of 2.0b parties too."""

from aiohttp import web

from openadr_core.oadr3.decode_reports import decode_report
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.handlers import report_objects
from openadr_vtn.domain.access import READ_VEN_OBJECTS, WRITE_REPORTS, Caller
from openadr_vtn.http.access import Desk, json_body, json_response, listing, scoped
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.oadr3_answers import Look, id_asked, id_named, name_asked, viewer_of

PATH = f"{OADR3}/reports"
WRITTEN = (ObjectKind.REPORT, ObjectKind.EVENT)
"""What a ven's reports are made of; those that business logic reads are made of readings too."""


def report_routes() -> list[web.RouteDef]:
    one = f"{PATH}/{{id}}"
    return [
        web.get(PATH, scoped(READ_VEN_OBJECTS, list_reports)),
        web.post(PATH, scoped(WRITE_REPORTS, create_report)),
        web.get(one, scoped(READ_VEN_OBJECTS, report)),
        web.put(one, scoped(WRITE_REPORTS, replace_report)),
        web.delete(one, scoped(WRITE_REPORTS, remove_report)),
    ]


@listing("programID", "eventID", "clientName")
async def list_reports(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer = await viewer_of(desk, caller)
    program_id, event_id = id_asked(request, "programID"), id_asked(request, "eventID")
    name = name_asked(request, "clientName")
    look = Look(request=request, desk=desk, viewer=viewer, kinds=() if viewer.is_business else WRITTEN)
    return await look.listed(
        lambda page: report_objects.reports_seen(
            desk.store, viewer, page, now=desk.now(), program_id=program_id, event_id=event_id, client_name=name
        )
    )


async def report(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, report_id = await viewer_of(desk, caller), id_named(request)
    both_protocols = viewer.party is not None and bool(viewer.party.certificates)
    kinds = () if viewer.is_business or both_protocols else WRITTEN
    look = Look(request=request, desk=desk, viewer=viewer, kinds=kinds)
    return await look.one(lambda: report_objects.report_seen(desk.store, report_id, viewer, desk.now()))


async def create_report(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, wanted, report_id = await viewer_of(desk, caller), decode_report(await json_body(request)), desk.new_id()
    text = await report_objects.create_report(desk.store, wanted, viewer, report_id=report_id, now=desk.now())
    desk.wrote(caller, "create report", report_id)
    return json_response(text, 201)


async def replace_report(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, report_id = await viewer_of(desk, caller), id_named(request)
    wanted = decode_report(await json_body(request))
    text = await report_objects.replace_report(desk.store, report_id, wanted, viewer, desk.now())
    desk.wrote(caller, "replace report", report_id)
    return json_response(text)


async def remove_report(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, report_id = await viewer_of(desk, caller), id_named(request)
    text = await report_objects.remove_report(desk.store, report_id, viewer, desk.now())
    desk.wrote(caller, "remove report", report_id)
    return json_response(text)
