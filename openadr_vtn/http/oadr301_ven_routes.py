"""OpenADR 3.0.1: vens with their resources inside, and resources at addresses under their vens.

Interpretation: 3.0.1 has no clientID. A ven that business logic writes is of the client that its ``clientID``
names, as in 3.1, or else of the one that is called as the ven is.
"""

from collections import Counter

from aiohttp import web

from openadr_core.errors import NotFound, SchemaViolation
from openadr_core.oadr3.decode_vens import decode_resource, decode_ven
from openadr_core.oadr3.messages import ResourceRequest
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.v301 import (
    from_3_1,
    member_text,
    resource_to_3_1,
    resources_in,
    ven_to_3_1,
    with_member,
)
from openadr_vtn.application.handlers import resources, vens
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.access import READ_VEN_OBJECTS, WRITE_VENS, Caller
from openadr_vtn.http import oadr3_ven_routes as newer
from openadr_vtn.http.access import BODY, QUERY, Desk, json_response, listing, scoped
from openadr_vtn.http.addresses import OADR301
from openadr_vtn.http.oadr3_answers import Look, id_named, identifier, name_asked, targets_asked, viewer_of
from openadr_vtn.http.oadr301_answers import body_of_3_0_1, query_of_3_0_1, reworded, spoken

VENS = f"{OADR301}/vens"
RESOURCES = f"{VENS}/{{ven}}/resources"
KINDS = (ObjectKind.VEN, ObjectKind.RESOURCE)
RESOURCES_MAX = 10_000
"""Told inside a ven."""


def ven_routes() -> list[web.RouteDef]:
    one = f"{VENS}/{{id}}"
    return [
        web.get(VENS, scoped(READ_VEN_OBJECTS, list_vens)),
        web.post(VENS, scoped(WRITE_VENS, create_ven)),
        web.get(one, scoped(READ_VEN_OBJECTS, ven)),
        web.put(one, scoped(WRITE_VENS, replace_ven)),
        web.delete(one, scoped(WRITE_VENS, remove_ven)),
    ]


def resource_routes() -> list[web.RouteDef]:
    one = f"{RESOURCES}/{{id}}"
    return [
        web.get(RESOURCES, scoped(READ_VEN_OBJECTS, list_resources)),
        web.post(RESOURCES, scoped(WRITE_VENS, create_resource)),
        web.get(one, scoped(READ_VEN_OBJECTS, resource)),
        web.put(one, scoped(WRITE_VENS, replace_resource)),
        web.delete(one, scoped(WRITE_VENS, remove_resource)),
    ]


# -- vens ------------------------------------------------------------------------------


