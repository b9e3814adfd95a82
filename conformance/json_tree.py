"""JSON as a tree, so that a procedure asks of JSON what it asks of XML: by XPath, and with the same kinds of checks.

``{"id": "x", "values": [1.50, null]}`` becomes ``<json type="object"><id type="string">x</id><values type="array">
<item type="number">1.50</item><item type="null"/></values></json>``: numbers as they were written, for a check may ask
whether they came back unchanged.
"""

import json
import re
from typing import Any

from lxml import etree

from openadr_core.errors import MalformedMessage
from openadr_core.xml.parse import Element

DEPTH_MAX = 64
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_UNSPEAKABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def json_tree(body: bytes) -> Element:
    """The root. Raises :class:`MalformedMessage` for no JSON, a key twice, NaN, or what is nested too deep."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_members,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as fault:
        raise MalformedMessage(f"no JSON: {fault}") from None
    root = etree.Element("json")
    _fill(root, value, DEPTH_MAX)
    return root


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise MalformedMessage("no JSON: a key stands twice")
    return members


def _refuse_constant(name: str) -> None:
    raise MalformedMessage(f"no JSON: {name}")


def _fill(element: Element, value: Any, depth: int) -> None:
    if not depth:
        raise MalformedMessage("no JSON that is told apart: nested too deep")
    match value:
        case dict():
            element.set("type", "object")
            for name, member in value.items():
                _fill(_child(element, name), member, depth - 1)
        case list():
            element.set("type", "array")
            for item in value:
                _fill(etree.SubElement(element, "item"), item, depth - 1)
        case None:
            element.set("type", "null")
        case bool():
            element.set("type", "boolean")
            element.text = str(value).lower()
        case _:
            element.set("type", "number" if isinstance(value, _Number) else "string")
            element.text = _UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", value)


def _child(element: Element, name: str) -> Element:
    """Named as the member is; a name that XML cannot have is an attribute."""
    if _NAME.fullmatch(name):
        return etree.SubElement(element, name)
    return etree.SubElement(element, "member", name=_UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", name))
