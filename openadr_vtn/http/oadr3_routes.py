"""OpenADR 3.1, the business-logic role: programs, events, reports and vens.

`schemas/openadr3/operator.yaml` describes it.
"""

import hashlib

from aiohttp import web
from structlog.contextvars import bound_contextvars

from openadr_core.errors import MalformedMessage, NotFound, WrongState
from openadr_core.model.party import PartyState
from openadr_core.oadr3.decode import decode_event, decode_program
from openadr_core.oadr3.encode import list_text, object_text, report_text, ven_text
from openadr_vtn.application.handlers import events, programs
from openadr_vtn.application.handlers.events import RepeatKey
from openadr_vtn.application.handlers.observe import EventReport, event_reports
from openadr_vtn.application.handlers.parties import parties
from openadr_vtn.application.ports import StoredEvent, StoredProgram
from openadr_vtn.domain.access import READ_ALL, WRITE_EVENTS, WRITE_PROGRAMS, Caller
from openadr_vtn.http.access import Desk, json_body, json_response, names_asked, number_asked, scoped
from openadr_vtn.http.addresses import OADR3

PAGE_MAX = 50
"""OpenADR 3.1: the most that a list answers at once."""
REPEAT_KEY_MAX_CHARS = 128


def oadr3_routes() -> list[web.RouteDef]:
    return [
        web.get(f"{OADR3}/programs", scoped(READ_ALL, list_programs)),
        web.post(f"{OADR3}/programs", scoped(WRITE_PROGRAMS, create_program)),
        web.get(f"{OADR3}/programs/{{id}}", scoped(READ_ALL, program)),
        web.put(f"{OADR3}/programs/{{id}}", scoped(WRITE_PROGRAMS, replace_program)),
        web.delete(f"{OADR3}/programs/{{id}}", scoped(WRITE_PROGRAMS, remove_program)),
        web.get(f"{OADR3}/events", scoped(READ_ALL, list_events)),
        web.post(f"{OADR3}/events", scoped(WRITE_EVENTS, create_event)),
        web.get(f"{OADR3}/events/{{id}}", scoped(READ_ALL, event)),
        web.put(f"{OADR3}/events/{{id}}", scoped(WRITE_EVENTS, replace_event)),
        web.delete(f"{OADR3}/events/{{id}}", scoped(WRITE_EVENTS, cancel_event)),
        web.get(f"{OADR3}/reports", scoped(READ_ALL, list_reports)),
        web.get(f"{OADR3}/reports/{{id}}", scoped(READ_ALL, report)),
        web.get(f"{OADR3}/vens", scoped(READ_ALL, list_vens)),
        web.get(f"{OADR3}/vens/{{id}}", scoped(READ_ALL, ven)),
    ]


# -- programs --------------------------------------------------------------------------


