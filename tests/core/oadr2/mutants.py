"""Documents that hold everything the official schema allows, and mutants that know what they break.

A document is made from declarations: every optional element stands in it, of a choice or a substitution group each
member in turn. A mutation changes one element in one way; which element, of which declaration, is part of the mutant.
"""

import copy
import random
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

from lxml import etree

from openadr_core.xml.parse import Element
from tests.core.oadr2.official import ATOM, DSIG, FOREIGN, SIGNED_OBJECT, Declaration, Type, children, known, stands_for

XSI = "http://www.w3.org/2001/XMLSchema-instance"
EI = "http://docs.oasis-open.org/ns/energyinterop/201110"
STRANGER = "urn:stranger"
TEXT = "text"
"""The kind of mutant that has another text."""
TEXTS = (
    "", " ", "abc", "A", "é", "x" * 5_000, "a\nb", " a  b ",
    "0", "1", "2", "3", "-0", "+1", "-1", "007", "100", "101", "4294967295", "4294967296", "1" * 40,
    "1.5", ".5", "5.", "1e3", "1E-400", "INF", "-INF", "+INF", "inf", "NaN", "nan", "1,5", "0x10", "1 2 3", "1 2 x",
    "true", "false", "TRUE", "True", " true ",
    "2026-07-15T18:30:00Z", "2026-07-15T18:30:00", "2026-07-15T18:30:00.5Z", "2026-07-15T18:30:00.Z",
    "2026-07-15T18:30:00+02:00", "2026-07-15T24:00:00Z", "2026-07-15T23:59:60Z", "2026-13-45T00:00:00Z",
    "2026-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "-0044-03-15T00:00:00Z", "12026-07-15T18:30:00Z", "2026-07-15",
    "PT1H", "P", "PT", "P1D", "P1DT", "P1D2H", "P1Y2M3DT4H5M6S", "-PT5M", "+PT5M", "PT1.5H", "P1W", "1W", "-1W", "W",
    "pt1h", "PT1H ", "PT1M2H", "T1H", "1H",
    "x-foo", "x-", "x- ", "x- a", "X-foo", " x-foo ", "x-foo  bar",
    "200", "20", "2000", "abc200", "20a", " 200",
    "always", "Always", " always ", "optIn", "optin", "simpleHttp", "2.0a", "2.0b", " 2.0b ", "2.0B", "SIMPLE",
    "Direct Read", "Direct  Read", "direct read", "USD", "usd", "XXX", "W", "J/s", "none", "k", "K", "Current", "Hz",
    "https://utility.example/a", "https://[", "%%%", "a b", "urn:x", "\\\\host\\c", "http://é.example/",
)  # fmt: skip
"""Lexical forms at the edges of what the types of 2.0b allow."""
FEED = f"""<feed xmlns="{ATOM}"><id>urn:uuid:00000000-0000-4000-8000-000000000001</id>
<title>Green Button</title><updated>2026-07-14T12:00:00Z</updated></feed>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    kind: str
    """What was done."""
    declaration: Declaration
    """To an element of which declaration."""
    root: Element


class Maker:
    """Makes documents that hold all that may be in them, but for signatures.

    Of each substitution group the next member takes its turn wherever one may stand.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._turns: Counter[str] = Counter()

    def document(self, declaration: Declaration, payload: Declaration | None = None) -> Element:
        """A document of this root; an oadrPayload holds this payload."""
        if declaration.target_namespace == ATOM:
            return etree.fromstring(FEED)
        root = etree.Element(declaration.name)
        if not declaration.type.has_complex_content():
            root.text = self._text(declaration)
        for name, attribute in declaration.attributes.items():
            if name is not None:
                root.set(name, self._attribute(attribute.type))
        for child, is_repeated in children(declaration):
            if child.target_namespace == DSIG or (declaration.name == SIGNED_OBJECT and child is not payload):
                continue
            for _ in range(self._dice.choice((1, 2)) if is_repeated else 1):
                root.append(self.document(self._standing(child), payload))
        return root

    def _standing(self, declaration: Declaration) -> Declaration:
        # An abstract type stands for nothing by itself.
        standing = [each for each in stands_for(declaration) if not each.type.abstract]
        self._turns[declaration.name] += 1
        return standing[self._turns[declaration.name] % len(standing)]

    def _text(self, declaration: Declaration) -> str:
        if declaration.fixed is not None:
            return str(declaration.fixed)
        # The plain ones: of spaces and of URIs, xmlschema and libxml2 think differently.
        plain = [text for text in TEXTS if not set(text) & set(" \n:%\\")]
        valid = [text for text in (*_enumerated(declaration.type), *plain) if declaration.type.is_valid(text)]
        return self._dice.choice(valid or [text for text in TEXTS if declaration.type.is_valid(text)])

    def _attribute(self, found: Type) -> str:
        if str(found.name).endswith("}ID"):
            return f"id-{self._dice.randrange(10**9)}"
        return self._dice.choice(_enumerated(found) or ("x",))


