"""A document of IEEE 2030.5 as some server might give it that is wrong in one place: it stays one of its kind."""

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace

from conformance.answers import Sight
from conformance.sep2.words import NAMESPACES
from openadr_core.xml.parse import Element

NAME = re.compile(r"\b(sep|aus13|aus):(\w+)")
OTHER_TEXT = "spoilt"
Spoil = Callable[[Element], bool | None]
"""True if it has changed something."""


def spoilt_documents(sight: Sight, expected: str) -> Iterator[Sight]:
    """The likely faults first: each is tried until one is seen. What is not to be there is made of what is."""
    spoils: list[Spoil] = [_removed, _doubled, _swapped, _put(OTHER_TEXT)]
    spoils += [_moved(by) for by in (1, -1, 1_000_000, -1_000_000)]
    spoils += [_attributes(of) for of in (lambda _: None, _more, _less, lambda _: OTHER_TEXT)]
    spoils += [_put(text) for text in dict.fromkeys(sight.variables.values())]
    spoils += [_renamed(prefix, name) for prefix, name in dict.fromkeys(NAME.findall(expected))]
    yield from _each(sight, spoils)


def reordered(sight: Sight) -> Iterator[Sight]:
    """Two neighbours have changed places, and nothing else is wrong."""
    yield from _each(sight, [_swapped])


def _each(sight: Sight, spoils: Iterable[Spoil]) -> Iterator[Sight]:
    root = sight.answer.root
    if root is None:
        return
    for spoil in spoils:
        for place in range(sum(1 for _ in root.iter())):
            spoilt = deepcopy(root)
            if spoil(list(spoilt.iter())[place]) is not None:
                yield replace(sight, answer=replace(sight.answer, root=spoilt))


def _removed(node: Element) -> bool | None:
    parent = node.getparent()
    if parent is None:
        return None
    parent.remove(node)
    return True


def _doubled(node: Element) -> bool | None:
    if node.getparent() is None:
        return None
    node.addnext(deepcopy(node))
    return True


def _swapped(node: Element) -> bool | None:
    """With the next of its kind: in a list, the order is another."""
    after = node.getnext()
    if after is None or after.tag != node.tag:
        return None
    after.addnext(node)
    return True


def _put(text: str) -> Spoil:
    def put(node: Element) -> bool | None:
        if len(node) or node.text == text:
            return None
        node.text = text
        return True

    return put


def _renamed(prefix: str, name: str) -> Spoil:
    def renamed(node: Element) -> bool:
        node.tag = f"{{{NAMESPACES[prefix]}}}{name}"
        return True

    return renamed


def _moved(by: int) -> Spoil:
    def moved(node: Element) -> bool | None:
        if len(node) or not (node.text or "").lstrip("-").isdecimal():
            return None
        node.text = str(int(node.text or "0") + by)
        return True

    return moved


def _attributes(changed: Callable[[str], str | None]) -> Spoil:
    """All of an element's."""

    def change(node: Element) -> bool | None:
        before = {str(name): str(value) for name, value in node.attrib.items()}
        for name, value in before.items():
            wrong = changed(value)
            if wrong is None:
                del node.attrib[name]
            else:
                node.set(name, wrong)
        return True if before else None

    return change


def _more(value: str) -> str:
    return str(int(value) + 1) if value.isdecimal() else value


def _less(value: str) -> str:
    return str(int(value) - 1) if value.isdecimal() else value
