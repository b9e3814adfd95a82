"""What a VTN's answers say besides objects: why not, where tokens are to be had, and a token."""

from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from openadr_core.errors import MalformedMessage
from openadr_core.exchange import Response
from openadr_core.oadr3.json_text import parse_object

TOKEN_LEFT = timedelta(seconds=30)
"""A token is renewed so long before its end."""
TOKEN_S = 3600.0
"""How long one is good whose answer does not say."""
TOKEN_MAX_S = 7 * 86400.0
"""No token is trusted for longer, whatever is said of it."""


def token_url_in(response: Response, *, base: str, url: str) -> str:
    """Where to ask for a token: a path on the VTN itself, or an address elsewhere.

    Interpretation: a VTN that does not say where (it must, R6.1) is asked where 3.0.1 has it.
    """
    usual = f"{base}/auth/token"
    if response.status != HTTPStatus.OK:
        return usual
    members, _ = parse_object(response.body)
    return _address(members.get("tokenURL"), url) or usual


def token_in(response: Response, now: datetime) -> tuple[str, datetime]:
    """A token, and until when it is good; MalformedMessage if there is none."""
    members, _ = parse_object(response.body)
    token, told_s = members.get("access_token"), members.get("expires_in", TOKEN_S)
    if not isinstance(token, str) or not token.isprintable() or not isinstance(told_s, int | float):
        raise MalformedMessage("no access_token")
    lasts = timedelta(seconds=min(max(float(told_s), 0.0), TOKEN_MAX_S))
    # One that is short is renewed at half of its life.
    return token, now + (lasts if lasts > TOKEN_LEFT else TOKEN_LEFT + lasts / 2)


def is_json(response: Response) -> bool:
    """Whether it says so, or says nothing: a page that somebody on the way shows to people is no list of ours."""
    media_type = response.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def said_by(response: Response) -> str:
    """What a problem body, or an OAuth error, says to people; else the status."""
    try:
        members, _ = parse_object(response.body)
    except MalformedMessage:
        members = {}
    told = members.get("detail") or members.get("error_description") or members.get("error") or members.get("title")
    return f"HTTP {response.status}" + (f": {told[:200]}" if isinstance(told, str) else "")


def _address(token_url: object, url: str) -> str:
    """Where to ask for a token: a path on the VTN itself, or another server over TLS; empty if it is neither."""
    if not isinstance(token_url, str):
        return ""
    parts, own = urlsplit(token_url), urlsplit(url)
    if not parts.scheme and token_url.startswith("/"):
        return token_url
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        return ""
    return parts.path if parts.netloc == own.netloc else token_url