def mutants(document: Element, dice: random.Random, *, of: Container[Declaration]) -> Iterator[Mutant]:
    """Each element of the document that is one ``of`` these in each way that it can be changed; the others in one."""
    declared = known(document)
    tried: set[str] = set()
    for index, one in enumerate(document.iter(etree.Element)):
        declaration = declared.get(one)
        if declaration is None or (declaration.target_namespace in FOREIGN and declaration not in of):
            continue
        for kind in MUTATIONS if declaration in of else [dice.choice(list(MUTATIONS))]:
            root = copy.deepcopy(document)
            if MUTATIONS[kind](_at(root, index), declaration, dice):
                yield Mutant(kind=kind, declaration=declaration, root=root)
        for text in _texts_to_try(declaration, dice, tried) if declaration in of and not len(one) else ():
            root = copy.deepcopy(document)
            _at(root, index).text = text
            yield Mutant(kind=TEXT, declaration=declaration, root=root)


def _texts_to_try(declaration: Declaration, dice: random.Random, tried: set[str]) -> tuple[str, ...]:
    """Every text once for each type, then a few for each element of it."""
    every = (*_enumerated(declaration.type), *TEXTS)
    known_as = f"{declaration.type.name or declaration.name} {declaration.fixed}"
    if known_as in tried:
        return tuple(dice.sample(every, 2))
    tried.add(known_as)
    return every


def _enumerated(found: Type) -> tuple[str, ...]:
    members = getattr(found, "member_types", None) or (found,)
    return tuple(str(value) for member in members for value in getattr(member, "enumeration", None) or ())


def _at(root: Element, index: int) -> Element:
    for place, one in enumerate(root.iter(etree.Element)):
        if place == index:
            return one
    raise IndexError(index)


# -- what can be done to an element; False where it cannot be done to this one -------------


def _drop(one: Element, _: Declaration, __: random.Random) -> bool:
    parent = one.getparent()
    if parent is None:
        return False
    parent.remove(one)
    return True


def _repeat(one: Element, _: Declaration, __: random.Random) -> bool:
    if one.getparent() is None:
        return False
    twin = copy.deepcopy(one)
    for found in twin.iter(etree.Element):
        for name in [name for name in found.attrib if str(name).rpartition("}")[2] in {"Id", "id"}]:
            del found.attrib[name]  # an ID twice is another mutation
    one.addnext(twin)
    return True


def _swap(one: Element, _: Declaration, __: random.Random) -> bool:
    after = one.getnext()
    if after is None or after.tag == one.tag:
        return False
    after.addnext(one)
    return True


def _move(one: Element, _: Declaration, dice: random.Random) -> bool:
    parent = one.getparent()
    if parent is None or len(parent) < 3:
        return False
    place = dice.randrange(len(parent))
    if parent.index(one) == place:
        return False
    parent.remove(one)
    parent.insert(place, one)
    return True


def _climb(one: Element, _: Declaration, __: random.Random) -> bool:
    """Out of its parent, to stand beside it."""
    parent = one.getparent()
    if parent is None or parent.getparent() is None:
        return False
    parent.addnext(one)
    return True


def _hollow(one: Element, _: Declaration, __: random.Random) -> bool:
    if not len(one) and not one.text:
        return False
    one.text = None
    for inner in list(one):
        one.remove(inner)
    return True


def _nest(one: Element, _: Declaration, __: random.Random) -> bool:
    """Into itself."""
    inner = copy.deepcopy(one)
    inner.attrib.clear()
    one.append(inner)
    return True


def _respell(one: Element, _: Declaration, __: random.Random) -> bool:
    namespace, local = one.tag[1:].split("}")
    one.tag = f"{{{namespace}}}{local[0].swapcase()}{local[1:]}"
    return True


def _leave_namespace(one: Element, _: Declaration, __: random.Random) -> bool:
    one.tag = one.tag.rpartition("}")[2]
    return True


def _change_namespace(one: Element, declaration: Declaration, __: random.Random) -> bool:
    other = EI if declaration.target_namespace != EI else STRANGER
    one.tag = f"{{{other}}}{one.tag.rpartition('}')[2]}"
    return True


def _rename(one: Element, _: Declaration, dice: random.Random) -> bool:
    tags = sorted({each.tag for each in one.getroottree().iter(etree.Element)} - {one.tag})
    if not tags:
        return False
    one.tag = dice.choice(tags)
    return True


