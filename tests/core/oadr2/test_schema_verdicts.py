"""Our schemas say yes and no to the same documents as the official ones.

The official files come with the published ``openleadr`` package and are read there. Documents:
our own vectors, the reference samples where they lie beside the checkout, and mutants of both.
"""

import copy
import random
from collections import Counter
from pathlib import Path

import openleadr
import pytest
from lxml import etree

from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import Element, parse
from openadr_core.xml.validate import Schema

ROOT = Path(__file__).resolve().parents[3]
VECTORS = sorted((ROOT / "tests/vectors/oadr2").glob("*.xml"))
SAMPLES = sorted((ROOT.parent / "shared/reference/openadr20b/samples").glob("*/*.xml"))
OFFICIAL = Schema(etree.XMLSchema(file=str(Path(openleadr.__file__).parent / "schema" / "oadr_20b.xsd")))
MUTANTS = 2_000
# What is inside these belongs to other standards; our schemas say only where they may stand.
FOREIGN = ("{http://www.w3.org/2000/09/xmldsig#}Signature", "{http://www.w3.org/2005/Atom}feed")
MISTYPED = (
    "",
    "abc",
    "-1",
    "1.5",
    "2026-13-45T00:00:00Z",
    "P",
    "5W",
    "always",
    "999",
    "true",
    "x-foo",
    "NaN",
    "4294967296",
)


@pytest.mark.parametrize("path", VECTORS + SAMPLES, ids=lambda path: path.name)
def test_the_verdict_on_a_document_is_the_official_one(path: Path) -> None:
    root = parse(path.read_bytes())
    expected = OFFICIAL.is_valid(root)
    assert load_schema().is_valid(root) is expected
    # Only 2.0a, with its bare roots, is not 2.0b.
    assert expected is (path.parent.name != "a_profile")


def test_every_payload_has_a_vector() -> None:
    kinds = {parse(path.read_bytes())[-1][0].tag for path in VECTORS}
    assert len(kinds) == 23


def test_the_verdict_on_mutants_is_the_official_one() -> None:
    dice = random.Random(20)
    documents = [root for path in VECTORS + SAMPLES if OFFICIAL.is_valid(root := parse(path.read_bytes()))]
    verdicts: Counter[tuple[str, bool]] = Counter()
    made = 0
    while made < MUTANTS:
        mutant = copy.deepcopy(dice.choice(documents))
        kind = dice.choice(list(MUTATIONS))
        if not MUTATIONS[kind](mutant, dice):
            continue
        made += 1
        expected = OFFICIAL.is_valid(mutant)
        verdicts[kind, expected] += 1
        assert load_schema().is_valid(mutant) is expected, (kind, etree.tostring(mutant).decode())
    # A mutation that never breaks anything, or always does, would prove little.
    assert all(verdicts[kind, False] for kind in MUTATIONS)
    assert verdicts["mistype", True]
    assert verdicts["drop", True]


def _own(root: Element) -> list[Element]:
    """Elements that are ours to mutate."""
    found = [
        element
        for element in root.iter()
        if not any(ancestor.tag in FOREIGN for ancestor in (element, *element.iterancestors()))
    ]
    return found[1:]


def _drop(root: Element, dice: random.Random) -> bool:
    element = dice.choice(_own(root))
    _parent(element).remove(element)
    return True


def _repeat(root: Element, dice: random.Random) -> bool:
    element = dice.choice(_own(root))
    element.addnext(copy.deepcopy(element))
    return True


def _reorder(root: Element, dice: random.Random) -> bool:
    element = dice.choice(_own(root))
    parent = _parent(element)
    place = dice.randrange(len(parent))
    if parent.index(element) == place:
        return False
    parent.remove(element)
    parent.insert(place, element)
    return True


def _rename(root: Element, dice: random.Random) -> bool:
    own = _own(root)
    element, other = dice.choice(own), dice.choice(own)
    if element.tag == other.tag:
        return False
    element.tag = other.tag
    return True


def _mistype(root: Element, dice: random.Random) -> bool:
    leaves = [element for element in _own(root) if not len(element)]
    dice.choice(leaves).text = dice.choice((*MISTYPED, dice.choice(leaves).text or ""))
    return True


def _lengthen(root: Element, dice: random.Random) -> bool:
    leaf = dice.choice([element for element in _own(root) if not len(element)])
    leaf.text = (leaf.text or "x") * 50
    return True


def _parent(element: Element) -> Element:
    parent = element.getparent()
    assert parent is not None
    return parent


MUTATIONS = {
    "drop": _drop,
    "repeat": _repeat,
    "reorder": _reorder,
    "rename": _rename,
    "mistype": _mistype,
    "lengthen": _lengthen,
}
