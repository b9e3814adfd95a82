"""Values of every type of the wire, made from the codec's own table, and documents that differ a little from theirs."""

import copy
import random
from typing import Any

from lxml import etree

from openadr_core.sep2.names import CsipAus
from openadr_core.sep2.plan import Part, message_types, parts_of
from openadr_core.sep2.scalars import Hex, Text, Whole

NOT_DOCUMENTS = frozenset({"Link", "ListLink", "EventStatus", "DateTimeInterval", "ConnectionPoint"})
DOCUMENTS = sorted(set(message_types()) - NOT_DOCUMENTS)
CHARACTERS = "abcXYZ 019-_<&'\"é"
ODD_TEXTS = ("", "-1", "999999999999", "abc", "true", "0", "70000", "10001", "XYZ", "A" * 50)
ATTRIBUTES = ("href", "all", "pollRate", "subscribable", "foo", "replyTo", "responseRequired", "results")


def made(kind: type, dice: random.Random, *, fullness: float, csipaus: CsipAus | None) -> Any:
    """A value of the class, with this share of what is optional in it."""
    given: dict[str, Any] = {}
    for part in parts_of(kind):
        if part.versions is not None and (csipaus is None or csipaus not in part.versions):
            continue
        # CSIP-AUS wants doeModesSupported, and a curve has a point at least.
        must = not (part.is_optional or part.is_list) or part.field in {"doe_modes_supported", "curve_data"}
        if must or dice.random() < fullness:
            one = [_one(part, dice, fullness * 0.8, csipaus) for _ in range(dice.randint(1, 2) if part.is_list else 1)]
            given[part.field] = tuple(one) if part.is_list else one[0]
    return kind(**given)


def _one(part: Part, dice: random.Random, fullness: float, csipaus: CsipAus | None) -> Any:
    if part.is_complex:
        # What a Notification brings is any resource, and says which.
        kind = message_types()["DERControlList"] if part.type.__name__ == "Resource" else part.type
        return made(kind, dice, fullness=fullness, csipaus=csipaus)
    match part.bounds:
        case Whole(least, most):
            return dice.choice([least, most, dice.randint(least, most)])
        case Hex(bytes_max):
            return dice.randbytes(dice.randint(1, bytes_max)).hex().upper()
        case Text(chars_max):
            return "".join(dice.choices(CHARACTERS, k=dice.randint(1, min(chars_max, 40)))).strip()
        case _:
            return dice.random() < 0.5


def mutant(document: etree._Element, dice: random.Random) -> etree._Element:
    """A copy with one thing wrong, perhaps."""
    changed = copy.deepcopy(document)
    element = dice.choice(list(changed.iter(tag=etree.Element)))
    parent = element.getparent()
    match dice.randint(0, 6):
        case 0 if parent is not None:
            parent.remove(element)
        case 1 if parent is not None:
            element.addnext(copy.deepcopy(element))
        case 2 if not len(element):
            element.text = dice.choice(ODD_TEXTS)
        case 3 if element.attrib:
            element.set(dice.choice(sorted(element.attrib)), dice.choice(("", "-1", "abc", "5", "99999999999")))
        case 4 if element.attrib:
            del element.attrib[dice.choice(sorted(element.attrib))]
        case 5 if len(element) > 1:
            element.append(element[0])
        case _:
            element.set(dice.choice(ATTRIBUTES), dice.choice(("1", "x", "")))
    return changed
