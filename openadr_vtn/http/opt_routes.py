"""Opt schedules of parties, and who is in and out when, for operators.

`schemas/openadr3/admin.yaml` describes it.
"""

from datetime import timedelta

from aiohttp import web

from openadr_core.model.availability import Resource
from openadr_vtn.application.handlers.availability_views import availability_views, schedule_views
from openadr_vtn.domain.access import READ_ALL, Caller
from openadr_vtn.http.access import Desk, answered, moment_asked, names_asked, number_asked, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.opt_views import availability_view_json, schedule_view_json

HOURS_MAX = 24 * 400


def opt_routes() -> list[web.RouteDef]:
    return [
        web.get(f"{ADMIN}/opts", scoped(READ_ALL, list_opts)),
        web.get(f"{ADMIN}/availability", scoped(READ_ALL, availability)),
    ]


async def list_opts(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        views = await schedule_views(view, desk.now(), named=request.query.get("party"))
    return answered([schedule_view_json(one) for one in views])


async def availability(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    since = moment_asked(request, "at", desk.now())
    hours = number_asked(request, "hours", 24, HOURS_MAX)
    resource = Resource(
        names=frozenset(names_asked(request, "resource")),
        device_classes=frozenset(names_asked(request, "device_class")),
    )
    async with desk.store.view() as view:
        views = await availability_views(
            view, resource, desk.opt_rules, since=since, until=since + timedelta(hours=max(hours, 1)),
            named=request.query.get("party"), program=request.query.get("program"),
        )  # fmt: skip
    return answered([availability_view_json(one) for one in views])