async def list_programs(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    targets = set(names_asked(request, "targets"))
    found = [
        stored
        for stored in await programs.programs(desk.store)
        if not targets or not targets.isdisjoint(stored.program.targets)
    ]
    skip, limit = _page(request)
    return json_response(list_text(_program_text(stored) for stored in found[skip : skip + limit]))


async def create_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wanted = decode_program(await json_body(request))
    stored = await programs.create_program(
        desk.store, wanted, actor=caller.actor, program_id=desk.new_id(), now=desk.now()
    )
    desk.wrote(caller, "create program", stored.program.id)
    return json_response(_program_text(stored), 201)


async def program(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return json_response(_program_text(await programs.program_by_id(desk.store, request.match_info["id"])))


async def replace_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wanted = decode_program(await json_body(request))
    stored = await programs.replace_program(
        desk.store, request.match_info["id"], wanted, actor=caller.actor, now=desk.now()
    )
    desk.wrote(caller, "replace program", stored.program.id)
    return json_response(_program_text(stored))


async def remove_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    stored = await programs.remove_program(desk.store, request.match_info["id"], actor=caller.actor, now=desk.now())
    desk.wrote(caller, "remove program", stored.program.id)
    return json_response(_program_text(stored))


# -- events ----------------------------------------------------------------------------


async def list_events(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    skip, limit = _page(request)
    found = await events.events(
        desk.store, now=desk.now(), program_id=request.query.get("programID"), targets=names_asked(request, "targets"),
        active=_active(request), skip=skip, limit=limit,
    )  # fmt: skip
    return json_response(list_text(_event_text(stored) for stored in found))


async def create_event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    """With an Idempotency-Key (an IETF draft), a client that lost the answer may send the same again."""
    _refuse_while_time_is_in_doubt(desk)
    body = await json_body(request)
    event_id = desk.new_id()
    with bound_contextvars(event_id=event_id):
        stored = await events.create_event(
            desk.store, decode_event(body), actor=caller.actor, event_id=event_id, rails=desk.rails, now=desk.now(),
            repeat=_repeat_key(request, body),
        )  # fmt: skip
        desk.wrote(caller, "create event", stored.event.id)
    return json_response(_event_text(stored), 201)


async def event(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return json_response(_event_text(await events.event_by_id(desk.store, request.match_info["id"])))


async def replace_event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    _refuse_while_time_is_in_doubt(desk)
    wanted = decode_event(await json_body(request))
    with bound_contextvars(event_id=request.match_info["id"]):
        stored = await events.replace_event(
            desk.store, request.match_info["id"], wanted, actor=caller.actor, rails=desk.rails, now=desk.now()
        )
        desk.wrote(caller, "replace event", stored.event.id)
    return json_response(_event_text(stored))


async def cancel_event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    """OpenADR 3.1 User Guide 7.4: an event is cancelled by deleting it."""
    with bound_contextvars(event_id=request.match_info["id"]):
        stored = await events.remove_event(desk.store, request.match_info["id"], actor=caller.actor, now=desk.now())
        desk.wrote(caller, "cancel event", stored.event.id)
    return json_response(_event_text(stored))


# -- what parties said -----------------------------------------------------------------


async def list_reports(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    skip, limit = _page(request)
    async with desk.store.view() as view:
        found = await event_reports(
            view, desk.now(), program_id=request.query.get("programID"), event_id=request.query.get("eventID"),
            party_name=request.query.get("clientName"), enough=skip + limit,
        )  # fmt: skip
    return json_response(list_text(_report_text(one) for one in found[skip : skip + limit]))


async def report(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    report_id = request.match_info["id"]
    async with desk.store.view() as view:
        found = await event_reports(view, desk.now(), event_id=report_id.partition("--")[0])
    for one in found:
        if _report_id(one) == report_id:
            return json_response(_report_text(one))
    raise NotFound(f"there is no report {report_id}")


async def list_vens(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    skip, limit = _page(request)
    targets, name = set(names_asked(request, "targets")), request.query.get("venName")
    found = [
        party
        for party in await parties(desk.store, PartyState.APPROVED)
        if name in {None, party.name} and (not targets or not targets.isdisjoint(party.targets))
    ]
    return json_response(list_text(ven_text(party) for party in found[skip : skip + limit]))


async def ven(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    ven_id = request.match_info["id"]
    for party in await parties(desk.store, PartyState.APPROVED):
        if party.id == ven_id:
            return json_response(ven_text(party))
    raise NotFound(f"there is no ven {ven_id}")


def _refuse_while_time_is_in_doubt(desk: Desk) -> None:
    """To cancel and to stop is possible at any time."""
    if desk.is_time_in_doubt():
        raise WrongState(
            "this machine's clock was set while the VTN ran, so it is not certain when an event would start: "
            "set it right, or start openadr-vtn anew to accept it"
        )


def _page(request: web.Request) -> tuple[int, int]:
    return number_asked(request, "skip", 0, 10**9 - 1), number_asked(request, "limit", PAGE_MAX, PAGE_MAX)


def _active(request: web.Request) -> bool | None:
    asked = request.query.get("active")
    if asked not in {None, "true", "false"}:
        raise MalformedMessage("active: must be true or false")
    return None if asked is None else asked == "true"


def _repeat_key(request: web.Request, body: bytes) -> RepeatKey | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= REPEAT_KEY_MAX_CHARS or not key.isprintable():
        raise MalformedMessage(f"Idempotency-Key: must have 1 to {REPEAT_KEY_MAX_CHARS} printable characters")
    return RepeatKey(key=key, digest=hashlib.sha256(body).hexdigest())


def _program_text(stored: StoredProgram) -> str:
    return object_text("PROGRAM", stored.program.id, stored.created_at, stored.modified_at, stored.document)


def _event_text(stored: StoredEvent) -> str:
    event = stored.event
    return object_text("EVENT", event.id, event.created_at, event.modified_at, stored.document)


def _report_id(report: EventReport) -> str:
    return f"{report.event.id}--{report.party.id}"


def _report_text(report: EventReport) -> str:
    return report_text(_report_id(report), report.event.id, report.party, report.series, report.until)
