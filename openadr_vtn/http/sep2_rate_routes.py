"""IEEE 2030.5, for operators: how often everybody, a group's devices, or one device are to poll and to post."""

from collections.abc import Iterable

from aiohttp import web

from openadr_vtn.application.handlers import sep2_rates
from openadr_vtn.application.handlers.sep2_rates import RateView
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, scoped
from openadr_vtn.http.addresses import ADMIN


def sep2_rate_routes() -> list[web.RouteDef]:
    base = f"{ADMIN}/sep2"
    of_group, of_device = f"{base}/groups/{{group}}/rates", f"{base}/devices/{{lfdi}}/rates"
    return [
        web.get(f"{base}/rates", scoped(READ_ALL, list_rates)),
        web.put(f"{base}/rates/{{name}}", scoped(MANAGE_PARTIES, save_rate)),
        web.get(of_group, scoped(READ_ALL, list_group_rates)),
        web.put(f"{of_group}/{{name}}", scoped(MANAGE_PARTIES, save_group_rate)),
        web.get(of_device, scoped(READ_ALL, list_device_rates)),
        web.put(f"{of_device}/{{name}}", scoped(MANAGE_PARTIES, save_device_rate)),
    ]


async def list_rates(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        found = await sep2_rates.common_rates(view)
    return answered({one.name: one.seconds for one in found})


async def list_group_rates(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        return answered(rates_json(await sep2_rates.group_rates(view, request.match_info["group"])))


async def list_device_rates(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        return answered(rates_json(await sep2_rates.device_rates(view, request.match_info["lfdi"])))


async def save_rate(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    name, seconds = await _wished(request)
    await sep2_rates.save_rate(desk.store, name, seconds, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "save rate", name)
    return answered({"name": name, "seconds": seconds})


async def save_group_rate(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    (name, seconds), group = await _wished(request), request.match_info["group"]
    await sep2_rates.save_group_rate(desk.store, group, name, seconds, actor=caller.actor, now=desk.now())
    desk.wrote(caller, f"save rate of {name}", group)
    return answered({"group": group, "name": name, "seconds": seconds})


async def save_device_rate(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    (name, seconds), lfdi = await _wished(request), request.match_info["lfdi"]
    await sep2_rates.save_device_rate(desk.store, lfdi, name, seconds, actor=caller.actor, now=desk.now())
    desk.wrote(caller, f"save rate of {name}", lfdi)
    return answered({"lfdi": lfdi, "name": name, "seconds": seconds})


def rates_json(found: Iterable[RateView]) -> dict[str, object]:
    return {
        one.name: {"seconds": one.seconds, "in_force_s": one.in_force_s, "said_of": one.said_of} for one in found
    }  # fmt: skip


async def _wished(request: web.Request) -> tuple[str, int | None]:
    wish = await body_fields(request, "seconds")
    return request.match_info["name"], wish.optional("seconds", wish.natural)