def _substitute(one: Element, declaration: Declaration, dice: random.Random) -> bool:
    """Another of its substitution group, what is in it as it was."""
    head = declaration.substitution_group
    if head is None:
        return False
    others = [each for each in stands_for(declaration.maps.elements[head]) if each is not declaration]
    one.tag = dice.choice(others).name
    return True


def _stand_in(one: Element, declaration: Declaration, _: random.Random) -> bool:
    """The head of its substitution group, which says that it has this one's type."""
    if declaration.substitution_group is None or declaration.type.name is None:
        return False
    one.tag = declaration.substitution_group
    _say_type(one, declaration.type)
    return True


def _take_in_a_stranger(one: Element, _: Declaration, dice: random.Random) -> bool:
    one.insert(dice.randint(0, len(one)), etree.Element(f"{{{STRANGER}}}thing"))
    return True


def _take_in_a_relative(one: Element, _: Declaration, dice: random.Random) -> bool:
    """An element that is known, in a place that it does not have."""
    others = [each for each in one.getroottree().iter(etree.Element) if not len(each) and each is not one]
    if not others:
        return False
    one.insert(dice.randint(0, len(one)), copy.deepcopy(dice.choice(others)))
    return True


def _talk(one: Element, _: Declaration, __: random.Random) -> bool:
    """Words between elements."""
    if not len(one):
        return False
    one[-1].tail = "words"
    return True


def _comment(one: Element, _: Declaration, __: random.Random) -> bool:
    one.insert(0, etree.Comment("words"))
    return True


def _decorate(one: Element, _: Declaration, dice: random.Random) -> bool:
    """An attribute that nobody asked for."""
    one.set(dice.choice(("schemaVersion", "Id", "id", f"{{{STRANGER}}}mark", f"{{{EI}}}venID")), "2.0b")
    return True


def _version(one: Element, _: Declaration, dice: random.Random) -> bool:
    one.set(f"{{{EI}}}schemaVersion", dice.choice(("2.0a", "2.0b", " 2.0b", "2.0B", "2.1", "", "x-2.1", "x-")))
    return True


def _undress(one: Element, _: Declaration, __: random.Random) -> bool:
    if not one.attrib:
        return False
    one.attrib.clear()
    return True


def _identify(one: Element, declaration: Declaration, dice: random.Random) -> bool:
    """IDs are names, and each stands once."""
    names = [name for name in declaration.attributes if str(name).rpartition("}")[2] in {"Id", "id"}]
    if not names:
        return False
    one.set(names[0], dice.choice(("a", "1a", "a b", "", "é", "a:b", " a ")))
    return True


def _retype(one: Element, declaration: Declaration, dice: random.Random) -> bool:
    """Say that it has another type: one that is derived from its own, its own, or just any."""
    # XSD's own types, and those of 2.0b.
    named = [each for each in declaration.maps.types.values() if each.target_namespace not in FOREIGN[1:]]
    derived = [each for each in named if each.is_derived(declaration.type)]
    _say_type(one, dice.choice(sorted(dice.choice((derived or named, named)), key=lambda each: str(each.name))))
    return True


def _say_type(one: Element, found: Type) -> None:
    one.set(f"{{{XSI}}}type", etree.QName(str(found.name)))  # type: ignore[arg-type]  # the stubs know no QName here


def _say_language(one: Element, _: Declaration, __: random.Random) -> bool:
    one.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    return True


def _deny(one: Element, _: Declaration, dice: random.Random) -> bool:
    one.set(f"{{{XSI}}}nil", dice.choice(("true", "false")))
    return True


def _locate(one: Element, _: Declaration, __: random.Random) -> bool:
    """R45 forbids it; the schema cannot say so."""
    one.set(f"{{{XSI}}}noNamespaceSchemaLocation", "nowhere.xsd")
    return True


MUTATIONS: dict[str, Callable[[Element, Declaration, random.Random], bool]] = {
    "drop": _drop,
    "repeat": _repeat,
    "swap": _swap,
    "move": _move,
    "climb": _climb,
    "hollow": _hollow,
    "nest": _nest,
    "respell": _respell,
    "leave namespace": _leave_namespace,
    "change namespace": _change_namespace,
    "rename": _rename,
    "substitute": _substitute,
    "stand in": _stand_in,
    "take in a stranger": _take_in_a_stranger,
    "take in a relative": _take_in_a_relative,
    "talk": _talk,
    "comment": _comment,
    "decorate": _decorate,
    "version": _version,
    "undress": _undress,
    "identify": _identify,
    "retype": _retype,
    "say language": _say_language,
    "deny": _deny,
    "locate": _locate,
}
