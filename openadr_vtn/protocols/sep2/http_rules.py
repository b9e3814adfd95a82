"""What IEEE 2030.5 asks of HTTP: media types, methods, and how a refusal looks (1.1, 1.2)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from openadr_core.errors import OpenAdrError
from openadr_core.exchange import Response

MEDIA_TYPE = "application/sep+xml"
ACCEPTED = frozenset({MEDIA_TYPE, "application/*", "*/*"})
"""EXI is not spoken here: who asks for nothing else gets 406, who sends it 415."""


class ErrorReason(IntEnum):
    """Error.reasonCode."""

    BAD_FORMAT = 0
    BAD_VALUES = 1
    RESOURCE_LIMIT = 2
    NO_CONDITIONS = 3
    TOO_OFTEN = 4


class HttpRefusal(OpenAdrError):
    """A request that is answered by its status, and an Error body where there is a reason to give."""

    def __init__(
        self, status: int, *, reason: ErrorReason | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(status))
        self.status = status
        self.reason = reason
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a resource answers: a message, or that something was made or replaced."""

    status: int = 200
    message: object | None = None
    location: str = ""
    holds: "Holds | None" = None
    """Where the answer may be given again; None: only once."""
    told: frozenset[str] = frozenset()
    """Events of OpenADR that it tells of, by id: who has read it has heard of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """For whom, and until when, the same question has the same answer, unless something is written."""

    party_id: str = ""
    """Empty: for whoever has a device in each group that it is about."""
    groups: frozenset[int] = frozenset()
    """Of whose controls, defaults or curves it tells."""
    until: int | None = None
    """None: until something is written."""


def created(location: str) -> Reply:
    return Reply(status=201, location=location)


def replaced(*, is_new: bool, location: str) -> Reply:
    return Reply(status=201 if is_new else 204, location=location)


def not_allowed(methods: Collection[str]) -> HttpRefusal:
    allowed = sorted({*methods, *({"HEAD"} if "GET" in methods else ())})
    return HttpRefusal(405, headers={"allow": ", ".join(allowed)})


def check_accept(accept: str) -> None:
    """406 for who takes nothing that we can say. Parameters (``level``, ``q``) change nothing."""
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()}
    if wanted and wanted.isdisjoint(ACCEPTED):
        raise HttpRefusal(406)


def check_content_type(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise HttpRefusal(415)


def as_response(reply: Reply, body: bytes) -> Response:
    headers = {"content-type": MEDIA_TYPE} if body else {}
    if reply.location:
        headers["location"] = reply.location
    return Response(status=reply.status, body=body, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which part of a list is asked for (``s``, ``l``, ``a``)."""

    start: int = 0
    limit: int = 1
    after: int = 0
    given: frozenset[str] = field(default_factory=frozenset)


QUERY_NAMES = {"s": "start", "l": "limit", "a": "after"}
DIGITS_MAX = 10


def query_of(text: str) -> Query:
    """400 for what is no number, or stands there twice. Names that the standard does not know are passed over."""
    said: dict[str, int] = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if name not in QUERY_NAMES:
            continue
        if not (value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX) or QUERY_NAMES[name] in said:
            raise HttpRefusal(400, reason=ErrorReason.BAD_VALUES)
        said[QUERY_NAMES[name]] = int(value)
    return Query(**said, given=frozenset(said))
