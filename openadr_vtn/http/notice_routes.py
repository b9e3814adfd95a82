"""The admin API of notifications: how each subscription fares, dead letters and their replay, the broker's rights."""

from aiohttp import web

from openadr_core.errors import NotFound
from openadr_vtn.application.handlers.notice_views import (
    broker_access,
    dead_letters,
    replay,
    subscription_view,
    subscription_views,
)
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, number_asked, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.notice_views import dead_letter_json, subscription_view_json

PAGE_MAX = 200


def notice_routes() -> list[web.RouteDef]:
    one = f"{ADMIN}/subscriptions/{{id}}"
    return [
        web.get(f"{ADMIN}/subscriptions", scoped(READ_ALL, list_subscriptions)),
        web.get(one, scoped(READ_ALL, subscription)),
        web.get(f"{one}/dead-letters", scoped(READ_ALL, list_dead_letters)),
        web.post(f"{one}/replay", scoped(MANAGE_PARTIES, replay_dead_letters)),
        web.get(f"{ADMIN}/mqtt/access-list", scoped(READ_ALL, mqtt_access_list)),
    ]


async def list_subscriptions(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        return answered([subscription_view_json(one) for one in await subscription_views(view, _page(request))])


async def subscription(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        return answered(subscription_view_json(await subscription_view(view, request.match_info["id"])))


async def list_dead_letters(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        found = await dead_letters(view, request.match_info["id"], _page(request))
    return answered([dead_letter_json(one) for one in found])


async def replay_dead_letters(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "number")
    number = wish.optional("number", wish.natural)
    numbers = None if number is None else [number]
    subscription_id = request.match_info["id"]
    replayed = await replay(desk.store, subscription_id, numbers, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "replay notifications", subscription_id)
    return answered({"replayed": replayed})


async def mqtt_access_list(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    if desk.broker is None:
        raise NotFound("this VTN tells nothing over MQTT")
    async with desk.store.view() as view:
        return answered({"text": await broker_access(view, desk.broker)})


def _page(request: web.Request) -> Page:
    return Page(skip=number_asked(request, "skip", 0, 10**9 - 1), limit=number_asked(request, "limit", 50, PAGE_MAX))
