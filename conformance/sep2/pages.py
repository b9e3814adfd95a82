"""A list of IEEE 2030.5 read to its end, page by page: a server may give fewer items than it is asked for."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

from conformance.answers import Answer
from openadr_core.xml.parse import Element

PAGES_MAX = 1000
"""More than any list of a test system has: a server that never comes to an end is told so."""


def read_list(ask: Callable[[int], Answer], page: int) -> Answer:
    """The last page's answer with all items in it; ``ask`` gives the page that begins with this item.

    An answer that is no page, or one that is longer than what was asked for, is given as it is, or as a failure.
    """
    pages = []
    for answer in _pages(ask):
        if answer.root is None or answer.status != 200 or answer.root.get("all") is None:
            return answer
        if len(answer.root) > page:
            return _failed(answer, f"a page of {len(answer.root)} where {page} was asked for")
        pages.append(answer.root)
        if not len(answer.root) or sum(len(one) for one in pages) >= _number(answer.root, "all"):
            return replace(answer, root=_joined(pages))
    return _failed(answer, f"no end after {PAGES_MAX} pages")


def _pages(ask: Callable[[int], Answer]) -> Iterator[Answer]:
    start = 0
    for _ in range(PAGES_MAX):
        answer = ask(start)
        yield answer
        start += 0 if answer.root is None else len(answer.root)


def _joined(pages: list[Element]) -> Element:
    """What each page said of itself is added up: a count that is wrong stays wrong."""
    whole = deepcopy(pages[0])
    for page in pages[1:]:
        whole.extend(deepcopy(page))
    whole.set("all", pages[-1].get("all", ""))
    whole.set("results", str(sum(_number(page, "results") for page in pages)))
    return whole


def _number(page: Element, name: str) -> int:
    text = page.get(name, "")
    return int(text) if text.isdecimal() else 0


def _failed(answer: Answer, why: str) -> Answer:
    return replace(answer, failure=why, root=None, no_root_because=why)
