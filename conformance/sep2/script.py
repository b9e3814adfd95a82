"""The harness as a server of IEEE 2030.5: documents at their addresses, by a clock of its own. It knows no socket."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from conformance.answers import Answer
from conformance.api.script import Heard, Planned, planned_answer
from conformance.exchanges import Exchange, RawRequest
from conformance.queries import rendered
from conformance.sep2.words import MEDIA_TYPE
from conformance.server.listener import Answered, nothing_but
from openadr_core.xml.parse import Element, parse

AHEAD_S = 100
"""Its clock is so much ahead of the tester's: a client that goes by its own is late for everything."""
PAGE_MAX = 2
"""Whatever a client asks for: a server may give less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    template: str
    variables: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Sep2Script:
    clock: Callable[[], float] = time.time
    documents: dict[str, Document] = field(default_factory=dict)
    """By path."""
    planned: list[Planned] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def epoch(self) -> str:
        return str(int(self.clock()) + AHEAD_S)

    def ready(self, _what: Answer) -> bool:
        """A client reads: nothing waits to be told."""
        return True

    def listens(self, request: RawRequest, what: Answer, _arrived_s: float) -> Answered:
        answered = planned_answer(self.planned, what, request.path, _written, xml=True) or self._answered(request)
        self.heard.append(Heard(what=what, path=request.path, status=answered.status))
        return answered

    def _answered(self, request: RawRequest) -> Answered:
        parts = urlsplit(request.path)
        if request.method == "POST":
            return _written(201, "", {"Location": f"{parts.path}/{len(self.heard)}"})
        if request.method == "PUT":
            return _written(204)
        document = self.documents.get(parts.path)
        if request.method != "GET" or document is None:
            return nothing_but(404)
        text = rendered(document.template, {**document.variables, "epoch": self.epoch}, xml=True)
        return _written(200, _page(text, parse_qs(parts.query)))


def _page(text: str, asked: Mapping[str, list[str]]) -> str:
    """Of a list what was asked for, as far as there is room."""
    root = parse(text.encode())
    if "all" not in root.attrib:
        return text
    first, most = int(asked.get("s", ["0"])[0]), min(int(asked.get("l", ["1"])[0]), PAGE_MAX)
    items = list(root)
    root.set("all", str(len(items)))
    root.set("results", str(len(items[first : first + most])))
    for item in (*items[:first], *items[first + most :]):
        root.remove(item)
    return _text(root)


def _text(root: Element) -> str:
    return etree.tostring(root, encoding="unicode")


def _written(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Answered:
    kind = {"Content-Type": MEDIA_TYPE} if body else {}
    told = {**kind, "Content-Length": str(len(body.encode())), **(headers or {})}
    return Answered(status=status, headers=tuple(told.items()), body=body.encode())
