"""XML of IEEE 2030.5 to values. What comes here has passed the gate and the schema."""

from typing import Any

from lxml import etree

from openadr_core.errors import MalformedMessage
from openadr_core.sep2.names import XSI
from openadr_core.sep2.plan import Part, message_types, parts_of

TRUE = frozenset({"true", "1"})


def read(element: etree._Element) -> Any:
    """The value that a document's root is; MalformedMessage if its element is none that we know."""
    return _value(element, _type_of(element, etree.QName(element).localname))


def _type_of(element: etree._Element, default: str) -> type:
    """The element's own type, unless it says that it is a special case of it (xsi:type)."""
    said = element.get(f"{{{XSI}}}type")
    name = default if said is None else said.rpartition(":")[2]
    found = message_types().get(name)
    if found is None:
        raise MalformedMessage(f"{name} is no message of this server's", clause="1.3")
    return found


def _value(element: etree._Element, kind: type) -> Any:
    parts = parts_of(kind)
    given: dict[str, Any] = {
        part.field: _scalar(text, part)
        for part in parts
        if part.is_attribute and (text := element.get(part.name)) is not None
    }
    elements = {part.name: part for part in parts if not part.is_attribute}
    several: dict[str, list[Any]] = {}
    for child in element.iterchildren(tag=etree.Element):
        part = elements.get(etree.QName(child).localname)
        if part is None:
            continue  # an extension, which who does not know it passes over
        value = _value(child, _special(child, part)) if part.is_complex else _scalar(child.text or "", part)
        if part.is_list:
            several.setdefault(part.field, []).append(value)
        else:
            given[part.field] = value
    return kind(**given, **{field: tuple(values) for field, values in several.items()})


def _special(child: etree._Element, part: Part) -> type:
    return _type_of(child, part.type.__name__) if f"{{{XSI}}}type" in child.attrib else part.type


def _scalar(text: str, part: Part) -> bool | int | str:
    if part.type is bool:
        return text.strip() in TRUE
    if part.type is int:
        return int(text)
    return text
