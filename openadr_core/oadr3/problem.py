"""Errors as the problem bodies of the operator's APIs (RFC 9457): the one table from errors to statuses.

What an operator can mend is told in full. Anything else is a fixed text: an error must not tell a
stranger what is inside.
"""

import json
from dataclasses import dataclass

from openadr_core.errors import (
    Conflict,
    Forbidden,
    InvalidEvent,
    NotFound,
    RemoteProtocolError,
    RuleBroken,
    TooMany,
    Unavailable,
    UnknownPeer,
    WrongState,
)

TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type", 429: "Too Many Requests",
    500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip

FIXED_DETAILS = {
    401: "a valid bearer token is required",
    404: "there is nothing at this address",
    405: "this address does not take this method",
    406: "everything here is application/json",
    413: "the body is too long",
    415: "the body must be application/json, not compressed",
    429: "too many requests",
    500: "something went wrong here; the log knows more under this instance",
    501: "this is not done here",
    503: "what is needed to answer cannot be reached; try again",
}

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (RemoteProtocolError, 400),
    (InvalidEvent, 400),
    (WrongState, 409),
    (RuleBroken, 400),
    (UnknownPeer, 401),
    (Forbidden, 403),
    (TooMany, 429),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
)
"""The first row that fits; anything else is ours to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    status: int
    detail: str
    instance: str = ""
    """The id under which the log has the whole story."""

    def body(self) -> bytes:
        members = {
            "type": "about:blank",
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            "instance": self.instance,
        }
        return json.dumps(members).encode()


def problem_of(error: Exception, instance: str) -> Problem:
    """What a client is told of this error."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    detail = FIXED_DETAILS[status] if status in {401, 500, 503} else str(error)
    return Problem(status=status, detail=detail, instance=instance)
