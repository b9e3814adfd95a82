"""What the official 2.0b schema declares, read at test time from the published ``openleadr`` package.

Beside the compiled schema, which gives verdicts, its declarations: which children an element may have, of which type,
how often. From them documents are made that hold everything, and it is known what each element of a document is.
"""

from functools import cache
from pathlib import Path
from typing import Any

import openleadr
import xmlschema
from lxml import etree

from openadr_core.xml.parse import Element
from openadr_core.xml.validate import Schema

FOLDER = Path(openleadr.__file__).parent / "schema"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
ATOM = "http://www.w3.org/2005/Atom"
FOREIGN = (
    "http://www.w3.org/2001/XMLSchema",
    "http://www.w3.org/2001/XMLSchema-instance",
    "http://www.w3.org/XML/1998/namespace",
    "http://www.w3.org/2009/xmldsig11#",
    "http://naesb.org/espi",
    "urn:un:unece:uncefact:codelist:standard:5:ISO42173A:2010-04-07",
    DSIG,
    ATOM,
)
"""Other standards: our schemas say no more of them than our rules need."""
PAYLOAD = "{http://openadr.org/oadr-2.0b/2012/07}oadrPayload"
SIGNED_OBJECT = "{http://openadr.org/oadr-2.0b/2012/07}oadrSignedObject"

Declaration = Any
"""An element's declaration, as ``xmlschema`` has it; the same object wherever the element is referred to, and equal
to no other: two elements of one name in different places are two."""
Type = Any


@cache
def verdicts(name: str = "oadr_20b.xsd") -> Schema:
    return Schema(etree.XMLSchema(file=str(FOLDER / name)))


@cache
def _maps(name: str = "oadr_20b.xsd") -> Any:
    return xmlschema.XMLSchema10(str(FOLDER / name)).maps


def global_elements(name: str = "oadr_20b.xsd", *, of: str | None = None) -> list[Declaration]:
    """Every global element but the foreign ones; or those of one namespace."""
    return [
        found
        for found in _maps(name).elements.values()
        if (found.target_namespace == of if of else found.target_namespace not in FOREIGN)
    ]


def named_types() -> set[str]:
    return {str(found.name) for found in _maps().types.values() if _namespace(found.name) not in FOREIGN}


def element(tag: str, name: str = "oadr_20b.xsd") -> Declaration:
    return _maps(name).elements[tag]


def payloads() -> list[Declaration]:
    """The 23, as the envelope names them."""
    return [child for child, _ in children(element(SIGNED_OBJECT))]


def children(declaration: Declaration) -> list[tuple[Declaration, bool]]:
    """What may stand in it, in order, each with whether it may be there more than once; wildcards are left out."""
    if not declaration.type.has_complex_content():
        return []
    found = [each for each in declaration.type.content.iter_elements() if each.name]
    # An element without children is false, so `or` would not do.
    return [(each if each.ref is None else each.ref, each.max_occurs != 1) for each in found]


def stands_for(declaration: Declaration) -> list[Declaration]:
    """The elements that may stand where this one is named: itself, and those of its substitution group."""
    found = [] if declaration.abstract else [declaration]
    members = _maps().substitution_groups.get(declaration.name, ())
    for name in sorted(str(member.name) for member in members):
        found += [each for each in stands_for(element(name)) if each not in found]
    return found


def reachable(declaration: Declaration) -> set[Declaration]:
    """The element and all that may stand somewhere in it, without the foreign, the abstract, and what is in them."""
    seen: set[Declaration] = set()
    waiting = [declaration]
    while waiting:
        one = waiting.pop()
        if one in seen or one.abstract or one.type.abstract or one.target_namespace in FOREIGN:
            continue
        seen.add(one)
        waiting += [standing for child, _ in children(one) for standing in stands_for(child)]
    return seen


def types_of(declaration: Declaration) -> set[str]:
    """The names of its type and of what that is made of: bases, members of unions, types of attributes."""
    found: set[str] = set()
    waiting = [declaration.type, *(attribute.type for attribute in declaration.attributes.values())]
    while waiting:
        one = waiting.pop()
        if one is None or one.name in found:
            continue
        if one.name:
            found.add(str(one.name))
        waiting += [one.base_type, getattr(one, "item_type", None), *(getattr(one, "member_types", None) or ())]
        if one.is_complex() and one.has_simple_content():
            waiting.append(one.content)
    return found


def known(root: Element) -> dict[Element, Declaration]:
    """What each element of a document is, but for those that are not allowed where they stand."""
    found: dict[Element, Declaration] = {root: element(root.tag)}
    for one in root.iterdescendants(etree.Element):
        parent = found.get(_parent(one))
        if parent is None:
            continue
        # Wildcards let in what is declared globally.
        inside = [standing for child, _ in children(parent) for standing in stands_for(child)] or [_global(one.tag)]
        same = [each for each in inside if each is not None and each.name == one.tag]
        if same:
            found[one] = same[0]
    return found


def _global(tag: str) -> Declaration | None:
    return _maps().elements.get(tag)


def _namespace(name: str) -> str:
    return name[1:].partition("}")[0]


def _parent(one: Element) -> Element:
    parent = one.getparent()
    assert parent is not None
    return parent
