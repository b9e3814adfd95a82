"""Every payload, made from the official schema, under every name that is not its sender's own: what T09 tries.

The documents are whole: every optional element stands in them. The element that names the sender is
found by its place, so the ids in targets, which name others rightly, are left alone.
"""

import copy
import random
from collections.abc import Callable, Iterator
from functools import cache

from lxml import etree

from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, envelope_of, read
from openadr_core.oadr2.session import TURNS, Role
from openadr_core.shell.datafiles import load_schema
from tests.core.oadr2.mutants import Maker, _enumerated
from tests.core.oadr2.official import PAYLOAD, Declaration, element, payloads
from tests.security.forger import oadr

Element = etree._Element

EI = "{http://docs.oasis-open.org/ns/energyinterop/201110}"
VEN_ID = f"{EI}venID"
HOLDERS = {"eiRequestEvent", "eiCreatedEvent"}
"""In these the sender's venID stands one level deeper."""


class PlainMaker(Maker):
    """Makes documents that a receiver can read to the end: valid, and of values that no calendar refuses."""

    def _text(self, declaration: Declaration) -> str:
        if declaration.fixed is not None:
            return str(declaration.fixed)
        return next(text for text in (*_enumerated(declaration.type), *PLAIN) if declaration.type.is_valid(text))


PLAIN = ("x", "1", "200", "true", "PT1H", "2026-07-15T18:30:00Z")
"""One for each kind of simple type."""


@cache
def documents() -> dict[type[m.Message], bytes]:
    """A whole envelope of each of the 23 payloads, by the class that it is read as."""
    found = {}
    for payload in payloads():
        root = PlainMaker(random.Random(1)).document(element(PAYLOAD), payload)
        root[-1].set(oadr("Id"), "oadrSignedObject")
        body = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
        found[type(read(envelope_of(body, load_schema(), limits=LARGE)[-1]))] = body
    return found


def sent_by(role: Role) -> list[type[m.Message]]:
    """What the table says this side may begin with."""
    return list(TURNS[role])


def naming(root: Element, tag: str = VEN_ID) -> Element | None:
    """The element that says whose message it is, or whom it is for."""
    payload = root[-1][0]
    places = [payload, *(child for child in payload if etree.QName(child).localname in HOLDERS)]
    return next((child for place in places for child in place if child.tag == tag), None)


Spell = Callable[[str, str], bytes]
"""Of the own id and another's: the element's content, as it is written on the wire."""

OWN: dict[str, Spell] = {
    "own": lambda own, _: own.encode(),
    "own in references": lambda own, _: "".join(f"&#{ord(character)};" for character in own).encode(),
    "own in a cdata section": lambda own, _: f"<![CDATA[{own}]]>".encode(),
    "own around a comment": lambda own, _: f"{own[:3]}<!-- {own} -->{own[3:]}".encode(),
    "own around an instruction": lambda own, _: f"{own[:3]}<?x y?>{own[3:]}".encode(),
}
"""Other spellings of the same text: XML has them, so they are the own id."""

LOOK_ALIKES = str.maketrans({"a": "\N{CYRILLIC SMALL LETTER A}", "e": "\N{CYRILLIC SMALL LETTER IE}"})

OTHERS: dict[str, Spell] = {
    "another's": lambda _, other: other.encode(),
    "another's in references": lambda _, other: "".join(f"&#x{ord(character):x};" for character in other).encode(),
    "another's after a comment": lambda own, other: f"<!-- {own} -->{other}".encode(),
    "both": lambda own, other: f"{own}{other}".encode(),
    "both on two lines": lambda own, other: f"{own}\n{other}".encode(),
    "unknown": lambda _, __: b"nobody",
    "blank": lambda _, __: b"   ",
    "padded before": lambda own, _: f" {own}".encode(),
    "padded after": lambda own, _: f"{own}\n".encode(),
    "upper case": lambda own, _: own.upper().encode(),
    "capital": lambda own, _: own.capitalize().encode(),
    "cut": lambda own, _: own[:-1].encode(),
    "with an invisible character": lambda own, _: f"{own}\N{ZERO WIDTH SPACE}".encode(),
    "with a look-alike": lambda own, _: own.translate(LOOK_ALIKES).encode(),
    "a statement": lambda own, _: f"{own}' OR '1'='1".encode(),
}
"""Another text than the own id."""

BROKEN: dict[str, Spell] = {
    "split by an entity": lambda own, _: f"{own[:3]}&rest;".encode(),
    "split by an element": lambda own, _: f"{own[:3]}<x/>{own[3:]}".encode(),
    "with a nul": lambda own, _: f"{own}&#0;".encode(),
    "with a nul byte": lambda own, _: f"{own}\0".encode(),
}
"""No text at all: not to be read, so 406."""

MARK = "the-place-of-the-name"


def written(document: bytes, spell: Spell, own: str, other: str, *, tag: str = VEN_ID) -> bytes:
    """The document with its sender's id spelt so."""
    root = etree.fromstring(document)
    named = naming(root, tag)
    assert named is not None
    named.text = MARK
    body = etree.tostring(root, encoding="UTF-8", xml_declaration=True).replace(MARK.encode(), spell(own, other))
    if b"&rest;" in body:
        head, rest = body.split(b"?>", 1)
        body = head + f'?><!DOCTYPE x [<!ENTITY rest "{own[3:]}">]>'.encode() + rest
    return body


def without(document: bytes, *, tag: str = VEN_ID) -> bytes:
    root = etree.fromstring(document)
    named = naming(root, tag)
    assert named is not None
    parent = named.getparent()
    assert parent is not None
    parent.remove(named)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def emptied(document: bytes, *, tag: str = VEN_ID) -> bytes:
    return written(document, lambda _, __: b"", "", "", tag=tag)


def twice(document: bytes, own: str, other: str, *, tag: str = VEN_ID) -> Iterator[bytes]:
    """Two names in one message, in either order."""
    for first, second in ((own, other), (other, own)):
        root = etree.fromstring(written(document, lambda a, _: a.encode(), first, "", tag=tag))
        named = naming(root, tag)
        assert named is not None
        twin = copy.deepcopy(named)
        twin.text = second
        named.addnext(twin)
        yield etree.tostring(root, encoding="UTF-8", xml_declaration=True)
