"""IEEE 2030.5, for operators: what holds where no control does, and curves that either refers to."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from openadr_core.errors import NotFound
from openadr_core.oadr3.json_text import parse_object
from openadr_vtn.application.handlers import sep2_controls
from openadr_vtn.application.handlers.sep2_views import curve_view, curve_views, default_view, default_views
from openadr_vtn.domain.access import READ_ALL, WRITE_EVENTS, Caller
from openadr_vtn.http.access import Desk, answered, json_body, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.sep2_views import curve_json, default_json

NUMBER_MAX_DIGITS = 9


def sep2_curve_routes() -> list[web.RouteDef]:
    base = f"{ADMIN}/sep2"
    default, curves = f"{base}/groups/{{name}}/default", f"{base}/groups/{{name}}/curves"
    curve = f"{curves}/{{number}}"
    return [
        web.get(f"{base}/defaults", scoped(READ_ALL, list_defaults)),
        web.get(default, scoped(READ_ALL, one_default)),
        web.put(default, scoped(WRITE_EVENTS, save_default)),
        web.delete(default, scoped(WRITE_EVENTS, remove_default)),
        web.get(f"{base}/curves", scoped(READ_ALL, list_curves)),
        web.get(curves, scoped(READ_ALL, list_curves)),
        web.post(curves, scoped(WRITE_EVENTS, add_curve)),
        web.get(curve, scoped(READ_ALL, one_curve)),
        web.put(curve, scoped(WRITE_EVENTS, change_curve)),
        web.delete(curve, scoped(WRITE_EVENTS, remove_curve)),
    ]


# -- defaults --------------------------------------------------------------------------


async def list_defaults(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        return answered([default_json(one) for one in await default_views(view)])


async def one_default(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return await _default_answer(desk, request.match_info["name"])


async def save_default(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    name, members = request.match_info["name"], await _members(request)
    await sep2_controls.save_default(
        desk.store, name, members, maker=desk.maker, actor=caller.actor, now=desk.sep2_now()
    )
    desk.wrote(caller, "save default", name)
    return await _default_answer(desk, name)


async def remove_default(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    name = request.match_info["name"]
    await sep2_controls.remove_default(desk.store, name, actor=caller.actor, now=desk.sep2_now())
    desk.wrote(caller, "remove default", name)
    return answered({"group": name})


# -- curves ----------------------------------------------------------------------------


async def list_curves(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    """Of one group, or of all."""
    async with desk.store.view() as view:
        found = await curve_views(view, int(desk.sep2_now().timestamp()), request.match_info.get("name"))
    return answered([curve_json(one) for one in found])


async def one_curve(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return await _curve_answer(desk, request.match_info["name"], _number(request))


async def add_curve(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    name, members = request.match_info["name"], await _members(request)
    stored = await sep2_controls.add_curve(
        desk.store, name, members, maker=desk.maker, actor=caller.actor, now=desk.sep2_now()
    )
    desk.wrote(caller, "add curve", f"{name} {stored.id}")
    return await _curve_answer(desk, name, stored.id)


async def change_curve(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    name, number, members = request.match_info["name"], _number(request), await _members(request)
    await sep2_controls.change_curve(
        desk.store, name, number, members, maker=desk.maker, actor=caller.actor, now=desk.sep2_now()
    )
    desk.wrote(caller, "change curve", f"{name} {number}")
    return await _curve_answer(desk, name, number)


async def remove_curve(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    name, number = request.match_info["name"], _number(request)
    await sep2_controls.remove_curve(desk.store, name, number, actor=caller.actor, now=desk.sep2_now())
    desk.wrote(caller, "remove curve", f"{name} {number}")
    return answered({"group": name, "number": number})


async def _default_answer(desk: Desk, name: str) -> web.Response:
    async with desk.store.view() as view:
        return answered(default_json(await default_view(view, name)))


async def _curve_answer(desk: Desk, name: str, number: int) -> web.Response:
    async with desk.store.view() as view:
        return answered(curve_json(await curve_view(view, name, number, int(desk.sep2_now().timestamp()))))


def _number(request: web.Request) -> int:
    """NotFound for what is no number: no curve is called so."""
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_MAX_DIGITS):
        raise NotFound(f"group {request.match_info['name']} has no curve {text[:64]}")
    return int(text)


async def _members(request: web.Request) -> Mapping[str, Any]:
    """Over which a message of the standard decides."""
    return parse_object(await json_body(request))[0]
