"""Our schemas say yes and no to the same documents as the official ones.

The official files come with the published ``openleadr`` package and are read there. Documents: our own vectors, the
reference samples where they lie beside the checkout, documents that hold everything, and mutants of these.
"""

import copy
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import Element, parse
from openadr_core.xml.validate import Schema
from tests.core.oadr2 import official
from tests.core.oadr2.mutants import TEXT, Maker, mutants
from tests.core.oadr2.official import ATOM, DSIG, PAYLOAD, SIGNED_OBJECT, Declaration

ROOT = Path(__file__).resolve().parents[3]
VECTORS = sorted((ROOT / "tests/vectors/oadr2").glob("*.xml"))
SAMPLES = sorted((ROOT.parent / "shared/reference/openadr20b/samples").glob("*/*.xml"))
PAYLOADS = sorted(official.payloads(), key=lambda payload: (len(official.reachable(payload)), payload.name))
"""The smallest first: what it holds is tried in it, where that is cheap."""
MUTANTS_EACH = 23
"""Of each element, at least: over 5,000 of the whole profile."""
SEED = 20
PROPERTIES = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"
REPLAY_PROTECT = f"""<dsp:ReplayProtect xmlns:dsp="{PROPERTIES}">
<dsp:timestamp>2026-07-15T18:30:00Z</dsp:timestamp><dsp:nonce EncodingType="urn:e">QUJD</dsp:nonce>
</dsp:ReplayProtect>"""
SIGNATURE = f"""<ds:Signature xmlns:ds="{DSIG}" Id="a"><ds:SignedInfo Id="b">
<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<ds:Reference URI="#o" Id="c" Type="urn:type"><ds:Transforms><ds:Transform Algorithm="urn:t"/></ds:Transforms>
<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>QUJD</ds:DigestValue>
</ds:Reference></ds:SignedInfo><ds:SignatureValue Id="d">QUJD</ds:SignatureValue>
<ds:KeyInfo Id="e"><ds:X509Data><ds:X509Certificate>QUJD</ds:X509Certificate><ds:X509SKI>QUJD</ds:X509SKI>
<ds:X509IssuerSerial><ds:X509IssuerName>CN=a</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber>
</ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo>
<ds:Object Id="f" MimeType="text/xml" Encoding="urn:e"><ds:SignatureProperties Id="g">
<ds:SignatureProperty Target="#o" Id="h">{REPLAY_PROTECT}</ds:SignatureProperty>
</ds:SignatureProperties></ds:Object></ds:Signature>"""


@dataclass(slots=True, kw_only=True)
class Verdicts:
    """What the official schema said, counted, while ours said the same."""

    ours: Schema = field(default_factory=load_schema)
    theirs: Schema = field(default_factory=official.verdicts)
    counts: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def is_agreed(self, kind: str, root: Element) -> bool:
        expected = self.theirs.is_valid(root)
        self.counts[kind, expected] += 1
        return self.ours.is_valid(root) is expected

    def of(self, kind: str) -> set[bool]:
        return {verdict for one, verdict in self.counts if one == kind}


@pytest.mark.openadr20b("E1", "T8")
@pytest.mark.parametrize("path", VECTORS + SAMPLES, ids=lambda path: path.name)
def test_the_verdict_on_a_document_is_the_official_one(path: Path) -> None:
    root = parse(path.read_bytes())
    expected = official.verdicts().is_valid(root)
    assert load_schema().is_valid(root) is expected
    # Only 2.0a, with its bare roots, is not 2.0b.
    assert expected is (path.parent.name != "a_profile")


def test_every_payload_has_a_vector() -> None:
    kinds = {parse(path.read_bytes())[-1][0].tag for path in VECTORS}
    assert kinds == {payload.name for payload in PAYLOADS}
    assert len(kinds) == 23


@pytest.mark.openadr20b("E1", "T8")
@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.local_name)
def test_the_verdict_on_mutants_of_a_payload_is_the_official_one(payload: Declaration) -> None:
    """Every element that the payload is the first to hold, in every way that an element can be wrong; others in one."""
    dice, verdicts = random.Random(SEED), Verdicts()
    maker = Maker(dice)
    left = set(first_held()[payload.local_name])
    while left or not verdicts.counts:
        # One of each substitution group stands in a document, so there are more of them, until all have stood.
        document = maker.document(official.element(PAYLOAD), payload)
        assert verdicts.is_agreed("whole", document)
        found = set(official.known(document).values()) & left
        assert found or not left
        for mutant in mutants(document, dice, of=found):
            assert verdicts.is_agreed(mutant.kind, mutant.root), mutant
        left -= found
    assert verdicts.of("whole") == {True}
    assert verdicts.counts.total() >= MUTANTS_EACH * len(first_held()[payload.local_name])


@pytest.mark.openadr20b("E1", "T8")
def test_the_verdict_on_what_stands_in_no_payload_is_the_official_one() -> None:
    """A schema takes each of its elements for a root: those that nothing refers to, and the abstract ones too."""
    dice, verdicts = random.Random(SEED), Verdicts()
    for part in parts():
        document = Maker(dice).document(part)
        assert verdicts.is_agreed("whole", document)
        for mutant in mutants(document, dice, of=official.reachable(part)):
            assert verdicts.is_agreed(mutant.kind, mutant.root), mutant
    for part in abstract():
        assert verdicts.is_agreed("abstract", etree.Element(part.name))
    assert verdicts.of("whole") == {True}
    assert verdicts.of("abstract") == {False}
    # A mutation that never breaks anything would prove little, and so would one that always does.
    assert verdicts.of(TEXT) == verdicts.of("drop") == verdicts.of("retype") == {True, False}
    assert verdicts.of("respell") == {False}


