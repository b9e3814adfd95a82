"""Messages of 2.0b grown from whole ones: elements dropped, doubled, moved, renamed, of another text; damaged bytes."""

import copy
import random
from functools import cache

from lxml import etree

from openadr_core.oadr2 import messages as m
from tests.core.oadr2.mutants import TEXTS
from tests.fuzz.test_xml_grammar import damaged
from tests.security.claims_of_identity import documents, naming

Element = etree._Element

OWN = "id-ven-one"
NASTY = (
    *TEXTS, OWN, "id-ven-two", "0" * 400, "9" * 400, "-9" * 200, "1e309", "P" + "9" * 30 + "Y", "PT0.0000001S",
    "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "\u202eabc", "a\u0301" * 100, "\U0001f600" * 50,
    "'; DROP TABLE party; --", "${jndi:ldap://x}", "%s%n%d", "../../etc/passwd", "{{7*7}}", "None", "null", "\t",
    "\x85",
)  # fmt: skip
"""Texts at the edges of every type, and what other systems have fallen over."""


@cache
def _trees() -> dict[type[m.Message], Element]:
    return {kind: etree.fromstring(body) for kind, body in documents().items()}


def grown(kind: type[m.Message], dice: random.Random) -> bytes:
    """One message of this kind, or what is left of it. Mostly in its sender's own name, or nothing would be reached."""
    root = copy.deepcopy(_trees()[kind])
    named = naming(root)
    if named is not None:
        named.text = OWN
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        _change(root, dice)
    body = etree.tostring(root, encoding="UTF-8", xml_declaration=dice.random() < 0.8)
    return damaged(dice, body) if dice.random() < 0.2 else body


def _change(root: Element, dice: random.Random) -> None:
    one = dice.choice(list(root.iter(etree.Element)))
    parent = one.getparent()
    match dice.randrange(7):
        case 0 if parent is not None:
            parent.remove(one)
        case 1 if parent is not None:
            for _ in range(dice.choice((1, 1, 2, 50))):
                one.addnext(copy.deepcopy(one))
        case 2 if parent is not None:
            parent.insert(dice.randrange(len(parent)), one)
        case 3:
            one.tag = dice.choice(list(root.iter(etree.Element))).tag
        case 4:
            one.set(dice.choice(("Id", "x", "{http://www.w3.org/XML/1998/namespace}lang")), dice.choice(("", "x")))
        case 5:
            one.append(copy.deepcopy(dice.choice(list(root.iter(etree.Element)))))
        case _:
            leaves = [leaf for leaf in root.iter(etree.Element) if not len(leaf)] or [one]
            dice.choice(leaves).text = dice.choice(NASTY)
