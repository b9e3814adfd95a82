"""What OpenADR 3.1 has no word for: Stop, the delivery ledger, the audit trail; parties are in ``party_routes``.

`schemas/openadr3/admin.yaml` describes it.
"""

from aiohttp import web

from openadr_core.oadr3.decode import decode_event
from openadr_vtn.application.handlers.compliance import event_compliance
from openadr_vtn.application.handlers.events import note_event
from openadr_vtn.application.handlers.observe import event_detail, event_ledger, event_views
from openadr_vtn.application.handlers.preview import preview_event
from openadr_vtn.application.handlers.stop import stop
from openadr_vtn.domain.access import READ_ALL, STOP, WRITE_EVENTS, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, json_body, number_asked, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.report_views import compliance_json
from openadr_vtn.http.views import audit_json, event_detail_json, event_view_json, ledger_json, note_json, preview_json

PAGE_MAX = 200


def admin_routes() -> list[web.RouteDef]:
    return [
        web.get(f"{ADMIN}/events", scoped(READ_ALL, list_events)),
        web.post(f"{ADMIN}/events/preview", scoped(WRITE_EVENTS, preview)),
        web.get(f"{ADMIN}/events/{{id}}", scoped(READ_ALL, event)),
        web.get(f"{ADMIN}/events/{{id}}/ledger", scoped(READ_ALL, ledger)),
        web.get(f"{ADMIN}/events/{{id}}/compliance", scoped(READ_ALL, compliance)),
        web.post(f"{ADMIN}/events/{{id}}/notes", scoped(WRITE_EVENTS, note)),
        web.post(f"{ADMIN}/stop", scoped(STOP, stop_events)),
        web.get(f"{ADMIN}/audit", scoped(READ_ALL, audit)),
    ]


async def list_events(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        views = await event_views(
            view, desk.now(), skip=number_asked(request, "skip", 0, 10**9 - 1),
            limit=number_asked(request, "limit", 50, PAGE_MAX),
        )  # fmt: skip
    return answered([event_view_json(one) for one in views])


async def preview(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    found = await preview_event(desk.store, decode_event(await json_body(request)), rails=desk.rails, now=desk.now())
    return answered(preview_json(found))


async def event(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        detail = await event_detail(view, request.match_info["id"], desk.now())
    return answered(event_detail_json(detail))


async def ledger(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    """Whole: it is evidence, and ten thousand parties are two megabytes."""
    async with desk.store.view() as view:
        rows = await event_ledger(view, request.match_info["id"], desk.now())
    return answered([ledger_json(row) for row in rows])


async def compliance(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    now = desk.now()
    async with desk.store.view() as view:
        found = await event_compliance(view, request.match_info["id"], now)
    return answered([compliance_json(one, now) for one in found])


async def note(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "text")
    event_id = request.match_info["id"]
    text = wish.required("text", wish.text)
    entry = await note_event(desk.store, event_id, text, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "note event", event_id)
    return answered(note_json(entry))


async def stop_events(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "events", "reason")
    if wish.members.get("events", []) is None:
        raise wish.wrong("events", "is not a list; leave it out to stop all")
    stopped = await stop(
        desk.store, actor=caller.actor, reason=wish.optional("reason", wish.text) or "", now=desk.now(),
        event_ids=wish.names("events") if "events" in wish.members else None,
    )  # fmt: skip
    desk.wrote(caller, "stop", " ".join(stored.event.id for stored in stopped))
    return answered({"stopped": [stored.event.id for stored in stopped]})


async def audit(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        entries = await view.audit.newest(number_asked(request, "limit", 50, PAGE_MAX))
    return answered([audit_json(entry) for entry in entries])
