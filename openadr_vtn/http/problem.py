"""Problem bodies for everything that goes wrong on the operator's listener, and a log line that has the rest."""

import secrets
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from openadr_core.errors import MalformedMessage, ScopeMissing, TooMany, Unavailable
from openadr_core.oadr3.problem import FIXED_DETAILS, Problem, problem_of

PLAIN_JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
NUL_WRITTEN = "%00"
"""A request line holds none that is not written so."""
NAMED_MAX_CHARS = 64
"""Of a name that a client made up, in what it is told."""

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns whatever a handler raises into a problem. Only what an operator can mend is told in full."""
    try:
        _refuse_nul(request)
        _refuse_other_media(request)
        return await handler(request)
    except web.HTTPException as raised:
        # aiohttp's own: no such address, no such method, body too long.
        detail = FIXED_DETAILS.get(raised.status, raised.reason)
        problem = Problem(status=raised.status, detail=detail, instance=new_instance())
        response = problem_response(request, problem)
        if allowed := raised.headers.get("Allow"):
            response.headers["Allow"] = allowed
        return response
    except Exception as error:  # nothing of it may reach the client; all of it the log
        problem = problem_of(error, new_instance())
        ours = problem.status >= 500
        said = "request failed" if ours else "request refused"
        log.log(
            40 if ours else 20, said, method=request.method, path=request.path, status=problem.status,
            kind=type(error).__name__, said=str(error), instance=problem.instance,
            exc_info=error if ours and not isinstance(error, Unavailable) else None,
        )  # fmt: skip
        response = problem_response(request, problem)
        if isinstance(error, ScopeMissing):
            response.headers["WWW-Authenticate"] = 'Bearer error="insufficient_scope"'
        if isinstance(error, TooMany):
            response.headers["Retry-After"] = str(int(error.wait_s) + 1)
        return response


def refuse(status: int, reference: str) -> web.Response:
    """What no route sees is refused in the same words: an address that is too long, a body that is, no HTTP at all.

    A client's Accept is not known there, or not believed.
    """
    instance = f"urn:request:{reference}" if reference else new_instance()
    detail = FIXED_DETAILS.get(status, "this is no request that can be read")
    body = Problem(status=status, detail=detail, instance=instance).body()
    return web.Response(body=body, status=status, content_type=PLAIN_JSON)


def new_instance() -> str:
    """The id of one refusal."""
    return f"urn:request:{secrets.token_hex(8)}"


def _refuse_nul(request: web.Request) -> None:
    """PostgreSQL holds no text with a NUL, and no name here has one; bodies are refused at the JSON gate."""
    if NUL_WRITTEN not in request.raw_path:
        return
    named = next((name for name, value in request.query.items() if "\0" in name or "\0" in value), None)
    if named is not None:
        raise MalformedMessage(f"{named.replace(chr(0), '')[:NAMED_MAX_CHARS]}: holds a NUL character")
    if "\0" in request.path:
        raise MalformedMessage("the path holds a NUL character")


def _refuse_other_media(request: web.Request) -> None:
    """All that is said here is JSON; what a client will not read is not made."""
    accepted = request.headers.get("Accept", "*/*")
    if accepted == "*/*":
        return
    asked = accepted.split(",")
    kinds = {kind.strip().lower() for kind, _, weight in (one.partition(";") for one in asked) if not _is_zero(weight)}
    if kinds.isdisjoint({"*/*", "application/*", PLAIN_JSON, PROBLEM_JSON}):
        raise web.HTTPNotAcceptable


def _is_zero(parameters: str) -> bool:
    """RFC 9110 12.4.2: a weight of zero is a no."""
    weights = [one.strip() for one in parameters.split(";")]
    return any(one.startswith("q=") and not one.removeprefix("q=").strip("0.") for one in weights)


def problem_response(request: web.Request, problem: Problem) -> web.Response:
    """Interpretation: the 3.1 OpenAPI file says application/json, RFC 9457 problem+json. The latter if asked for."""
    asked = PROBLEM_JSON in request.headers.get("Accept", "")
    response = web.Response(
        body=problem.body(), status=problem.status, content_type=PROBLEM_JSON if asked else PLAIN_JSON
    )
    # RFC 6750, 3: why, but only to who brought a token.
    if problem.status == 401:
        brought = "Authorization" in request.headers
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if brought else "Bearer"
    return response
