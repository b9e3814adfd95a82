"""OpenADR 3.0.1: reports, which name the program of their event."""

import json
from collections.abc import Sequence

from aiohttp import web

from openadr_core.errors import Conflict
from openadr_core.model.target import audience_of
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.v301 import from_3_1, member_text, report_to_3_1, with_member
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.access import READ_VEN_OBJECTS, WRITE_REPORTS, Caller
from openadr_vtn.http import oadr3_report_routes as reports
from openadr_vtn.http.access import Desk, ScopedHandler, scoped
from openadr_vtn.http.addresses import OADR301
from openadr_vtn.http.oadr3_answers import viewer_of
from openadr_vtn.http.oadr301_answers import body_of_3_0_1, spoken

PATH = f"{OADR301}/reports"


def report_routes() -> list[web.RouteDef]:
    one = f"{PATH}/{{id}}"
    return [
        web.get(PATH, scoped(READ_VEN_OBJECTS, _read(reports.list_reports))),
        web.post(PATH, scoped(WRITE_REPORTS, _written(reports.create_report))),
        web.get(one, scoped(READ_VEN_OBJECTS, _read(reports.report))),
        web.put(one, scoped(WRITE_REPORTS, _written(reports.replace_report))),
        web.delete(one, scoped(WRITE_REPORTS, _read(reports.remove_report))),
    ]


def _read(handler: ScopedHandler) -> ScopedHandler:
    return spoken(ObjectKind.REPORT, handler, wording=_with_program)


def _written(handler: ScopedHandler) -> ScopedHandler:
    write = spoken(ObjectKind.REPORT, handler, report_to_3_1, wording=_with_program)

    async def checked(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
        text = await body_of_3_0_1(request)
        event_id, program_id = member_text(text, "eventID"), member_text(text, "programID")
        known = await _program_of(desk, event_id or "", await viewer_of(desk, caller))
        if None not in {known, program_id} and known != program_id:
            raise Conflict(f"event {event_id} is of program {known}")
        return await write(request, desk, caller)

    return checked


async def _with_program(desk: Desk, texts: list[str]) -> Sequence[str]:
    """A report whose event is gone tells no program."""
    named: dict[str, str | None] = {}
    told = []
    for text in texts:
        event_id = member_text(text, "eventID") or ""
        if event_id not in named:
            named[event_id] = await _program_of(desk, event_id)
        program_id, old = named[event_id], from_3_1(ObjectKind.REPORT, text)
        told.append(old if program_id is None else with_member(old, "programID", json.dumps(program_id)))
    return told


async def _program_of(desk: Desk, event_id: str, viewer: Viewer | None = None) -> str | None:
    """None for an event that is not there, or that this viewer may not know of."""
    async with desk.store.view() as view:
        stored = await view.events.by_id(event_id)
    if stored is None:
        return None
    is_hidden = viewer is not None and not viewer.sight_of_one.sees(audience_of(stored.event.targets))
    return None if is_hidden else stored.event.program_id
