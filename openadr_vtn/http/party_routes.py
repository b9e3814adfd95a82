"""Parties, for operators: who knocked, who is let in and under which name, and what they are asked to do.

`schemas/openadr3/admin.yaml` describes it.
"""

import re
from collections.abc import Callable
from datetime import timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.errors import MalformedMessage
from openadr_core.identity import Peer, peer_of, peer_of_digest
from openadr_core.limits import POLL_INTERVAL_MAX_S
from openadr_core.model.party import PartyState, SignatureRule
from openadr_core.oadr3.fields import Fields
from openadr_vtn.application.handlers import parties, registration
from openadr_vtn.application.handlers.observe import party_detail, party_views
from openadr_vtn.application.handlers.parties import Preconfiguration
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.views import party_detail_json, party_json, party_view_json

POWER_MAX_KW = 1e8
"""A hundred gigawatts: more than any party has."""
SHA256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


def party_routes() -> list[web.RouteDef]:
    party = f"{ADMIN}/parties/{{party}}"
    return [
        web.get(f"{ADMIN}/parties", scoped(READ_ALL, list_parties)),
        web.post(f"{ADMIN}/parties", scoped(MANAGE_PARTIES, preconfigure)),
        web.get(party, scoped(READ_ALL, one_party)),
        web.post(f"{party}/approve", scoped(MANAGE_PARTIES, approve)),
        web.post(f"{party}/refuse", scoped(MANAGE_PARTIES, refuse)),
        web.post(f"{party}/replace-certificate", scoped(MANAGE_PARTIES, replace_certificate)),
        web.post(f"{party}/deny-certificate", scoped(MANAGE_PARTIES, deny_certificate)),
        web.post(f"{party}/poll-interval", scoped(MANAGE_PARTIES, change_poll_interval)),
        web.post(f"{party}/enrolled-power", scoped(MANAGE_PARTIES, enrol_power)),
        web.post(f"{party}/signatures", scoped(MANAGE_PARTIES, choose_signatures)),
        web.post(f"{party}/cancel-registration", scoped(MANAGE_PARTIES, cancel_registration)),
        web.post(f"{party}/request-reregistration", scoped(MANAGE_PARTIES, request_reregistration)),
    ]


