"""OpenADR 3.0.1: the routes of 3.1 under its own addresses and in its own words, over the same store.

`schemas/openadr3/version-3.0.1.yaml` describes it. Interpretation: 3.0.1 has no rules of who sees what; 3.1's
hold here too. Everybody reads with ``read_all``, which for a VEN means what a VEN may read.
"""

from aiohttp import web

from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.v301 import event_to_3_1, program_to_3_1, subscription_to_3_1
from openadr_vtn.domain.access import (
    READ_TARGETS,
    READ_VEN_OBJECTS,
    WRITE_EVENTS,
    WRITE_PROGRAMS,
    WRITE_SUBSCRIPTIONS,
)
from openadr_vtn.http import oadr3_event_routes as events
from openadr_vtn.http import oadr3_program_routes as programs
from openadr_vtn.http import subscription_routes as subscriptions
from openadr_vtn.http.access import scoped
from openadr_vtn.http.addresses import OADR301
from openadr_vtn.http.oadr301_answers import spoken
from openadr_vtn.http.oadr301_report_routes import report_routes
from openadr_vtn.http.oadr301_ven_routes import resource_routes, ven_routes

PROGRAMS, EVENTS, SUBSCRIPTIONS = f"{OADR301}/programs", f"{OADR301}/events", f"{OADR301}/subscriptions"


def oadr301_routes() -> list[web.RouteDef]:
    return [
        *_program_routes(), *_event_routes(), *_subscription_routes(), *report_routes(), *ven_routes(),
        *resource_routes(),
    ]  # fmt: skip


def _program_routes() -> list[web.RouteDef]:
    kind, one = ObjectKind.PROGRAM, f"{PROGRAMS}/{{id}}"
    return [
        web.get(PROGRAMS, scoped(READ_TARGETS, spoken(kind, programs.list_programs))),
        web.post(PROGRAMS, scoped(WRITE_PROGRAMS, spoken(kind, programs.create_program, program_to_3_1))),
        web.get(one, scoped(READ_TARGETS, spoken(kind, programs.program))),
        web.put(one, scoped(WRITE_PROGRAMS, spoken(kind, programs.replace_program, program_to_3_1))),
        web.delete(one, scoped(WRITE_PROGRAMS, spoken(kind, programs.remove_program))),
    ]


def _event_routes() -> list[web.RouteDef]:
    kind, one = ObjectKind.EVENT, f"{EVENTS}/{{id}}"
    return [
        web.get(EVENTS, scoped(READ_TARGETS, spoken(kind, events.list_events))),
        web.post(EVENTS, scoped(WRITE_EVENTS, spoken(kind, events.create_event, event_to_3_1))),
        web.get(one, scoped(READ_TARGETS, spoken(kind, events.event))),
        web.put(one, scoped(WRITE_EVENTS, spoken(kind, events.replace_event, event_to_3_1))),
        web.delete(one, scoped(WRITE_EVENTS, spoken(kind, events.remove_event))),
    ]


def _subscription_routes() -> list[web.RouteDef]:
    kind, one, to_3_1 = ObjectKind.SUBSCRIPTION, f"{SUBSCRIPTIONS}/{{id}}", subscription_to_3_1
    return [
        web.get(SUBSCRIPTIONS, scoped(READ_VEN_OBJECTS, spoken(kind, subscriptions.list_subscriptions))),
        web.post(SUBSCRIPTIONS, scoped(WRITE_SUBSCRIPTIONS, spoken(kind, subscriptions.create_subscription, to_3_1))),
        web.get(one, scoped(READ_VEN_OBJECTS, spoken(kind, subscriptions.subscription))),
        web.put(one, scoped(WRITE_SUBSCRIPTIONS, spoken(kind, subscriptions.replace_subscription, to_3_1))),
        web.delete(one, scoped(WRITE_SUBSCRIPTIONS, spoken(kind, subscriptions.remove_subscription))),
    ]
