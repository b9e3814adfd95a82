"""OpenADR 3.1: how clients are told of changes besides webhooks, and on which topics of the broker."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from openadr_core.errors import NotFound
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.broker import Broker
from openadr_vtn.application.handlers.seen import program_seen
from openadr_vtn.domain import topics
from openadr_vtn.domain.access import READ_ALL, READ_BL, READ_TARGETS, READ_VEN_OBJECTS, Caller
from openadr_vtn.http.access import Desk, answered, scoped
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.oadr3_answers import id_named, viewer_of

PATH = f"{OADR3}/notifiers"
TOPICS = f"{PATH}/mqtt/topics"
SCOPED_TO_VEN = (ObjectKind.EVENT, ObjectKind.PROGRAM, ObjectKind.RESOURCE)

TopicHandler = Callable[[web.Request, Desk, Caller], Awaitable[web.Response]]


def notifier_routes() -> list[web.RouteDef]:
    """Interpretation: every client needs to find the broker, so any read scope opens ``/notifiers``."""
    programs, vens = topics.of_all(ObjectKind.PROGRAM), topics.of_all(ObjectKind.VEN)
    return [
        web.get(PATH, scoped((READ_BL, READ_TARGETS, READ_VEN_OBJECTS), notifiers)),
        web.get(f"{TOPICS}/{programs}", scoped(READ_ALL, _topics_of_all(ObjectKind.PROGRAM))),
        web.get(f"{TOPICS}/{programs}/{{id}}", scoped(READ_ALL, _topics_of_program)),
        web.get(f"{TOPICS}/{programs}/{{id}}/events", scoped(READ_ALL, _topics_of_events)),
        *(
            web.get(f"{TOPICS}/{topics.of_all(kind)}", scoped(READ_BL, _topics_of_all(kind)))
            for kind in ObjectKind
            if kind is not ObjectKind.PROGRAM
        ),
        web.get(f"{TOPICS}/{vens}/{{id}}", scoped(READ_VEN_OBJECTS, _topics_of_ven)),
        *(
            web.get(f"{TOPICS}/{vens}/{{id}}/{topics.of_all(kind)}", scoped(READ_VEN_OBJECTS, _topics_for_ven(kind)))
            for kind in SCOPED_TO_VEN
        ),
    ]


async def notifiers(_request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    found: dict[str, object] = {"WEBHOOK": True}
    if desk.broker is not None:
        found["MQTT"] = {
            "URIS": list(desk.broker.uris),
            "serialization": "JSON",
            "authentication": dict(desk.broker.admission(caller.client_id)),
        }
    response = answered(found)
    response.headers["Cache-Control"] = "no-store"
    return response


def _topics_of_all(kind: ObjectKind) -> TopicHandler:
    async def told(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
        return _told(desk, topics.names(topics.of_all(kind)))

    return told


async def _topics_of_program(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    program_id = await _program(request, desk, caller)
    return _told(desk, topics.names(topics.of_one(ObjectKind.PROGRAM, program_id), one=True))


async def _topics_of_events(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    return _told(desk, topics.names(topics.of_program(await _program(request, desk, caller))))


async def _topics_of_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    ven_id = await _ven(request, desk, caller)
    return _told(desk, topics.names(topics.of_one(ObjectKind.VEN, ven_id), one=True))


def _topics_for_ven(kind: ObjectKind) -> TopicHandler:
    async def told(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
        return _told(desk, topics.names(topics.of_ven(kind, await _ven(request, desk, caller))))

    return told


def _told(desk: Desk, names: dict[str, str]) -> web.Response:
    _broker(desk)
    return answered({"topics": names})


def _broker(desk: Desk) -> Broker:
    if desk.broker is None:
        raise NotFound("this VTN tells nothing over MQTT")
    return desk.broker


async def _program(request: web.Request, desk: Desk, caller: Caller) -> str:
    program_id = id_named(request)
    await program_seen(desk.store, await viewer_of(desk, caller), program_id)
    return program_id


async def _ven(request: web.Request, desk: Desk, caller: Caller) -> str:
    """The ven of the address; another's is as if it were not there."""
    _broker(desk)
    ven_id, viewer = id_named(request), await viewer_of(desk, caller)
    if not viewer.is_business and viewer.party_id != ven_id:
        raise NotFound(f"there is no ven {ven_id}")
    if viewer.is_business:
        async with desk.store.view() as view:
            if await view.parties.by_id(ven_id) is None:
                raise NotFound(f"there is no ven {ven_id}")
    return ven_id
