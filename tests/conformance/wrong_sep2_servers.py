"""Servers of 2030.5 that are wrong in one thing everywhere: our own, with something amiss on the way to the harness."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

from lxml import etree

from conformance.client.address import Address
from conformance.client.line import Line
from conformance.client.steps import Hello, Identity
from conformance.exchanges import Exchange, RawRequest
from conformance.queries import Query
from openadr_core.xml.parse import Element

Ask = Callable[[RawRequest], Exchange]
Fault = Callable[[Ask, RawRequest], Exchange]
_CANCELLED = Query("//sep:DERControl[sep:EventStatus/sep:currentStatus = 2]")


@dataclass(frozen=True, slots=True)
class WrongLine:
    line: Line
    fault: Fault

    def exchange(self, request: RawRequest) -> Exchange:
        return self.fault(self.line.exchange, request)

    def close(self) -> None:
        self.line.close()


def wrong_line(fault: Fault) -> Callable[[Address, Identity, Hello], WrongLine]:
    return lambda address, identity, hello: WrongLine(Line(address, identity, hello), fault)


def _changed(change: Callable[[Element], None]) -> Fault:
    """In every document."""

    def fault(ask: Ask, request: RawRequest) -> Exchange:
        exchange = ask(request)
        if exchange.answer.root is None:
            return exchange
        root = deepcopy(exchange.answer.root)
        change(root)
        return replace(exchange, answer=replace(exchange.answer, root=root, body=etree.tostring(root)))

    return fault


def _set(path: str, text: str) -> Fault:
    query = Query(path)

    def change(root: Element) -> None:
        for node in query.nodes(root, {}):
            node.text = text

    return _changed(change)


def _reverse(root: Element) -> None:
    if root.get("all") is not None:
        root.extend(reversed(list(root)))


def _count_the_page(root: Element) -> None:
    if root.get("all") is not None:
        root.set("all", root.get("results", ""))


def _forget(root: Element) -> None:
    gone = _CANCELLED.nodes(root, {})
    for node in gone:
        root.remove(node)
    if gone:
        root.set("all", str(len(root)))
        root.set("results", str(len(root)))


def _whole_lists(ask: Ask, request: RawRequest) -> Exchange:
    path, mark, _ = request.path.partition("?")
    return ask(replace(request, path=f"{path}?s=0&l=500") if mark else request)


def _answered(old: Callable[[int], bool], methods: str, new: int) -> Fault:
    def fault(ask: Ask, request: RawRequest) -> Exchange:
        exchange = ask(request)
        status = exchange.answer.status
        if status is None or not old(status) or request.method not in methods.split():
            return exchange
        return replace(exchange, answer=replace(exchange.answer, status=new, headers=[("Location", "/somewhere")]))

    return fault


def _moving(ask: Ask, request: RawRequest) -> Exchange:
    exchange = ask(request)
    headers = [
        (name, f"{value}/{id(exchange)}" if name.lower() == "location" else value)
        for name, value in exchange.answer.headers
    ]
    return replace(exchange, answer=replace(exchange.answer, headers=headers))


def _newest(ask: Ask, request: RawRequest) -> Exchange:
    is_plain = not request.path.startswith(("/csipaus", "/.well-known"))
    return ask(replace(request, path=f"/csipaus-1.3{request.path}" if is_plain else request.path))


WRONG: Mapping[str, Fault] = {
    "lists stand upside down": _changed(_reverse),
    "a page is the whole list": _whole_lists,
    "a page is all that there is": _changed(_count_the_page),
    "what was cancelled is gone": _changed(_forget),
    "nothing is ever active": _set("//sep:EventStatus[sep:currentStatus = 1]/sep:currentStatus", "0"),
    "nothing is ever superseded": _set("//sep:EventStatus[sep:currentStatus = 4]/sep:currentStatus", "1"),
    "nothing is superseded in part": _set("//sep:potentiallySuperseded", "false"),
    "versions stand still": _set("//sep:version", "0"),
    "every mRID is the same": _set("//sep:mRID", "0" * 32),
    "mRIDs are names": _set("//sep:mRID", "no mRID that anybody could mean"),
    "powers are in watts alone": _set("//sep:multiplier", "0"),
    "poll rates stand still": _changed(lambda root: root.set("pollRate", "900")),
    "nobody's clock is right": _set("/sep:Time/sep:quality", "3"),
    "everything is taken": _answered(lambda status: 400 <= status < 500, "POST PUT", 201),
    "every method does": _answered(lambda status: status == 405, "POST PUT DELETE", 200),
    "everybody may read": _answered(lambda status: status in {403, 404}, "GET HEAD", 200),
    "it gives a new place each time": _moving,
    "it speaks the newest to all": _newest,
}
