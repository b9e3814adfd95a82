"""OpenADR 3.1: programs. Business logic writes them; vens see those that they were granted."""

from aiohttp import web

from openadr_core.oadr3.decode import decode_program
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.handlers import programs
from openadr_vtn.application.handlers.seen import program_seen, program_text, programs_seen
from openadr_vtn.domain.access import READ_TARGETS, WRITE_PROGRAMS, Caller
from openadr_vtn.domain.visibility import EVERYTHING
from openadr_vtn.http.access import Desk, json_body, json_response, listing, scoped
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.oadr3_answers import Look, id_named, name_asked, targets_asked, viewer_of

PATH = f"{OADR3}/programs"
KINDS = (ObjectKind.PROGRAM,)


def program_routes() -> list[web.RouteDef]:
    one = f"{PATH}/{{id}}"
    return [
        web.get(PATH, scoped(READ_TARGETS, list_programs)),
        web.post(PATH, scoped(WRITE_PROGRAMS, create_program)),
        web.get(one, scoped(READ_TARGETS, program)),
        web.put(one, scoped(WRITE_PROGRAMS, replace_program)),
        web.delete(one, scoped(WRITE_PROGRAMS, remove_program)),
    ]


@listing("programName", several=("targets",))
async def list_programs(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer = await viewer_of(desk, caller)
    targets, name = targets_asked(request), name_asked(request, "programName")
    look = Look(request=request, desk=desk, viewer=viewer, kinds=KINDS)
    return await look.listed(lambda page: programs_seen(desk.store, viewer, page, targets=targets, name=name))


async def program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, program_id = await viewer_of(desk, caller), id_named(request)
    look = Look(request=request, desk=desk, viewer=viewer, kinds=KINDS)
    return await look.one(lambda: program_seen(desk.store, viewer, program_id))


async def create_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wanted = decode_program(await json_body(request))
    stored = await programs.create_program(
        desk.store, wanted, actor=caller.actor, program_id=desk.new_id(), now=desk.now()
    )
    desk.wrote(caller, "create program", stored.program.id)
    return json_response(program_text(stored, EVERYTHING), 201)


async def replace_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    program_id, wanted = id_named(request), decode_program(await json_body(request))
    stored = await programs.replace_program(desk.store, program_id, wanted, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "replace program", program_id)
    return json_response(program_text(stored, EVERYTHING))


async def remove_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    program_id = id_named(request)
    stored = await programs.remove_program(desk.store, program_id, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "remove program", program_id)
    return json_response(program_text(stored, EVERYTHING))
