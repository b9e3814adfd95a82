"""One exchange with a 2030.5 server, as scripts ask for it, and what its answer is.

A script is a generator: it yields calls and is given what they came to, so that a walk from link to link reads as
one. It does no I/O; the session carries its calls. An answer that is none ends it; it is begun anew later.
"""

from collections.abc import Generator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from openadr_core.errors import MalformedMessage, OpenAdrError, RemoteProtocolError
from openadr_core.exchange import Request, Response
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES, XML_REPORT_MARKUP_MAX
from openadr_core.sep2.decode import read
from openadr_core.sep2.encode import encode
from openadr_core.sep2.extensions import pass_over
from openadr_core.sep2.names import CsipAus
from openadr_core.xml.parse import Element, parse
from openadr_core.xml.validate import Schema

MEDIA_TYPE = "application/sep+xml"
PAGE = 50
PAGES_MAX = 400
"""A list that has no end must not keep us for ever."""
REDIRECTS_MAX = 3
REDIRECTS = frozenset({
    HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT,
})  # fmt: skip
REASONS = ("its format", "its values", "a limit of resources", "no conditional subscriptions", "too often")
"""Error.reasonCode."""

T = TypeVar("T")
Script = Generator["Call", Any, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    method: str = "GET"
    href: str
    kind: type | None = None
    """What a GET must bring; None where nothing is read."""
    message: object = None
    may_lack: bool = False
    """404 is an answer: None."""
    is_optional: bool = False
    """So is whatever else is wrong with it: it must not keep us from the rest."""


class Refusal(OpenAdrError):
    """The server answered, and will not have it."""

    def __init__(self, call: Call, status: int, reason: str = "") -> None:
        super().__init__(f"{call.method} {call.href}: HTTP {status}" + (f" ({reason})" if reason else ""))
        self.call = call
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How we speak to this server."""

    url: str
    """``https://host[:port]``."""
    csipaus: CsipAus | None
    schema: Schema
    """Of what the server may say."""

    def request(self, call: Call, at: str = "") -> Request:
        headers = {"accept": MEDIA_TYPE}
        body = b""
        if call.message is not None:
            body = encode(call.message, csipaus=self.csipaus)
            headers["content-type"] = MEDIA_TYPE
        return Request(method=call.method, path=at or self.path_of(call.href), body=body, headers=headers)

    def path_of(self, href: str, base: str = "/") -> str:
        """Where it is on this server: MalformedMessage for a link that leads to another.

        Interpretation: what other servers say is not our utility's, so links to them are not followed.
        """
        parts = urlsplit(urljoin(f"{self.url}{base}", href))
        if f"{parts.scheme}://{parts.netloc}" != self.url:
            raise MalformedMessage(f"a link leads to another server: {href[:100]}")
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"

    def read(self, call: Call, response: Response) -> Any:
        """What a GET brought; MalformedMessage or SchemaViolation if it is not that."""
        root = parse(response.body, max_bytes=XML_REPORT_BODY_MAX_BYTES, max_markup=XML_REPORT_MARKUP_MAX)
        found = self.understood(root)
        if call.kind is not None and not isinstance(found, call.kind):
            raise MalformedMessage(f"{call.href} is a {type(found).__name__}, and should be a {call.kind.__name__}")
        return found

    def understood(self, root: Element) -> Any:
        """The value of a document; SchemaViolation if what we know of it is wrong: the rest is passed over."""
        if not self.schema.is_valid(root):
            pass_over(root, csipaus=self.csipaus)
            self.schema.validate(root)
        return read(root)

    def read_if_good(self, call: Call, response: Response) -> Any:
        """The same; None if it is not there, or cannot be read."""
        try:
            return None if response.status >= HTTPStatus.BAD_REQUEST else self.read(call, response)
        except RemoteProtocolError:
            return None

    def refusal(self, call: Call, response: Response) -> Refusal:
        """With what the server says of it, if it does (an Error body)."""
        try:
            code = getattr(read(parse(response.body)), "reason_code", None)
        except OpenAdrError:
            code = None
        reason = f"for {REASONS[code]}" if isinstance(code, int) and code < len(REASONS) else ""
        return Refusal(call, response.status, reason)


def fetch(href: str, kind: type[T]) -> Script[T]:
    found: T = yield Call(href=href, kind=kind)
    return found


def fetch_if_there(href: str, kind: type[T]) -> Script[T | None]:
    found: T | None = yield Call(href=href, kind=kind, may_lack=True)
    return found


def fetch_if_good(href: str, kind: type[T]) -> Script[T | None]:
    """None where it is not there, not for us, or cannot be read."""
    found: T | None = yield Call(href=href, kind=kind, may_lack=True, is_optional=True)
    return found


def whole_list(href: str, kind: type[T], items: str) -> Script[tuple[T | None, list[Any]]]:
    """The last page and all items of a list, page by page: ``items`` names the field that they are in.

    One that is not there is empty. Interpretation: lists change while they are read, so who comes twice counts
    once, and what was missed is found by the next poll.
    """
    found: dict[str, Any] = {}
    page: Any = None
    joint = "&" if "?" in href else "?"
    start = 0
    while start < PAGE * PAGES_MAX:
        page = yield Call(href=f"{href}{joint}s={start}&l={PAGE}", kind=kind, may_lack=True)
        if page is None:
            return None, []
        here = getattr(page, items)
        found.update({one.href or f"{start}/{place}": one for place, one in enumerate(here)})
        start += len(here)  # a server may give less than it was asked for
        if not here or start >= page.all:
            return page, list(found.values())
    raise MalformedMessage(f"{href} has more than {PAGE * PAGES_MAX} items")
