"""Tokens: RFC 6749's client credentials, where OpenADR 3 puts them, and the keys that others judge them by."""

import base64
import binascii
import json
from urllib.parse import parse_qs, unquote_plus

from aiohttp import web

from openadr_core.errors import Forbidden, UnknownPeer
from openadr_core.oadr3.problem import Problem
from openadr_core.shell.clock import steady_s
from openadr_core.shell.http_armour import read_body
from openadr_vtn.application.handlers.tokens import Credentials, OwnTokens
from openadr_vtn.http.access import DESK, Desk, json_response, shown_certificate
from openadr_vtn.http.addresses import OADR3, OADR301
from openadr_vtn.http.problem import new_instance, problem_response

BODY_MAX_BYTES = 48 * 1024
FIELD_MAX_CHARS = 4096
"""OpenADR 3.1: of a client id, of a secret, of a scope; percent-encoded they may be three times as long."""
FIELDS_MAX = 16


def token_routes() -> list[web.RouteDef]:
    return [
        web.get(f"{OADR3}/auth/server", auth_server),
        web.post(f"{OADR3}/auth/token", token),
        web.get(f"{OADR3}/auth/keys", keys),
        web.post(f"{OADR301}/auth/token", token_3_0_1),
    ]


class _Refused(Exception):
    """RFC 6749, 5.2: an error by its name there."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.status = status


async def auth_server(request: web.Request) -> web.Response:
    """Where tokens are had; OpenADR 3.1 wants it open to all."""
    ours = f"{request.scheme}://{request.host}{OADR3}/auth/token"
    return json_response(json.dumps({"tokenURL": request.app[DESK].token_url or ours}))


async def keys(request: web.Request) -> web.Response:
    """Our public keys (RFC 7517), for whoever else takes our tokens."""
    return json_response(_own_tokens(request.app[DESK]).keyring.key_set())


async def token(request: web.Request) -> web.Response:
    return await _token(request, wrong=401)


async def token_3_0_1(request: web.Request) -> web.Response:
    """OpenADR 3.0.1 answers wrong credentials with 403."""
    return await _token(request, wrong=403)


async def _token(request: web.Request, *, wrong: int) -> web.Response:
    """``wrong``: the status of an answer to credentials that are."""
    desk = request.app[DESK]
    try:
        response = json_response(await _issued(request, desk, _own_tokens(desk)))
    except _Refused as refused:
        response = _refusal(request, desk, refused, wrong)
    response.headers["Cache-Control"] = "no-store"
    return response


def _own_tokens(desk: Desk) -> OwnTokens:
    """OpenADR 3.1: a VTN that leaves tokens to another says that it does not do them."""
    if desk.tokens is None:
        raise web.HTTPNotImplemented
    return desk.tokens


def _refusal(request: web.Request, desk: Desk, refused: _Refused, wrong: int) -> web.Response:
    """Who guesses is told to wait; the throttle has no word in what becomes of the right secret.

    Interpretation: OpenADR 3.1 wants a problem of every refusal, RFC 6749 its own members: it is both.
    """
    status = wrong if refused.status == 401 else refused.status
    if refused.status == 401:
        address = request.remote or ""
        wait_s = desk.token_throttle.wait_s(address, steady_s())
        if wait_s:
            problem = Problem(status=429, detail=f"too many failed token requests; wait {wait_s:.0f} s")
            response = problem_response(request, problem)
            response.headers["Retry-After"] = str(int(wait_s) + 1)
            return response
        desk.token_throttle.count(address, steady_s())
    answer = {"error": refused.error, "error_description": str(refused)}
    problem = json.loads(Problem(status=status, detail=str(refused), instance=new_instance()).body())
    response = json_response(json.dumps(answer | problem), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Basic"
    return response


async def _issued(request: web.Request, desk: Desk, tokens: OwnTokens) -> str:
    if request.content_type != "application/x-www-form-urlencoded":
        raise _Refused("invalid_request", "the body must be application/x-www-form-urlencoded")
    form = _form(await read_body(request, max_bytes=BODY_MAX_BYTES))
    if form.get("grant_type") != "client_credentials":
        raise _Refused("unsupported_grant_type", "only client_credentials is done here")
    client_id, secret = _credentials(request, form)
    if "\0" in client_id:  # which a database may refuse even to look up
        raise _Refused("invalid_client", "client id or secret is wrong", 401)
    try:
        text, made = await tokens.issue(
            Credentials(client_id=client_id, secret=secret, shown=shown_certificate(request)),
            scopes=tuple(form.get("scope", "").split()), token_id=desk.new_id(), now=desk.now(),
        )  # fmt: skip
    except UnknownPeer as error:
        raise _Refused("invalid_client", str(error), 401) from None
    except Forbidden as error:
        raise _Refused("invalid_scope", str(error)) from None
    answer = {
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": int((made.expires_at - made.issued_at).total_seconds()),
        "scope": " ".join(made.scopes),
    }
    return json.dumps(answer)


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise _Refused("invalid_request", "the body is no form") from None
    if any(len(values) > 1 for values in fields.values()):
        # RFC 6749, 3.2
        raise _Refused("invalid_request", "a parameter stands twice")
    if any(len(values[0]) > FIELD_MAX_CHARS for values in fields.values()):
        raise _Refused("invalid_request", f"a parameter has more than {FIELD_MAX_CHARS} characters")
    return {name: values[0] for name, values in fields.items()}


def _credentials(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    """RFC 6749, 2.3.1: by HTTP Basic, or in the body."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _Refused("invalid_client", "the Authorization header is not HTTP Basic", 401) from None
    return unquote_plus(client_id), unquote_plus(secret)
