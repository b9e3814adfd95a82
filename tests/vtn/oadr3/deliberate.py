"""What our VTN does otherwise than the standard's OpenAPI file would have it, each with the reason.

schemathesis loads this file as its hooks: a finding that is on the list is dropped, and no other. A row names one check
(by its code), where it may come up, and how the answer says it; whatever else fails there is a failure.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response

ACCEPTED, REFUSED, NOT_DOCUMENTED = "ST201", "ST202", "ST103"
"""A request that breaks the schema was taken, one that fits was refused, a status is not in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliberate:
    check: str
    at: str
    """A regular expression of method and path, as the file writes them."""
    says: str
    """A regular expression of the answer: the ``detail`` of a refusal, else the whole body."""
    because: str


LIST = (
    Deliberate(
        check=REFUSED, at="POST|PUT", says="holds a character that no text may hold",
        because="control characters have no way into 2.0b, into PostgreSQL or safely onto a screen (security T29)",
    ),
    Deliberate(
        check=REFUSED, at="GET", says="holds a NUL character$",
        because="as above: PostgreSQL knows no such text, and nothing can be found by it",
    ),
    Deliberate(
        check=REFUSED, at="POST|PUT", says="^the number [0-9-]+ is out of range",
        because="integers of more than 64 bits are read differently by different readers (security T29)",
    ),
    Deliberate(
        check=REFUSED, at="(POST|PUT) /(vens|resources)", says="^objectType: must begin with (BL|VEN)_ for this client",
        because="the file has one schema for two roles; who may say which is prose (D:630-680, R2.5)",
    ),
    Deliberate(
        check=REFUSED, at="(POST|PUT) /subscriptions", says=r"^objectOperations(: must be 1 to 32|.*: is empty)",
        because="a subscription to nothing tells of nothing, and whoever made it should know",
    ),
    Deliberate(
        check=REFUSED, at="(POST|PUT) ", says="^the body is missing$",
        because="the file forgets requestBody.required, and its schemas want an object all the same",
    ),
    Deliberate(
        check=ACCEPTED, at="(POST|PUT) /resources", says='"objectType": ?"RESOURCE"',
        because="editions of 3.1 differ in whether a VEN says its venID; it follows from the token (C6), null or not",
    ),
    Deliberate(
        check=NOT_DOCUMENTED, at="GET /notifiers/mqtt/topics/programs", says="^the token lacks the scope read_all$",
        because="403 stands at every other topic; at these three, whose scope a VEN has not, it was forgotten (R6)",
    ),
)  # fmt: skip


def is_deliberate(check: str, operation: str, body: str) -> bool:
    """``operation``: ``POST /vens``."""
    try:
        told = json.loads(body)
        said = told.get("detail", body) if isinstance(told, dict) else body
    except ValueError:
        said = body
    return any(
        one.check == check and re.match(one.at, operation) and re.search(one.says, str(said)) for one in LIST
    )  # fmt: skip


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether the finding counts."""
    if failure.code == ACCEPTED and not _says_no_ven(case):
        return True
    return not is_deliberate(failure.code, case.operation.label, response.text)


def _says_no_ven(case: Case[Any]) -> bool:
    """Whether nothing but the venID can be what is wrong with the body."""
    body = case.body if isinstance(case.body, dict) else {}
    return body.get("venID") is None and isinstance(body.get("resourceName"), str)