@listing("venName", "targetType", several=("targetValues",))
async def list_vens(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    request[QUERY] = query_of_3_0_1(request)
    viewer, targets, name = await viewer_of(desk, caller), targets_asked(request), name_asked(request, "venName")

    async def read(page: Page) -> Listed[str]:
        found = await vens.vens_seen(desk.store, viewer, page, targets=targets, name=name)
        return Listed(items=[await _with_resources(desk, viewer, text) for text in found.items], total=found.total)

    return await Look(request=request, desk=desk, viewer=viewer, kinds=KINDS).listed(read)


async def ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, ven_id = await viewer_of(desk, caller), id_named(request)

    async def read() -> str:
        return await _with_resources(desk, viewer, await vens.ven_seen(desk.store, ven_id, viewer))

    return await Look(request=request, desk=desk, viewer=viewer, kinds=KINDS).one(read)


async def create_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    """With the resources inside, or not at all."""
    text, ven_id = await body_of_3_0_1(request), desk.new_id()
    client_id = (member_text(text, "venName") or "") if caller.is_business else None
    wanted = decode_ven(ven_to_3_1(text, client_id=client_id).encode())
    inside = _resources_wanted(text, ven_id, caller)
    viewer, now = await viewer_of(desk, caller), desk.now()
    made = await vens.create_ven(desk.store, wanted, viewer, ven_id=ven_id, poll_interval=desk.poll_interval, now=now)
    viewer = await viewer_of(desk, caller)  # who is a ven only now
    try:
        for one in inside:
            await resources.create_resource(desk.store, one, viewer, resource_id=desk.new_id(), now=now)
    except BaseException:
        await vens.remove_ven(desk.store, ven_id, viewer, now)
        raise
    desk.wrote(caller, "create ven", ven_id)
    return json_response(await _with_resources(desk, viewer, made), 201)


async def replace_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    """Interpretation: its resources have addresses of their own, and are changed there."""
    viewer, ven_id, text = await viewer_of(desk, caller), id_named(request), await body_of_3_0_1(request)
    _resources_wanted(text, ven_id, caller)
    before = await vens.ven_seen(desk.store, ven_id, viewer)
    client_id = member_text(before, "clientID") if caller.is_business else None
    request[BODY] = ven_to_3_1(text, client_id=client_id, kept=before).encode()
    return await _told(await newer.replace_ven(request, desk, caller), desk, viewer)


async def remove_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, ven_id = await viewer_of(desk, caller), id_named(request)
    before = await _with_resources(desk, viewer, await vens.ven_seen(desk.store, ven_id, viewer))
    await newer.remove_ven(request, desk, caller)
    return json_response(before)


def _resources_wanted(ven_text: str, ven_id: str, caller: Caller) -> list[ResourceRequest]:
    wanted = [
        decode_resource(resource_to_3_1(one, ven_id=ven_id, by_business=caller.is_business).encode())
        for one in resources_in(ven_text)
    ]
    twice = [name for name, times in Counter(one.name for one in wanted).items() if times > 1]
    if twice:
        raise SchemaViolation(f"resources: {twice[0]} stands twice")
    return wanted


async def _told(response: web.Response, desk: Desk, viewer: Viewer) -> web.Response:
    async def wording(desk: Desk, texts: list[str]) -> list[str]:
        return [await _with_resources(desk, viewer, text) for text in texts]

    return await reworded(response, desk, wording)


async def _with_resources(desk: Desk, viewer: Viewer, ven_text: str) -> str:
    ven_id, page = member_text(ven_text, "id"), Page(skip=0, limit=RESOURCES_MAX)
    found = await resources.resources_seen(desk.store, viewer, page, ven_id=ven_id)
    inside = ", ".join(from_3_1(ObjectKind.RESOURCE, text) for text in found.items)
    return with_member(from_3_1(ObjectKind.VEN, ven_text), "resources", f"[{inside}]")


# -- resources -------------------------------------------------------------------------


async def list_resources(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await vens.ven_seen(desk.store, _ven_named(request), await viewer_of(desk, caller))

    async def of_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
        request[QUERY]["venID"] = _ven_named(request)
        return await newer.list_resources(request, desk, caller)

    return await spoken(ObjectKind.RESOURCE, of_ven)(request, desk, caller)


async def create_resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await vens.ven_seen(desk.store, _ven_named(request), await viewer_of(desk, caller))
    return await _written(request, desk, caller)


async def resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await _known(request, desk, caller)
    return await spoken(ObjectKind.RESOURCE, newer.resource)(request, desk, caller)


async def replace_resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    return await _written(request, desk, caller, kept=await _known(request, desk, caller))


async def remove_resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await _known(request, desk, caller)
    return await spoken(ObjectKind.RESOURCE, newer.remove_resource)(request, desk, caller)


async def _written(request: web.Request, desk: Desk, caller: Caller, kept: str | None = None) -> web.Response:
    """A new one, or another wording of one that is there."""
    ven_id = _ven_named(request)

    def to_3_1(text: str) -> str:
        return resource_to_3_1(text, ven_id=ven_id, by_business=caller.is_business, kept=kept or "{}")

    write = newer.create_resource if kept is None else newer.replace_resource
    return await spoken(ObjectKind.RESOURCE, write, to_3_1)(request, desk, caller)


async def _known(request: web.Request, desk: Desk, caller: Caller) -> str:
    """The resource, if it is behind the ven in the address."""
    resource_id, ven_id = id_named(request), _ven_named(request)
    text = await resources.resource_seen(desk.store, resource_id, await viewer_of(desk, caller))
    if member_text(text, "venID") != ven_id:
        raise NotFound(f"ven {ven_id} has no resource {resource_id}")
    return text


def _ven_named(request: web.Request) -> str:
    return identifier("venID", request.match_info["ven"])
