"""The time of IEEE 2030.5, for who runs a laboratory."""

from aiohttp import web

from openadr_core.oadr3.times import moment_text
from openadr_vtn.domain.access import MANAGE_PARTIES, READ_ALL, Caller
from openadr_vtn.http.access import Desk, answered, body_fields, scoped
from openadr_vtn.http.addresses import ADMIN


def sep2_clock_routes() -> list[web.RouteDef]:
    clock = f"{ADMIN}/sep2/clock"
    return [
        web.get(clock, scoped(READ_ALL, show_clock)),
        web.put(clock, scoped(MANAGE_PARTIES, move_clock)),
    ]


async def show_clock(_request: web.Request, desk: Desk, _caller: Caller) -> web.Response:
    return _shown(desk)


async def move_clock(request: web.Request, desk: Desk, caller: Caller) -> web.Response:
    wish = await body_fields(request, "ahead_s")
    desk.lab.move(wish.required("ahead_s", wish.integer))
    desk.wrote(caller, "move clock", str(desk.lab.ahead_s))
    return _shown(desk)


def _shown(desk: Desk) -> web.Response:
    return answered(
        {"is_lab": desk.lab.is_lab, "ahead_s": desk.lab.ahead_s, "now": moment_text(desk.sep2_now())}
    )  # fmt: skip
