"""OpenADR 3.1: events. Business logic writes them; vens see those that they were granted."""

import hashlib

from aiohttp import web
from structlog.contextvars import bound_contextvars

from openadr_core.errors import MalformedMessage, WrongState
from openadr_core.oadr3.decode import decode_event
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.handlers import events
from openadr_vtn.application.handlers.events import RepeatKey
from openadr_vtn.application.handlers.seen import event_seen, event_text, events_seen
from openadr_vtn.domain.access import READ_TARGETS, WRITE_EVENTS, Caller
from openadr_vtn.domain.visibility import EVERYTHING
from openadr_vtn.http.access import Desk, json_body, json_response, listing, scoped
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.oadr3_answers import Look, flag_asked, id_asked, id_named, targets_asked, viewer_of

PATH = f"{OADR3}/events"
KINDS = (ObjectKind.EVENT,)
REPEAT_KEY_MAX_CHARS = 128


def event_routes() -> list[web.RouteDef]:
    one = f"{PATH}/{{id}}"
    return [
        web.get(PATH, scoped(READ_TARGETS, list_events)),
        web.post(PATH, scoped(WRITE_EVENTS, create_event)),
        web.get(one, scoped(READ_TARGETS, event)),
        web.put(one, scoped(WRITE_EVENTS, replace_event)),
        web.delete(one, scoped(WRITE_EVENTS, remove_event)),
    ]


@listing("programID", "active", several=("targets",))
async def list_events(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, now = await viewer_of(desk, caller), desk.now()
    targets, program_id, active = targets_asked(request), id_asked(request, "programID"), flag_asked(request, "active")
    until = "" if active is None else str(await desk.horizon.next_over_at(now))
    look = Look(request=request, desk=desk, viewer=viewer, kinds=KINDS, until=until)
    return await look.listed(
        lambda page: events_seen(
            desk.store, viewer, page, now=now, targets=targets, program_id=program_id, active=active
        )
    )


async def event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, event_id = await viewer_of(desk, caller), id_named(request)
    look = Look(request=request, desk=desk, viewer=viewer, kinds=KINDS)
    return await look.one(lambda: event_seen(desk.store, viewer, event_id, desk.now()))


async def create_event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    """With an Idempotency-Key (an IETF draft), a client that lost the answer may send the same again."""
    _refuse_while_time_is_in_doubt(desk)
    body = await json_body(request)
    event_id = desk.new_id()
    with bound_contextvars(event_id=event_id):
        stored = await events.create_event(
            desk.store, decode_event(body), actor=caller.actor, event_id=event_id, rails=desk.rails, now=desk.now(),
            maker=desk.maker, repeat=_repeat_key(request, body),
        )  # fmt: skip
        desk.wrote(caller, "create event", stored.event.id)
    return json_response(event_text(stored, EVERYTHING), 201)


async def replace_event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    _refuse_while_time_is_in_doubt(desk)
    event_id, wanted = id_named(request), decode_event(await json_body(request))
    with bound_contextvars(event_id=event_id):
        stored = await events.replace_event(
            desk.store, event_id, wanted, actor=caller.actor, rails=desk.rails, now=desk.now(), maker=desk.maker
        )
        desk.wrote(caller, "replace event", stored.event.id)
    return json_response(event_text(stored, EVERYTHING))


async def remove_event(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    """OpenADR 3.1 User Guide 7.4: an event is cancelled by deleting it."""
    event_id = id_named(request)
    with bound_contextvars(event_id=event_id):
        stored = await events.remove_event(desk.store, event_id, actor=caller.actor, now=desk.now())
        desk.wrote(caller, "cancel event", event_id)
    return json_response(event_text(stored, EVERYTHING))


def _refuse_while_time_is_in_doubt(desk: Desk) -> None:
    """To cancel and to stop is possible at any time."""
    if desk.is_time_in_doubt():
        raise WrongState(
            "this machine's clock was set while the VTN ran, so it is not certain when an event would start: "
            "set it right, or start openadr-vtn anew to accept it"
        )


def _repeat_key(request: web.Request, body: bytes) -> RepeatKey | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= REPEAT_KEY_MAX_CHARS or not key.isprintable():
        raise MalformedMessage(f"Idempotency-Key: must have 1 to {REPEAT_KEY_MAX_CHARS} printable characters")
    return RepeatKey(key=key, digest=hashlib.sha256(body).hexdigest())
