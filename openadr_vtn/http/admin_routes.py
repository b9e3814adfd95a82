"""What OpenADR 3.1 has no word for: enrolment by certificate, Stop, the delivery ledger, the audit trail.

`schemas/openadr3/admin.yaml` describes it.
"""

import json

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.errors import MalformedMessage, SchemaViolation
from openadr_core.identity import Peer, peer_of
from openadr_core.model.party import PartyState
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.json_text import parse_object
from openadr_vtn.application.handlers import parties
from openadr_vtn.application.handlers.clients import MANAGE_PARTIES, READ_ALL, STOP, WRITE_EVENTS, Caller
from openadr_vtn.application.handlers.events import note_event
from openadr_vtn.application.handlers.observe import event_detail, event_views, party_views
from openadr_vtn.application.handlers.stop import stop
from openadr_vtn.http.access import Desk, json_body, json_response, number_asked, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.views import (
    audit_json,
    event_detail_json,
    event_view_json,
    note_json,
    party_json,
    party_view_json,
)

PAGE_MAX = 200


def admin_routes() -> list[web.RouteDef]:
    party = f"{ADMIN}/parties/{{party}}"
    return [
        web.get(f"{ADMIN}/parties", scoped(READ_ALL, list_parties)),
        web.post(f"{party}/approve", scoped(MANAGE_PARTIES, approve)),
        web.post(f"{party}/refuse", scoped(MANAGE_PARTIES, refuse)),
        web.post(f"{party}/replace-certificate", scoped(MANAGE_PARTIES, replace_certificate)),
        web.get(f"{ADMIN}/events", scoped(READ_ALL, list_events)),
        web.get(f"{ADMIN}/events/{{id}}", scoped(READ_ALL, event)),
        web.post(f"{ADMIN}/events/{{id}}/notes", scoped(WRITE_EVENTS, note)),
        web.post(f"{ADMIN}/stop", scoped(STOP, stop_events)),
        web.get(f"{ADMIN}/audit", scoped(READ_ALL, audit)),
    ]


async def list_parties(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    state = request.query.get("state")
    if state is not None and state not in set(PartyState):
        raise MalformedMessage(f"state: must be one of {', '.join(PartyState)}")
    async with desk.store.view() as view:
        views = await party_views(view, desk.now())
    return _answer([party_view_json(view) for view in views if state in {None, view.party.state}])


async def approve(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await _fields(request, "name", "targets")
    party = await parties.approve_party(
        desk.store, request.match_info["party"], actor=caller.actor, now=desk.now(),
        name=wish.optional("name", wish.name), targets=wish.names("targets") if "targets" in wish.members else None,
    )  # fmt: skip
    desk.wrote(caller, "approve party", party.id)
    return _answer(party_json(party))


async def refuse(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await _fields(request, "reason")
    party = await parties.refuse_party(
        desk.store, request.match_info["party"], actor=caller.actor, reason=wish.optional("reason", wish.text) or "",
        now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "refuse party", party.id)
    return _answer(party_json(party))


async def replace_certificate(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await _fields(request, "certificate", "keep")
    peer = wish.required("certificate", wish.parsed(_peer))
    party = await parties.replace_certificate(
        desk.store, request.match_info["party"], peer, actor=caller.actor, keep=wish.members.get("keep") is True,
        now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "replace certificate", party.id)
    return _answer(party_json(party))


async def list_events(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        views = await event_views(
            view, desk.now(), skip=number_asked(request, "skip", 0, 10**9 - 1),
            limit=number_asked(request, "limit", 50, PAGE_MAX),
        )  # fmt: skip
    return _answer([event_view_json(one) for one in views])


async def event(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        detail = await event_detail(view, request.match_info["id"], desk.now())
    return _answer(event_detail_json(detail))


async def note(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await _fields(request, "text")
    event_id = request.match_info["id"]
    text = wish.required("text", wish.text)
    entry = await note_event(desk.store, event_id, text, actor=caller.actor, now=desk.now())
    desk.wrote(caller, "note event", event_id)
    return _answer(note_json(entry))


async def stop_events(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await _fields(request, "events", "reason")
    if wish.members.get("events", []) is None:
        raise wish.wrong("events", "is not a list; leave it out to stop all")
    stopped = await stop(
        desk.store, actor=caller.actor, reason=wish.optional("reason", wish.text) or "", now=desk.now(),
        event_ids=wish.names("events") if "events" in wish.members else None,
    )  # fmt: skip
    desk.wrote(caller, "stop", " ".join(stored.event.id for stored in stopped))
    return _answer({"stopped": [stored.event.id for stored in stopped]})


async def audit(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        entries = await view.audit.newest(number_asked(request, "limit", 50, PAGE_MAX))
    return _answer([audit_json(entry) for entry in entries])


async def _fields(request: web.Request, *known: str) -> Fields:
    """The body's object; no body is an empty one. A slip in a member's name must not widen what is done."""
    if not request.can_read_body:
        return Fields({}, "")
    members = parse_object(await json_body(request))[0]
    for name in members:
        if name not in known:
            raise SchemaViolation(f"{name[:64]!r}: is not known here; there are {', '.join(known)}")
    return Fields(members, "")


def _peer(pem: str) -> Peer:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ValueError("is not a certificate in PEM") from None
    return peer_of(certificate.public_bytes(Encoding.DER), subject=certificate.subject.rfc4514_string())


def _answer(value: object) -> web.Response:
    return json_response(json.dumps(value))
