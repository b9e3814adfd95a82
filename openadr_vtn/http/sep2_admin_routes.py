"""IEEE 2030.5, for operators: groups, devices and controls.

`schemas/openadr3/admin.yaml` describes it.
"""

from datetime import datetime

from aiohttp import web

from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.times import Sentinel, parse_start
from openadr_vtn.application.handlers import sep2_controls, sep2_groups
from openadr_vtn.application.handlers.sep2_groups import DeviceWish
from openadr_vtn.application.handlers.sep2_views import control_views, device_detail, group_views, meter_views
from openadr_vtn.application.sep2_drafts import ControlWish
from openadr_vtn.application.sep2_ports import ControlKind
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, WRITE_EVENTS, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, number_asked, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.sep2_aggregator_routes import sep2_aggregator_routes
from openadr_vtn.http.sep2_clock_routes import sep2_clock_routes
from openadr_vtn.http.sep2_curve_routes import sep2_curve_routes
from openadr_vtn.http.sep2_notice_routes import sep2_notice_routes
from openadr_vtn.http.sep2_rate_routes import sep2_rate_routes
from openadr_vtn.http.sep2_views import (
    control_json,
    device_detail_json,
    device_json,
    group_json,
    group_view_json,
    meter_json,
)

PAGE_MAX = 500
KINDS: dict[str, ControlKind] = {"DERControl": "DERControl", "EndDeviceControl": "EndDeviceControl"}


def sep2_admin_routes() -> list[web.RouteDef]:
    base = f"{ADMIN}/sep2"
    group, device, control = f"{base}/groups/{{name}}", f"{base}/devices/{{lfdi}}", f"{base}/controls/{{mrid}}"
    return [
        web.get(f"{base}/groups", scoped(READ_ALL, list_groups)),
        web.post(f"{base}/groups", scoped(MANAGE_PARTIES, create_group)),
        web.put(group, scoped(MANAGE_PARTIES, change_group)),
        web.delete(group, scoped(MANAGE_PARTIES, remove_group)),
        web.get(f"{group}/controls", scoped(READ_ALL, list_controls)),
        web.post(f"{group}/controls", scoped(WRITE_EVENTS, create_control)),
        web.get(f"{base}/devices", scoped(READ_ALL, list_devices)),
        web.post(f"{base}/devices", scoped(MANAGE_PARTIES, add_device)),
        web.get(device, scoped(READ_ALL, one_device)),
        web.put(device, scoped(MANAGE_PARTIES, change_device)),
        web.delete(device, scoped(MANAGE_PARTIES, remove_device)),
        web.get(f"{device}/meters", scoped(READ_ALL, list_meters)),
        web.delete(f"{device}/meters", scoped(MANAGE_PARTIES, clear_meters)),
        web.post(f"{control}/cancel", scoped(WRITE_EVENTS, cancel_control)),
        *sep2_aggregator_routes(),
        *sep2_clock_routes(),
        *sep2_curve_routes(),
        *sep2_notice_routes(),
        *sep2_rate_routes(),
    ]


# -- groups ----------------------------------------------------------------------------