async def list_parties(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    state = request.query.get("state")
    if state is not None and state not in set(PartyState):
        raise MalformedMessage(f"state: must be one of {', '.join(PartyState)}")
    async with desk.store.view() as view:
        views = await party_views(view, desk.now())
    return answered([party_view_json(view) for view in views if state in {None, view.party.state}])


async def one_party(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        detail = await party_detail(view, request.match_info["party"], desk.now())
    return answered(party_detail_json(detail))


async def preconfigure(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(
        request, "name", "certificate", "sha256", "id", "targets", "poll_interval_s", "registration_id"
    )
    peer = wish.optional("certificate", wish.parsed(_peer)) or wish.optional("sha256", wish.parsed(_peer_by_digest))
    if peer is None:
        raise wish.wrong("certificate", "is missing, and so is sha256: one of them says who the party is")
    known = Preconfiguration(
        peer=peer,
        name=wish.required("name", wish.name),
        targets=wish.names("targets"),
        poll_interval=wish.optional("poll_interval_s", _poll_interval(wish)) or desk.poll_interval,
        party_id=wish.optional("id", wish.identifier),
        registration_id=wish.optional("registration_id", wish.identifier),
    )
    party = await parties.preconfigure_party(desk.store, known, actor=caller.actor, new_id=desk.new_id, now=desk.now())
    desk.wrote(caller, "preconfigure party", party.id)
    return answered(party_json(party))


async def approve(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "name", "targets")
    party = await parties.approve_party(
        desk.store, request.match_info["party"], actor=caller.actor, now=desk.now(),
        name=wish.optional("name", wish.name), targets=wish.names("targets") if "targets" in wish.members else None,
    )  # fmt: skip
    desk.wrote(caller, "approve party", party.id)
    return answered(party_json(party))


async def refuse(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "reason")
    party = await parties.refuse_party(
        desk.store, request.match_info["party"], actor=caller.actor, reason=wish.optional("reason", wish.text) or "",
        now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "refuse party", party.id)
    return answered(party_json(party))


async def replace_certificate(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "certificate", "keep")
    peer = wish.required("certificate", wish.parsed(_peer))
    party = await parties.replace_certificate(
        desk.store, request.match_info["party"], peer, actor=caller.actor, keep=wish.members.get("keep") is True,
        now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "replace certificate", party.id)
    return answered(party_json(party))


async def deny_certificate(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "sha256", "reason")
    party = await parties.deny_certificates(
        desk.store, request.match_info["party"], wish.optional("sha256", wish.text), actor=caller.actor,
        reason=wish.optional("reason", wish.text) or "", now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "deny certificate", party.id)
    return answered(party_json(party))


async def change_poll_interval(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "seconds")
    party = await parties.change_poll_interval(
        desk.store, request.match_info["party"], wish.required("seconds", _poll_interval(wish)), actor=caller.actor,
        new_id=desk.new_id, now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "change poll interval", party.id)
    return answered(party_json(party))


async def enrol_power(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "kw")
    power_kw = wish.optional("kw", wish.number)
    if power_kw is not None and not 0 <= power_kw <= POWER_MAX_KW:
        raise wish.wrong("kw", f"must be from 0 to {POWER_MAX_KW:g}")
    party = await parties.enrol_power(
        desk.store, request.match_info["party"], None if power_kw is None else power_kw * 1000, actor=caller.actor,
        now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "enrol power", party.id)
    return answered(party_json(party))


async def choose_signatures(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "rule")
    if "rule" not in wish.members:
        raise wish.wrong("rule", f"is missing: one of {', '.join(SignatureRule)}, or null for the deployment's")
    party = await parties.choose_signatures(
        desk.store, request.match_info["party"], wish.optional("rule", wish.parsed(_signature_rule)),
        actor=caller.actor, now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "choose signatures", party.id)
    return answered(party_json(party))


async def cancel_registration(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await body_fields(request)
    party = await registration.cancel_registration(
        desk.store, request.match_info["party"], actor=caller.actor, new_id=desk.new_id, now=desk.now()
    )
    desk.wrote(caller, "cancel registration", party.id)
    return answered(party_json(party))


async def request_reregistration(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await body_fields(request)
    party = await registration.request_reregistration(
        desk.store, request.match_info["party"], actor=caller.actor, new_id=desk.new_id, now=desk.now()
    )
    desk.wrote(caller, "request reregistration", party.id)
    return answered(party_json(party))


def _peer(pem: str) -> Peer:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ValueError("is not a certificate in PEM") from None
    return peer_of(
        certificate.public_bytes(Encoding.DER),
        subject=certificate.subject.rfc4514_string(),
        ends_at=certificate.not_valid_after_utc,
    )


def _peer_by_digest(text: str) -> Peer:
    """Of the whole digest: the short fingerprints are for eyes, and grant nothing."""
    digits = text.replace(":", "")
    if not SHA256.fullmatch(digits):
        raise ValueError("is not a SHA-256: 64 hex digits, with or without colons")
    return peer_of_digest(bytes.fromhex(digits))


def _signature_rule(text: str) -> SignatureRule:
    if text not in set(SignatureRule):
        raise ValueError(f"must be one of {', '.join(SignatureRule)}")
    return SignatureRule(text)


def _poll_interval(wish: Fields) -> Callable[[str], timedelta]:
    """A reader of whole seconds, which is all that 2.0b can say (R1)."""

    def read(name: str) -> timedelta:
        seconds = wish.natural(name)
        if not 1 <= seconds <= POLL_INTERVAL_MAX_S:
            raise wish.wrong(name, f"must be from 1 to {POLL_INTERVAL_MAX_S} seconds")
        return timedelta(seconds=seconds)

    return read