def test_the_mutants_are_of_every_element_and_type_of_the_profile() -> None:
    touched = official.reachable(official.element(PAYLOAD)).union(parts())
    assert sum(map(len, first_held().values())) * MUTANTS_EACH > 5_000
    # What is abstract is stood in for, by each element and each type that may stand for it.
    left = set(official.global_elements()) - touched
    assert left == set(abstract())
    assert all(set(official.stands_for(head)) & touched for head in left if head.local_name != "streamBase")
    assert official.named_types() <= set[str]().union(*map(official.types_of, touched | left))


@pytest.mark.openadr20b("R514", "T8")
def test_a_signature_is_refused_for_no_more_than_the_official_schema_refuses() -> None:
    document = document_of("oadrPoll")
    document.insert(0, etree.fromstring(SIGNATURE))
    refuses_no_more(document, DSIG)


@pytest.mark.openadr20b("R331", "T8")
def test_a_feed_of_green_button_is_refused_for_no_more_than_the_official_schema_refuses() -> None:
    document = document_of("oadrUpdateReport")
    feed = next(document.iter(f"{{{ATOM}}}feed"))
    entry = etree.Element(f"{{{ATOM}}}entry")
    entry.extend(copy.deepcopy(list(feed)[:3]))
    feed.append(entry)
    refuses_no_more(document, ATOM)


def refuses_no_more(document: Element, namespace: str) -> None:
    """Other standards' parts: which stand where, and how often, is judged alike; of what is in them we judge less."""
    verdicts, differing = Verdicts(), set[str]()
    assert verdicts.is_agreed("whole", document)
    of = {each for each in official.known(document).values() if each.target_namespace == namespace}
    for mutant in mutants(document, random.Random(SEED), of=of):
        if not verdicts.is_agreed(mutant.kind, mutant.root):
            assert verdicts.ours.is_valid(mutant.root), mutant
            differing.add(mutant.kind)
    assert verdicts.of("whole") == {True}
    assert verdicts.counts.total() > 500
    assert not differing & {"drop", "repeat", "swap", "move", "talk", "undress", "identify"}


@pytest.mark.openadr20b("R514", "S8")
@pytest.mark.parametrize(
    ("before", "after", "is_right"),
    [
        ("", "", True),
        ("2026-07-15T18:30:00Z", "2026-07-15T18:30:00.123456+02:00", True),
        (' EncodingType="urn:e"', "", True),
        ("QUJD", "", True),
        ("2026-07-15T18:30:00Z", "yesterday", False),
        ("2026-07-15T18:30:00Z", "", False),
        ("<dsp:nonce", "<dsp:nonce/><dsp:nonce", False),
        ("<dsp:timestamp>2026-07-15T18:30:00Z</dsp:timestamp>", "", False),
        ('<dsp:nonce EncodingType="urn:e">QUJD</dsp:nonce>', "", False),
        ("</dsp:ReplayProtect>", "<dsp:timestamp>2026-07-15T18:30:00Z</dsp:timestamp></dsp:ReplayProtect>", False),
        (" EncodingType", " Type", False),
        (PROPERTIES, f"{PROPERTIES}/2", False),
    ],
)
def test_replay_protect_is_judged_by_its_own_official_schema(before: str, after: str, is_right: bool) -> None:
    """The official payload schema does not import it; ours does, so that a verifier may count on what is in it."""
    changed = REPLAY_PROTECT.replace(before, after)
    root = etree.fromstring(changed)
    assert official.verdicts("oadr_xmldsig-properties-schema.xsd").is_valid(root) is is_right
    assert load_schema("schemas/openadr20b/replay_protect.xsd").is_valid(root) is is_right
    document = document_of("oadrPoll")
    document.insert(0, etree.fromstring(SIGNATURE.replace(REPLAY_PROTECT, changed)))
    # What is of another namespace is another thing than ReplayProtect: whether there is one, the verifier says.
    assert load_schema().is_valid(document) is (is_right or after.startswith(PROPERTIES))


@cache
def first_held() -> dict[str, set[Declaration]]:
    """By payload, in their order: the elements that none before it holds; the envelope's are the first one's."""
    found: dict[str, set[Declaration]] = {}
    left = official.reachable(official.element(PAYLOAD))
    envelope = {official.element(PAYLOAD), official.element(SIGNED_OBJECT)}
    for payload in PAYLOADS:
        found[payload.local_name] = left & (official.reachable(payload) | envelope)
        left -= found[payload.local_name]
    assert not left
    return found


def document_of(payload: str) -> Element:
    (found,) = (each for each in PAYLOADS if each.local_name == payload)
    return Maker(random.Random(SEED)).document(official.element(PAYLOAD), found)


def parts() -> list[Declaration]:
    """The elements that no payload holds."""
    held = official.reachable(official.element(PAYLOAD))
    return [each for each in official.global_elements() if each not in held and each not in abstract()]


def abstract() -> list[Declaration]:
    return [each for each in official.global_elements() if each.abstract or each.type.abstract]
