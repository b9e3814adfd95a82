"""What others tell us without being asked, by webhook or broker: judged, and taken for a hint at most (security T18).

Whatever a notification says, nothing of it is acted on: it makes us read the lists from the VTN itself.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from openadr_core.errors import RemoteProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.oadr3.json_text import parse_object
from openadr_core.oadr3.names import ObjectKind
from openadr_core.oadr3.webhook_signature import verify

SIGNED_WITHIN = timedelta(minutes=5)
ECHO_MAX_CHARS = 512
OURS = frozenset({ObjectKind.VEN, ObjectKind.RESOURCE})
HEARD = frozenset({ObjectKind.PROGRAM, ObjectKind.EVENT}) | OURS
"""What changes what we may see: a ven and its resources by their targets."""
TEXT = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where we are told of changes."""

    address: str
    """As the VTN reaches it: ``https://host[:port]/path``."""
    bearer_token: str
    """What whoever tells us must show; new with each start of ours."""

    @property
    def path(self) -> str:
        return urlsplit(self.address).path or "/"


def answer_to(request: Request, webhook: Webhook, secret: str, now: datetime) -> Response:
    """To the echo of the handshake (R9.2) its word; to a notification 200 if it is good; else a refusal.

    ``secret`` is what our VTN signs with, if it has told us; then what is not signed is refused.
    """
    parts = urlsplit(request.path)
    if parts.path != webhook.path:
        return Response(status=HTTPStatus.NOT_FOUND)
    if request.method == "GET":
        return _echo(parts.query)
    if request.method != "POST":
        return Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, POST"})
    if not _is_from_our_vtn(request, webhook, secret, now):
        return Response(status=HTTPStatus.UNAUTHORIZED)
    try:
        kind_of(request.body)
    except RemoteProtocolError:
        return Response(status=HTTPStatus.BAD_REQUEST)
    return Response(status=HTTPStatus.OK)


def _is_from_our_vtn(request: Request, webhook: Webhook, secret: str, now: datetime) -> bool:
    told = request.headers.get("authorization", "").encode(errors="replace")
    if not hmac.compare_digest(told, f"Bearer {webhook.bearer_token}".encode()):
        return False
    try:
        if secret:
            verify(secret, request.headers, request.body, now, window=SIGNED_WITHIN)
    except ValueError:
        return False
    return True


def kind_of(body: bytes) -> str:
    """What kind of object a notification is about; MalformedMessage if it is none.

    Interpretation: 3.1 says objectType, and a VTN of the Alliance's members object_type; both are taken.
    """
    members, _ = parse_object(body)
    return str(members.get("objectType") or members.get("object_type"))


def is_hint(body: bytes) -> bool:
    """Whether it tells of something that may change what is asked of us."""
    try:
        return kind_of(body) in HEARD
    except RemoteProtocolError:
        return False


def _echo(query: str) -> Response:
    (word,) = parse_qs(query, max_num_fields=4).get("echo", [""])[:1]
    if not word or len(word) > ECHO_MAX_CHARS or not word.isprintable():
        return Response(status=HTTPStatus.BAD_REQUEST)
    return Response(status=HTTPStatus.OK, body=word.encode(), headers=TEXT)
