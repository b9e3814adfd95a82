"""What listeners serve, each as one application: OpenADR 3 with its tokens, and for operators the admin API too."""

from aiohttp import web

from openadr_vtn.http.access import DESK, Desk
from openadr_vtn.http.admin_routes import admin_routes
from openadr_vtn.http.notice_routes import notice_routes
from openadr_vtn.http.notifier_routes import notifier_routes
from openadr_vtn.http.oadr3_routes import oadr3_routes
from openadr_vtn.http.oadr301_routes import oadr301_routes
from openadr_vtn.http.opt_routes import opt_routes
from openadr_vtn.http.party_routes import party_routes
from openadr_vtn.http.problem import problems
from openadr_vtn.http.report_routes import report_routes
from openadr_vtn.http.sep2_admin_routes import sep2_admin_routes
from openadr_vtn.http.subscription_routes import subscription_routes
from openadr_vtn.http.token_routes import token_routes


def operator_app(desk: Desk) -> web.Application:
    admin = [*admin_routes(), *party_routes(), *opt_routes(), *report_routes(), *sep2_admin_routes(), *notice_routes()]
    return _app(desk, [*_oadr3(), *admin])


def oadr3_app(desk: Desk) -> web.Application:
    """What clients of OpenADR 3 reach: no word of the admin API is there."""
    return _app(desk, _oadr3())


def _oadr3() -> list[web.RouteDef]:
    newer = [*oadr3_routes(), *subscription_routes(), *notifier_routes()]
    return [*token_routes(), *newer, *oadr301_routes()]


def _app(desk: Desk, routes: list[web.RouteDef]) -> web.Application:
    app = web.Application(middlewares=[problems])
    app[DESK] = desk
    app.add_routes(routes)
    return app
