"""The operator's listener as one application: the 3.1 API, the admin API, tokens, and problems for what goes wrong."""

from aiohttp import web

from openadr_vtn.http.access import DESK, Desk
from openadr_vtn.http.admin_routes import admin_routes
from openadr_vtn.http.oadr3_routes import oadr3_routes
from openadr_vtn.http.opt_routes import opt_routes
from openadr_vtn.http.party_routes import party_routes
from openadr_vtn.http.problem import problems
from openadr_vtn.http.report_routes import report_routes
from openadr_vtn.http.sep2_admin_routes import sep2_admin_routes
from openadr_vtn.http.subscription_routes import subscription_routes
from openadr_vtn.http.token_routes import token_routes


def operator_app(desk: Desk) -> web.Application:
    app = web.Application(middlewares=[problems])
    app[DESK] = desk
    app.add_routes(
        [
            *token_routes(),
            *oadr3_routes(),
            *subscription_routes(),
            *admin_routes(),
            *party_routes(),
            *opt_routes(),
            *report_routes(),
            *sep2_admin_routes(),
        ]
    )
    return app
