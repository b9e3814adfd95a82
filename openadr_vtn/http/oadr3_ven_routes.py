"""OpenADR 3.1: vens, and the resources behind them. Business logic sees all, a ven its own."""

from aiohttp import web

from openadr_core.oadr3.decode_vens import decode_resource, decode_ven
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.handlers import resources, vens
from openadr_vtn.domain.access import READ_VEN_OBJECTS, WRITE_VENS, Caller
from openadr_vtn.http.access import Desk, json_body, json_response, listing, scoped
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.oadr3_answers import Look, id_asked, id_named, name_asked, targets_asked, viewer_of

VENS, RESOURCES = f"{OADR3}/vens", f"{OADR3}/resources"
OF_VENS, OF_RESOURCES = (ObjectKind.VEN,), (ObjectKind.RESOURCE, ObjectKind.VEN)
"""A resource tells the client of its ven."""


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


@listing("venName", several=("targets",))
async def list_vens(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, targets, name = await viewer_of(desk, caller), targets_asked(request), name_asked(request, "venName")
    look = Look(request=request, desk=desk, viewer=viewer, kinds=OF_VENS)
    return await look.listed(lambda page: vens.vens_seen(desk.store, viewer, page, targets=targets, name=name))


async def ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, ven_id = await viewer_of(desk, caller), id_named(request)
    look = Look(request=request, desk=desk, viewer=viewer, kinds=OF_VENS)
    return await look.one(lambda: vens.ven_seen(desk.store, ven_id, viewer))


async def create_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, wanted, ven_id = await viewer_of(desk, caller), decode_ven(await json_body(request)), desk.new_id()
    text = await vens.create_ven(
        desk.store, wanted, viewer, ven_id=ven_id, poll_interval=desk.poll_interval, now=desk.now()
    )
    desk.wrote(caller, "create ven", ven_id)
    return json_response(text, 201)


async def replace_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, ven_id = await viewer_of(desk, caller), id_named(request)
    text = await vens.replace_ven(desk.store, ven_id, decode_ven(await json_body(request)), viewer, desk.now())
    desk.wrote(caller, "replace ven", ven_id)
    return json_response(text)


async def remove_ven(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, ven_id = await viewer_of(desk, caller), id_named(request)
    text = await vens.remove_ven(desk.store, ven_id, viewer, desk.now())
    desk.wrote(caller, "remove ven", ven_id)
    return json_response(text)


@listing("venID", "resourceName", several=("targets",))
async def list_resources(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, targets = await viewer_of(desk, caller), targets_asked(request)
    ven_id, name = id_asked(request, "venID"), name_asked(request, "resourceName")
    look = Look(request=request, desk=desk, viewer=viewer, kinds=OF_RESOURCES)
    return await look.listed(
        lambda page: resources.resources_seen(desk.store, viewer, page, targets=targets, ven_id=ven_id, name=name)
    )


async def resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, resource_id = await viewer_of(desk, caller), id_named(request)
    look = Look(request=request, desk=desk, viewer=viewer, kinds=OF_RESOURCES)
    return await look.one(lambda: resources.resource_seen(desk.store, resource_id, viewer))


async def create_resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, resource_id = await viewer_of(desk, caller), desk.new_id()
    wanted = decode_resource(await json_body(request))
    text = await resources.create_resource(desk.store, wanted, viewer, resource_id=resource_id, now=desk.now())
    desk.wrote(caller, "create resource", resource_id)
    return json_response(text, 201)


async def replace_resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, resource_id = await viewer_of(desk, caller), id_named(request)
    wanted = decode_resource(await json_body(request))
    text = await resources.replace_resource(desk.store, resource_id, wanted, viewer, desk.now())
    desk.wrote(caller, "replace resource", resource_id)
    return json_response(text)


async def remove_resource(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer, resource_id = await viewer_of(desk, caller), id_named(request)
    text = await resources.remove_resource(desk.store, resource_id, viewer, desk.now())
    desk.wrote(caller, "remove resource", resource_id)
    return json_response(text)
