"""OpenADR 3.1: subscriptions of business logic and of vens, each its own."""

import secrets

from aiohttp import web

from openadr_core.errors import MalformedMessage
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.subscriptions import decode_subscription
from openadr_core.oadr3.webhook_signature import secret_text
from openadr_vtn.application.handlers import subscriptions
from openadr_vtn.application.handlers.seen import Listed
from openadr_vtn.application.notice_ports import SubscriptionFilter
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.application.object_changes import subscription_text
from openadr_vtn.application.viewers import Viewer
from openadr_vtn.domain.access import READ_VEN_OBJECTS, WRITE_SUBSCRIPTIONS, Caller
from openadr_vtn.domain.subscription import Subscription
from openadr_vtn.http.access import Desk, json_body, json_response, listing, names_asked, scoped
from openadr_vtn.http.addresses import OADR3
from openadr_vtn.http.oadr3_answers import Look, id_asked, id_named, name_asked, viewer_of

PATH = f"{OADR3}/subscriptions"
WRITTEN = (ObjectKind.SUBSCRIPTION,)
SECRET_BYTES = 32
SECRET_HEADER = "Webhook-Secret"  # noqa: S105  # a header's name
"""Ours: 3.1 has no word for what its notifications are signed with."""


def subscription_routes() -> list[web.RouteDef]:
    one = f"{PATH}/{{id}}"
    return [
        web.get(PATH, scoped(READ_VEN_OBJECTS, list_subscriptions)),
        web.post(PATH, scoped(WRITE_SUBSCRIPTIONS, create_subscription)),
        web.get(one, scoped(READ_VEN_OBJECTS, subscription)),
        web.put(one, scoped(WRITE_SUBSCRIPTIONS, replace_subscription)),
        web.delete(one, scoped(WRITE_SUBSCRIPTIONS, remove_subscription)),
    ]


@listing("programID", "clientName", several=("objects",))
async def list_subscriptions(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer = await viewer_of(desk, caller)
    asked = SubscriptionFilter(
        program_id=id_asked(request, "programID"),
        client_name=name_asked(request, "clientName"),
        kinds=_kinds_asked(request),
    )

    async def read(page: Page) -> Listed[str]:
        found = await subscriptions.subscriptions(desk.store, asked, page, viewer=viewer)
        return Listed(items=[_text(stored, viewer) for stored in found.items], total=found.total)

    return await _look(request, desk, viewer).listed(read)


async def create_subscription(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wanted = decode_subscription(await json_body(request))
    viewer = await viewer_of(desk, caller)
    stored = await subscriptions.create_subscription(
        desk.store, wanted, viewer=viewer, callbacks=desk.callbacks, subscription_id=desk.new_id(),
        secret=secret_text(secrets.token_bytes(SECRET_BYTES)), now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "create subscription", stored.id)
    return _with_secret(json_response(_text(stored, viewer), 201), stored, viewer)


async def subscription(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer = await viewer_of(desk, caller)
    stored = await subscriptions.subscription_by_id(desk.store, id_named(request), viewer=viewer)

    async def read() -> str:
        return _text(stored, viewer)

    response = await _look(request, desk, viewer).one(read)
    return _with_secret(response, stored, viewer)


async def replace_subscription(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wanted = decode_subscription(await json_body(request))
    viewer = await viewer_of(desk, caller)
    stored = await subscriptions.replace_subscription(
        desk.store, id_named(request), wanted, viewer=viewer, callbacks=desk.callbacks, now=desk.now()
    )
    desk.wrote(caller, "replace subscription", stored.id)
    return _with_secret(json_response(_text(stored, viewer)), stored, viewer)


async def remove_subscription(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    viewer = await viewer_of(desk, caller)
    stored = await subscriptions.remove_subscription(desk.store, id_named(request), viewer=viewer, now=desk.now())
    desk.wrote(caller, "remove subscription", stored.id)
    return json_response(_text(stored, viewer))


def _look(request: web.Request, desk: Desk, viewer: Viewer) -> Look:
    """Each client's answers are its own: they have its tokens in them, and nobody else's."""
    return Look(request=request, desk=desk, viewer=viewer, kinds=WRITTEN, until=viewer.client_id)


def _kinds_asked(request: web.Request) -> frozenset[ObjectKind]:
    try:
        return frozenset(ObjectKind(name) for name in names_asked(request, "objects"))
    except ValueError:
        raise MalformedMessage(f"objects: must be of {', '.join(ObjectKind)}") from None


def _with_secret(response: web.Response, stored: Subscription, viewer: Viewer) -> web.Response:
    if stored.client_id == viewer.client_id:
        response.headers[SECRET_HEADER] = stored.secret
        response.headers["Cache-Control"] = "no-store"
    return response


def _text(stored: Subscription, viewer: Viewer) -> str:
    return subscription_text(stored, secrets_too=stored.client_id == viewer.client_id)
