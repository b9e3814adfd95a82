"""IEEE 2030.5, for operators: who subscribed to what, how telling them goes, and what was given up."""

from aiohttp import web

from openadr_core.oadr3.times import moment_text
from openadr_vtn.application.ports import AuditEntry
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, Caller
from openadr_vtn.domain.notification import NotificationState
from openadr_vtn.domain.sep2.subscribing import SubscriptionStanding
from openadr_vtn.http.access import Desk, answered, body_fields, number_asked, scoped
from openadr_vtn.http.addresses import ADMIN

PAGE_MAX = 500


def sep2_notice_routes() -> list[web.RouteDef]:
    base = f"{ADMIN}/sep2/subscriptions"
    return [
        web.get(base, scoped(READ_ALL, list_subscriptions)),
        web.get(f"{base}/given-up", scoped(READ_ALL, list_given_up)),
        web.post(f"{base}/replay", scoped(MANAGE_PARTIES, replay)),
    ]


async def list_subscriptions(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return await _listed(request, desk, None)


async def list_given_up(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return await _listed(request, desk, NotificationState.DEAD)


async def replay(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "id")
    which, now = wish.optional("id", wish.natural), desk.now()
    subject = "all" if which is None else str(which)
    async with desk.store.unit_of_work() as uow:
        revived = await uow.sep2_subscriptions.revive(which)
        await uow.audit.append(
            AuditEntry(
                at=now, actor=caller.actor, action="replay 2030.5 notifications", subject=subject,
                detail=f"{revived} of them",
            )
        )  # fmt: skip
    desk.wrote(caller, "replay 2030.5 notifications", subject)
    return answered({"replayed": revived})


async def _listed(request: web.Request, desk: Desk, state: NotificationState | None) -> web.Response:
    skip, limit = number_asked(request, "skip", 0, 10**9 - 1), number_asked(request, "limit", PAGE_MAX, PAGE_MAX)
    async with desk.store.view() as view:
        found = await view.sep2_subscriptions.page(state, skip=skip, limit=limit)
        holders = await view.registry.devices_numbered([one.subscription.holder for one in found])
    lfdis = {number: device.lfdi for number, device in holders.items()}
    return answered([_json(one, lfdis.get(one.subscription.holder)) for one in found])


def _json(one: SubscriptionStanding, lfdi: str | None) -> dict[str, object]:
    said = one.subscription
    return {
        "id": said.id,
        "lfdi": lfdi,
        "party_id": said.party_id,
        "resource": f"{said.prefix}{said.resource}",
        "notification_uri": said.notification_uri,
        "limit": said.limit,
        "state": one.state.value,
        "changes": one.changes,
        "delivered": one.delivered,
        "attempts": one.attempts,
        "outcome": one.outcome,
        "tried_at": None if one.tried_at is None else moment_text(one.tried_at),
        "retry_at": None if one.retry_at is None else moment_text(one.retry_at),
    }
