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
from conformance.sep2.words import MEDIA_TYPE, NAMESPACES
from conformance.server.listener import NO_ANSWER, Answered, nothing_but
from openadr_core.xml.parse import Element, parse

AHEAD_S = 100
"""Its clock is so much ahead of the tester's, to begin with: a client that goes by its own is late for everything."""
POST_RATE_S = 1
WATTS = "38"
"""UomType."""
PAGE_MAX = 2
"""Whatever a client asks for: a server may give less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    template: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Sep2Script:
    clock: Callable[[], float] = time.time
    ahead_s: int = AHEAD_S
    is_lost: bool = False
    """Nobody is heard, nor answered."""
    post_rate_s: int = POST_RATE_S
    """Wherever it says one."""
    documents: dict[str, Document] = field(default_factory=dict)
    """By path."""
    kept: dict[str, Document] = field(default_factory=dict)
    """What the client has made or put, by path: it may read it again."""
    meters: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By LFDI: the mRID of the series of power that the device mirrors, and how many zeros its readings lack."""
    planned: list[Planned] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def epoch(self) -> str:
        return str(int(self.clock()) + self.ahead_s)

    def ready(self, _what: Answer) -> bool:
        """A client reads: nothing waits to be told."""
        return True

    def listens(self, request: RawRequest, what: Answer, _arrived_s: float) -> Answered:
        if self.is_lost:
            return NO_ANSWER
        answered = self._answer(request, what)
        self.heard.append(Heard(what=what, path=request.path, status=answered.status))
        return answered

    def _answer(self, request: RawRequest, what: Answer) -> Answered:
        planned = planned_answer(self.planned, what, request.path, written, xml=True)
        return planned or self._usual(request, what.root)

    def _usual(self, request: RawRequest, root: Element | None) -> Answered:
        parts = urlsplit(request.path)
        if request.method in {"POST", "PUT"}:
            return self._keep(request.method, parts.path, root)
        found = self._found(parts.path)
        if request.method not in {"GET", "HEAD"} or found is None:
            return nothing_but(404)
        return written(200, _page(found, parse_qs(parts.query)), is_head=request.method == "HEAD")

    def _keep(self, method: str, path: str, root: Element | None) -> Answered:
        """The same meter is the same at the same place (M8)."""
        if root is None:
            return nothing_but(400)
        document = Document(template=_text(root).replace("$", ""))
        if method == "PUT":
            self.documents.pop(path, None)
            self.kept[path] = document
            return written(204)
        place = f"{path}/{len(self.heard)}"
        if root.tag.endswith("MirrorUsagePoint"):
            place = f"{path}/{root.findtext('sep:mRID', '', NAMESPACES)}"
            self._note_meter(root)
        is_known = place in self.kept
        self.kept[place] = document
        return written(204 if is_known else 201, headers={"Location": place})

    def _note_meter(self, point: Element) -> None:
        for one in point.iterfind("sep:MirrorMeterReading", NAMESPACES):
            if one.findtext("sep:ReadingType/sep:uom", "", NAMESPACES) == WATTS:
                zeros = int(one.findtext("sep:ReadingType/sep:powerOfTenMultiplier", "0", NAMESPACES))
                series = one.findtext("sep:mRID", "", NAMESPACES)
                self.meters[point.findtext("sep:deviceLFDI", "", NAMESPACES)] = series, zeros

    def _found(self, path: str) -> Element | None:
        """What is there: a document, what the client left there, or what stands in a list."""
        document = self.documents.get(path) or self.kept.get(path)
        if document is not None:
            return self._tree(document)
        lists = (self._tree(one) for place, one in self.documents.items() if path.startswith(f"{place}/"))
        return next((item for tree in lists for item in tree if item.get("href") == path), None)

    def _tree(self, document: Document) -> Element:
        text = rendered(document.template, {**document.variables, "epoch": self.epoch}, xml=True)
        root = parse(text.encode())
        if root.tag.endswith("MirrorUsagePoint") and root.find("sep:postRate", NAMESPACES) is None:
            etree.SubElement(root, f"{{{NAMESPACES['sep']}}}postRate")
        for rate in root.iter(f"{{{NAMESPACES['sep']}}}postRate"):
            rate.text = str(self.post_rate_s)
        return root


def _page(root: Element, asked: Mapping[str, list[str]]) -> str:
    """Of a list what was asked for, as far as there is room."""
    if "all" not in root.attrib:
        return _text(root)
    first, most = int(asked.get("s", ["0"])[0]), min(int(asked.get("l", ["1"])[0]), PAGE_MAX)
    items = list(root)
    root.set("all", str(len(items)))
    root.set("results", str(len(items[first : first + most])))
    for item in (*items[:first], *items[first + most :]):
        root.remove(item)
    return _text(root)


def _text(root: Element) -> str:
    return etree.tostring(root, encoding="unicode")


def written(
    status: int, body: str = "", headers: Mapping[str, str] | None = None, *, is_head: bool = False
) -> Answered:
    kind = {"Content-Type": MEDIA_TYPE} if body else {}
    told = {**kind, "Content-Length": str(len(body.encode())), **(headers or {})}
    return Answered(status=status, headers=tuple(told.items()), body=b"" if is_head else body.encode())
