"""What came, spoilt one way at a time, and always into well-formed HTTP and JSON."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

from lxml import etree

from conformance.answers import Answer, Sight
from openadr_core.xml.parse import Element

OTHER_TEXT = "spoilt"


def spoilt(sight: Sight) -> Iterator[Sight]:
    """The same answer, wrong in one way."""
    answer = sight.answer
    if answer.silent:
        yield replace(sight, answer=replace(answer, silent=False, failure="", method="POST", path="reports"))
        return
    if answer.refused:
        yield replace(sight, answer=replace(answer, refused=False))
        return
    for status in (200, 202, 500) if answer.status is not None else ():
        if status != answer.status:
            yield replace(sight, answer=replace(answer, status=status))
    yield replace(sight, answer=replace(answer, headers=[]))
    yield replace(sight, answer=replace(answer, headers=[(name, OTHER_TEXT) for name, _ in answer.headers]))
    yield replace(sight, answer=replace(answer, headers=[*answer.headers, ("Authorization", OTHER_TEXT)]))
    for root in _spoilt_trees(answer):
        yield replace(sight, answer=replace(answer, root=root))


def _spoilt_trees(answer: Answer) -> Iterator[Element]:
    if answer.root is None:
        return
    yield etree.Element("json", type="string")
    for place in range(1, sum(1 for _ in answer.root.iter())):
        for spoil in (_removed, _changed, _doubled):
            root = deepcopy(answer.root)
            spoil(list(root.iter())[place])
            yield root
    full = deepcopy(answer.root)
    if full.get("type") == "array":
        yield from _strangers(full)


def _removed(node: Element) -> None:
    parent = node.getparent()
    assert parent is not None
    parent.remove(node)


def _changed(node: Element) -> None:
    if not len(node):
        node.text = OTHER_TEXT


def _doubled(node: Element) -> None:
    if node.tag == "item":
        node.addnext(deepcopy(node))


def _strangers(root: Element) -> Iterator[Element]:
    """A list that holds one object too many."""
    etree.SubElement(etree.SubElement(root, "item", type="object"), "id").text = OTHER_TEXT
    yield root
