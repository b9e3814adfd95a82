"""The pages and their data: a page is a frame, and draws itself from the data each second."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import structlog
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from openadr_core.errors import NotFound
from openadr_core.model.availability import OptRules, Resource
from openadr_core.shell.clock import steady_s
from openadr_core.shell.console import ASSETS, ASSETS_PREFIX
from openadr_core.shell.console.gate import GATE, Gate, guarded
from openadr_vtn.application.handlers.availability_views import availability_views, schedule_views
from openadr_vtn.application.handlers.notice_views import subscription_views
from openadr_vtn.application.handlers.observe import event_detail, event_views, party_views
from openadr_vtn.application.handlers.parties import party_named
from openadr_vtn.application.handlers.report_views import reports_of_party
from openadr_vtn.application.handlers.sep2_groups import group_named
from openadr_vtn.application.handlers.sep2_views import (
    control_views,
    curve_views,
    default_views,
    device_views,
    group_views,
)
from openadr_vtn.application.handlers.stop import stop
from openadr_vtn.application.lab_clock import TRUE_TIME, LabClock
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.ports import Store, UnitOfWork
from openadr_vtn.console.fresh import FreshAnswers
from openadr_vtn.http.health_routes import HEALTH, Health, health_routes
from openadr_vtn.http.notice_views import subscription_view_json
from openadr_vtn.http.opt_views import availability_view_json, schedule_view_json
from openadr_vtn.http.report_views import reports_json
from openadr_vtn.http.sep2_views import control_json, curve_json, default_json, device_view_json, group_view_json
from openadr_vtn.http.views import audit_json, event_detail_json, event_view_json, party_view_json

FORM_MAX_BYTES = 4096
EVENTS_SHOWN = 50
AUDIT_SHOWN = 40
SUBSCRIPTIONS_SHOWN = 200
SCHEDULES_SHOWN = 100
DEVICES_SHOWN = 200
GROUPS_SHOWN = 100
CONTROLS_SHOWN = 100
AHEAD = timedelta(days=1)
DEFAULT_OPT_RULES = OptRules()

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    store: Store
    now: Callable[[], datetime]
    vtn_id: str
    templates: Environment
    answers: FreshAnswers
    opt_rules: OptRules
    lab: LabClock


CONSOLE = web.AppKey("console", Console)


def console_app(
    store: Store,
    gate: Gate,
    now: Callable[[], datetime],
    vtn_id: str,
    health: Health,
    *,
    opt_rules: OptRules = DEFAULT_OPT_RULES,
    lab: LabClock = TRUE_TIME,
) -> web.Application:
    templates = Environment(
        loader=PackageLoader("openadr_vtn.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    app = web.Application(middlewares=[guarded], client_max_size=FORM_MAX_BYTES)
    app[GATE] = gate
    app[HEALTH] = health
    app[CONSOLE] = Console(
        store=store,
        now=now,
        vtn_id=vtn_id,
        templates=templates,
        answers=FreshAnswers(steady_s=steady_s),
        opt_rules=opt_rules,
        lab=lab,
    )
    app.add_routes(health_routes())
    app.add_routes(
        [
            web.get("/", events_page),
            web.get("/parties", parties_page),
            web.get("/availability", availability_page),
            web.get("/subscriptions", subscriptions_page),
            web.get("/devices", devices_page),
            web.get("/audit", audit_page),
            web.get("/events/{id}", event_page),
            web.get("/parties/{id}", party_page),
            web.get("/groups/{name}", group_page),
            web.get("/data/events.json", events_data),
            web.get("/data/parties.json", parties_data),
            web.get("/data/availability.json", availability_data),
            web.get("/data/subscriptions.json", subscriptions_data),
            web.get("/data/devices.json", devices_data),
            web.get("/data/audit.json", audit_data),
            web.get("/data/events/{id}.json", event_data),
            web.get("/data/parties/{id}.json", party_data),
            web.get("/data/groups/{name}.json", group_data),
            web.post("/stop", stop_events),
            web.static("/assets", Path(str(files("openadr_vtn.console") / "assets"))),
            web.static(ASSETS_PREFIX, ASSETS),
        ]
    )
    return app


async def events_page(request: web.Request) -> web.Response:
    return _page(request, "events.html")


async def parties_page(request: web.Request) -> web.Response:
    return _page(request, "parties.html")


async def availability_page(request: web.Request) -> web.Response:
    return _page(request, "availability.html")


async def subscriptions_page(request: web.Request) -> web.Response:
    return _page(request, "subscriptions.html")


async def devices_page(request: web.Request) -> web.Response:
    return _page(request, "devices.html")


async def audit_page(request: web.Request) -> web.Response:
    return _page(request, "audit.html")


async def event_page(request: web.Request) -> web.Response:
    async with request.app[CONSOLE].store.view() as view:
        stored = await view.events.by_id(request.match_info["id"])
    if stored is None:
        raise web.HTTPNotFound(text="404: there is no such event\n")
    return _page(request, "event.html", event_id=stored.event.id, event_name=stored.event.comment or "Event")


async def party_page(request: web.Request) -> web.Response:
    try:
        async with request.app[CONSOLE].store.view() as view:
            party = await party_named(view, request.match_info["id"])
    except NotFound:
        raise web.HTTPNotFound(text="404: there is no such party\n") from None
    return _page(request, "party.html", party_id=party.id, party_name=party.name)


async def group_page(request: web.Request) -> web.Response:
    try:
        async with request.app[CONSOLE].store.view() as view:
            group = await group_named(view, request.match_info["name"])
    except NotFound:
        raise web.HTTPNotFound(text="404: there is no such group\n") from None
    return _page(request, "group.html", group_name=group.name)


async def events_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, now: datetime) -> object:
        return [event_view_json(one) for one in await event_views(view, now, limit=EVENTS_SHOWN)]

    return await _data(request, read)


async def parties_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, now: datetime) -> object:
        return [party_view_json(one) for one in await party_views(view, now)]

    return await _data(request, read)


async def availability_data(request: web.Request) -> web.Response:
    rules = request.app[CONSOLE].opt_rules

    async def read(view: UnitOfWork, now: datetime) -> object:
        parties = await availability_views(view, Resource(), rules, since=now, until=now + AHEAD)
        schedules = (await schedule_views(view, now))[:SCHEDULES_SHOWN]
        return {
            "parties": [availability_view_json(one) for one in parties],
            "schedules": [schedule_view_json(one) for one in schedules],
        }

    return await _data(request, read)


async def subscriptions_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, _now: datetime) -> object:
        found = await subscription_views(view, Page(limit=SUBSCRIPTIONS_SHOWN))
        return [subscription_view_json(one) for one in found]

    return await _data(request, read)


async def devices_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, now: datetime) -> object:
        groups = await group_views(view, request.app[CONSOLE].lab.moment(now), limit=GROUPS_SHOWN)
        return {
            "groups": [group_view_json(one) for one in groups],
            "devices": [device_view_json(one) for one in await device_views(view, limit=DEVICES_SHOWN)],
            "there": await view.registry.count_devices(),
        }

    return await _data(request, read)


async def group_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, now: datetime) -> object:
        name, moment = request.match_info["name"], request.app[CONSOLE].lab.moment(now)
        found = await control_views(view, name, moment, limit=CONTROLS_SHOWN)
        return {
            "controls": [control_json(one) for one in found],
            "defaults": [default_json(one) for one in await default_views(view, name)],
            "curves": [curve_json(one) for one in await curve_views(view, moment, name)],
        }

    return await _data(request, read)


async def audit_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, _now: datetime) -> object:
        return [audit_json(entry) for entry in await view.audit.newest(AUDIT_SHOWN)]

    return await _data(request, read)


async def event_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, now: datetime) -> object:
        return event_detail_json(await event_detail(view, request.match_info["id"], now))

    return await _data(request, read)


async def party_data(request: web.Request) -> web.Response:
    async def read(view: UnitOfWork, now: datetime) -> object:
        return reports_json(await reports_of_party(view, request.match_info["id"], now))

    return await _data(request, read)


async def stop_events(request: web.Request) -> web.Response:
    """Stop, for all events or for one; the form's key shows that a page of ours asks."""
    form = await request.post()
    if not hmac.compare_digest(str(form.get("form_key", "")).encode(), request.app[GATE].form_key(request).encode()):
        raise web.HTTPForbidden(text="403: the form is not from this session\n")
    event_id = str(form.get("event_id", ""))
    console = request.app[CONSOLE]
    try:
        stopped = await stop(
            console.store, actor="console", reason="pressed in the console", now=console.now(),
            event_ids=[event_id] if event_id else None,
        )  # fmt: skip
    except NotFound:
        raise web.HTTPNotFound(text="404: there is no such event\n") from None
    log.warning("stop", events=[stored.event.id for stored in stopped], by="console")
    raise web.HTTPSeeOther(f"/events/{event_id}" if event_id else "/")


async def _data(request: web.Request, read: Callable[[UnitOfWork, datetime], Awaitable[object]]) -> web.Response:
    console = request.app[CONSOLE]

    async def make() -> str:
        async with console.store.view() as view:
            return json.dumps(await read(view, console.now()))

    try:
        text = await console.answers.of(request.path, make)
    except NotFound:
        raise web.HTTPNotFound(text="404: there is no such thing\n") from None
    return web.json_response(text=text)


def _page(request: web.Request, template: str, **values: str) -> web.Response:
    console = request.app[CONSOLE]
    text = console.templates.get_template(template).render(
        vtn_id=console.vtn_id, form_key=request.app[GATE].form_key(request), path=request.path, **values
    )
    return web.Response(text=text, content_type="text/html")
