"""Reports of parties, for operators: what is offered, what is asked for, what was measured.

`schemas/openadr3/admin.yaml` describes it.
"""

from datetime import datetime, timedelta

from aiohttp import web

from openadr_core.errors import MalformedMessage
from openadr_core.model.report import Measurand
from openadr_core.oadr3.fields import Fields
from openadr_core.oadr3.times import Sentinel, parse_start
from openadr_vtn.application.handlers import report_requests
from openadr_vtn.application.handlers.report_views import (
    RequestView,
    offers_of,
    readings_of_party,
    requests_of_party,
    statuses_of_party,
)
from openadr_vtn.domain.access import READ_ALL, REQUEST_REPORTS, Caller
from openadr_vtn.domain.reporting import RequestWish, late_by
from openadr_vtn.http.access import LATEST_YEAR, Desk, answered, body_fields, moment_asked, number_asked, only, scoped
from openadr_vtn.http.addresses import ADMIN
from openadr_vtn.http.report_views import offer_json, reading_json, request_json, status_json

WISH = ("specifier", "points", "granularity_s", "report_back_s", "starts_at", "duration_s")
PAGE_MAX = 1_000
SHOWN = timedelta(hours=1)
"""How far back readings are told where nothing is said."""
AHEAD = timedelta(minutes=1)
"""A party's clock may be ahead of ours."""


def report_routes() -> list[web.RouteDef]:
    party = f"{ADMIN}/parties/{{party}}"
    return [
        web.get(f"{party}/report-offers", scoped(READ_ALL, offers)),
        web.get(f"{party}/report-requests", scoped(READ_ALL, requests)),
        web.post(f"{party}/report-requests", scoped(REQUEST_REPORTS, request_report)),
        web.post(f"{party}/report-requests/together", scoped(REQUEST_REPORTS, request_together)),
        web.post(f"{party}/report-requests/{{id}}/cancel", scoped(REQUEST_REPORTS, cancel_report)),
        web.post(f"{party}/request-metadata", scoped(REQUEST_REPORTS, request_metadata)),
        web.get(f"{party}/readings", scoped(READ_ALL, readings)),
        web.get(f"{party}/statuses", scoped(READ_ALL, statuses)),
    ]


async def offers(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        _, found = await offers_of(view, request.match_info["party"])
    return answered([offer_json(offer) for offer in found])


async def requests(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    async with desk.store.view() as view:
        _, found = await requests_of_party(view, request.match_info["party"], desk.now())
    return answered([request_json(one) for one in found])


async def request_report(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    (asked,) = await _asked(request, desk, caller, [_wish(await body_fields(request, *WISH))])
    return answered(asked)


async def request_together(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    told = await body_fields(request, "requests")
    wishes = [_wish(only(one, *WISH)) for one in told.objects("requests")]
    if not wishes:
        raise told.wrong("requests", "must hold one at least")
    return answered(await _asked(request, desk, caller, wishes))


async def _asked(
    request: web.Request, desk: Desk, caller: Caller, wishes: list[RequestWish]
) -> list[dict[str, object]]:
    now = desk.now()
    party, requested = await report_requests.request_reports(
        desk.store, request.match_info["party"], wishes, actor=caller.actor, new_id=desk.new_id, now=now
    )
    desk.wrote(caller, "request report", party.id)
    return [request_json(RequestView(requested=one, late_by=late_by(one, now))) for one in requested]


async def cancel_report(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "to_follow")
    now = desk.now()
    party, requested = await report_requests.cancel_report(
        desk.store, request.match_info["party"], request.match_info["id"],
        to_follow=wish.optional("to_follow", wish.boolean) or False,
        actor=caller.actor, new_id=desk.new_id, now=now,
    )  # fmt: skip
    desk.wrote(caller, "cancel report", party.id)
    return answered(request_json(RequestView(requested=requested, late_by=late_by(requested, now))))


async def request_metadata(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    await body_fields(request)
    party = await report_requests.request_metadata(
        desk.store, request.match_info["party"], actor=caller.actor, new_id=desk.new_id, now=desk.now()
    )
    desk.wrote(caller, "request metadata", party.id)
    return answered({"party_id": party.id, "party": party.name})


async def readings(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    since, until = _stretch(request, desk)
    async with desk.store.view() as view:
        found = await readings_of_party(
            view, request.match_info["party"], since, until, measurand=_measurand(request),
            source=request.query.get("source"), limit=number_asked(request, "limit", 100, PAGE_MAX),
        )  # fmt: skip
    return answered([reading_json(one) for one in found])


async def statuses(request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    since, until = _stretch(request, desk)
    async with desk.store.view() as view:
        found = await statuses_of_party(
            view, request.match_info["party"], since, until, limit=number_asked(request, "limit", 100, PAGE_MAX)
        )
    return answered([status_json(one) for one in found])


def _wish(told: Fields) -> RequestWish:
    return RequestWish(
        specifier_id=told.required("specifier", told.name),
        r_ids=told.names("points"),
        granularity=_seconds(told, "granularity_s"),
        report_back=_seconds(told, "report_back_s"),
        starts_at=told.optional("starts_at", told.parsed(_moment)),
        duration=_seconds(told, "duration_s") or None,
    )


def _stretch(request: web.Request, desk: Desk) -> tuple[datetime, datetime]:
    """The last hour, where the query says nothing else."""
    now = desk.now()
    until = moment_asked(request, "until", now + AHEAD)
    return moment_asked(request, "since", min(until, now) - SHOWN), until


def _measurand(request: web.Request) -> Measurand | None:
    asked = request.query.get("measurand")
    if asked is None:
        return None
    if asked not in set(Measurand):
        raise MalformedMessage(f"measurand: must be one of {', '.join(Measurand)}")
    return Measurand(asked)


def _seconds(wish: Fields, name: str) -> timedelta:
    return timedelta(seconds=wish.optional(name, wish.natural) or 0)


def _moment(text: str) -> datetime | None:
    at = parse_start(text)
    if isinstance(at, Sentinel):
        return None
    if at.year >= LATEST_YEAR:
        raise ValueError("is too far away")
    return at
