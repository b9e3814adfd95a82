"""IEEE 2030.5, for operators: who answers for devices of others."""

from aiohttp import web

from openadr_vtn.application.handlers import sep2_groups
from openadr_vtn.application.handlers.sep2_views import aggregator_views
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.sep2_views import aggregator_json


def sep2_aggregator_routes() -> list[web.RouteDef]:
    base = f"{ADMIN}/sep2/aggregators"
    return [
        web.get(base, scoped(READ_ALL, list_aggregators)),
        web.post(base, scoped(MANAGE_PARTIES, name_aggregator)),
        web.delete(f"{base}/{{party}}", scoped(MANAGE_PARTIES, withdraw_aggregator)),
    ]


async def list_aggregators(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        return answered([aggregator_json(one) for one in await aggregator_views(view)])


async def name_aggregator(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "party", "pen", "domains")
    named = await sep2_groups.name_aggregator(
        desk.store, wish.required("party", wish.name), pen=wish.required("pen", wish.natural),
        domains=wish.names("domains") if wish.members.get("domains") is not None else (), actor=caller.actor,
        now=desk.now(),
    )  # fmt: skip
    desk.wrote(caller, "name aggregator", named.party_id)
    return answered({"party_id": named.party_id, "pen": named.pen, "domains": list(named.domains)})


async def withdraw_aggregator(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    party_id = await sep2_groups.withdraw_aggregator(
        desk.store, request.match_info["party"], actor=caller.actor, now=desk.now()
    )
    desk.wrote(caller, "withdraw aggregator", party_id)
    return answered({"party_id": party_id})