async def list_groups(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        found = await group_views(view, int(desk.sep2_now().timestamp()))
    return answered([group_view_json(one) for one in found])


async def create_group(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "name", "parent", "primacy", "assignment")
    made = await sep2_groups.create_group(
        desk.store, name=wish.required("name", wish.name), parent=wish.optional("parent", wish.name),
        primacy=wish.optional("primacy", wish.natural), assignment=wish.optional("assignment", wish.natural),
        maker=desk.maker, actor=caller.actor, now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "create group", made.name)
    return answered(group_json(made))


async def change_group(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "parent", "primacy", "assignment")
    changed = await sep2_groups.change_group(
        desk.store, request.match_info["name"], parent=wish.optional("parent", wish.name),
        primacy=wish.optional("primacy", wish.natural), assignment=wish.optional("assignment", wish.natural),
        actor=caller.actor, now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "change group", changed.name)
    return answered(group_json(changed))


async def remove_group(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    removed = await sep2_groups.remove_group(desk.store, request.match_info["name"], actor=caller.actor, now=desk.now())
    desk.wrote(caller, "remove group", removed.name)
    return answered(group_json(removed))


# -- what is asked of them -------------------------------------------------------------


async def list_controls(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        found = await control_views(view, request.match_info["name"], int(desk.sep2_now().timestamp()))
    return answered([control_json(one) for one in found])


async def create_control(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(
        request, "kind", "asks", "start", "duration_s", "randomize_start_s", "randomize_duration_s",
        "response_required", "category", "description",
    )  # fmt: skip
    now = desk.sep2_now()
    kind = wish.optional("kind", wish.text) or "DERControl"
    if kind not in KINDS:
        raise wish.wrong("kind", f"must be {' or '.join(KINDS)}")
    said = {name: wish.optional(name, wish.integer) or 0 for name in ("randomize_start_s", "randomize_duration_s")}
    wanted = ControlWish(
        kind=KINDS[kind], members=wish.required("asks", wish.object).members,
        starts_at=_moment(wish, "start", now), duration_s=wish.required("duration_s", wish.natural),
        response_required=wish.optional("response_required", wish.text) or "03",
        category=wish.optional("category", wish.text), description=wish.optional("description", wish.text), **said,
    )  # fmt: skip
    stored = await sep2_controls.create_control(
        desk.store, request.match_info["name"], wanted, maker=desk.maker, actor=caller.actor, now=now
    )
    desk.wrote(caller, "create control", stored.control.mrid)
    return answered({"mrid": stored.control.mrid})


async def cancel_control(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "randomly")
    stored = await sep2_controls.cancel_control(
        desk.store, request.match_info["mrid"], randomly=wish.optional("randomly", wish.boolean) or False,
        actor=caller.actor, now=desk.sep2_now(),
    )  # fmt: skip
    desk.wrote(caller, "cancel control", stored.control.mrid)
    return answered({"mrid": stored.control.mrid})


# -- devices ---------------------------------------------------------------------------


async def list_devices(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    skip, limit = number_asked(request, "skip", 0, 10**9 - 1), number_asked(request, "limit", PAGE_MAX, PAGE_MAX)
    async with desk.store.view() as view:
        found = await view.registry.devices(skip=skip, limit=limit)
        groups = {group.id: group.name for group in await view.registry.groups()}
    return answered([device_json(device, [groups[group_id] for group_id in device.groups]) for device in found])


async def one_device(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        detail = await device_detail(view, request.match_info["lfdi"])
    return answered(device_detail_json(detail))


async def add_device(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "party", "lfdi", *DEVICE_MEMBERS)
    added = await sep2_groups.add_device(
        desk.store, party=wish.required("party", wish.name), lfdi=wish.required("lfdi", wish.text),
        wish=_device_wish(wish), actor=caller.actor, now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "add device", added.lfdi)
    return answered(await _device_answer(desk, added.lfdi))


async def change_device(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, *DEVICE_MEMBERS)
    changed = await sep2_groups.change_device(
        desk.store, request.match_info["lfdi"], _device_wish(wish), actor=caller.actor, now=desk.now()
    )
    desk.wrote(caller, "change device", changed.lfdi)
    return answered(await _device_answer(desk, changed.lfdi))


async def remove_device(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    removed = await sep2_groups.remove_device(
        desk.store, request.match_info["lfdi"], actor=caller.actor, now=desk.now()
    )
    desk.wrote(caller, "remove device", removed.lfdi)
    return answered({"lfdi": removed.lfdi})


async def list_meters(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        found = await meter_views(view, request.match_info["lfdi"])
    return answered([meter_json(one) for one in found])


async def clear_meters(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    lfdi = request.match_info["lfdi"]
    cleared = await sep2_groups.clear_meters(desk.store, lfdi, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "clear meters", lfdi)
    return answered({"cleared": cleared})


DEVICE_MEMBERS = ("groups", "pin", "category", "post_rate_s", "enabled")


def _device_wish(wish: Fields) -> DeviceWish:
    return DeviceWish(
        groups=wish.names("groups") if wish.members.get("groups") is not None else None,
        pin=wish.optional("pin", wish.natural),
        category=wish.optional("category", wish.text),
        post_rate_s=wish.optional("post_rate_s", wish.natural),
        enabled=wish.optional("enabled", wish.boolean),
    )


async def _device_answer(desk: Desk, lfdi: str) -> dict[str, object]:
    async with desk.store.view() as view:
        return device_detail_json(await device_detail(view, lfdi))


def _moment(wish: Fields, name: str, now: datetime) -> int:
    at = wish.required(name, wish.parsed(parse_start))
    return int((now if isinstance(at, Sentinel) else at).timestamp())
