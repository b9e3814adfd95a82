"""OpenADR 3.1 for business logic and vens, object by object. `schemas/openadr3/operator.yaml` describes it."""

from aiohttp import web

from openadr_vtn.http.oadr3_event_routes import event_routes
from openadr_vtn.http.oadr3_program_routes import program_routes
from openadr_vtn.http.oadr3_report_routes import report_routes
from openadr_vtn.http.oadr3_ven_routes import resource_routes, ven_routes


def oadr3_routes() -> list[web.RouteDef]:
    return [*program_routes(), *event_routes(), *report_routes(), *ven_routes(), *resource_routes()]
