"""T16: a signature moved, wrapped, doubled, weakened or redirected lets nothing in, whatever the canonicalisation.

Each attack takes a message that the party has really signed (a poll) and tries to have another one
acted on (the end of its registration), or to have something weaker than the rules taken for a
signature. The VTN must refuse, and the party's next message must work.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from openadr_core.errors import SignatureFault
from openadr_core.model.party import SignatureRule
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.xmldsig import verify
from openadr_core.xml.parse import parse
from tests.security.forger import (
    DS,
    EXCLUSIVE,
    INCLUSIVE,
    MORE,
    SHA1,
    Element,
    Identity,
    ds,
    dsp,
    oadr,
)
from tests.security.signing import SigningBench, SigningVen, code_of, everything

pytestmark = pytest.mark.openadr20b("R514", "S7", "S9")

CANONICALISATIONS: dict[str, dict[str, Any]] = {
    "inclusive": {"canonicalisation": INCLUSIVE},
    "exclusive": {"canonicalisation": EXCLUSIVE},
    "root namespaces": {
        "canonicalisation": INCLUSIVE,
        "root_namespaces": {"dsp": "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties", "dsig": DS, "x": "urn:x"},
    },
}


@dataclass
class Evil:
    """What an attacker who can change the message would rather have said."""

    ven_id: str
    registration_id: str
    made: list[Element] = field(default_factory=list)

    def object(self, identifier: str = "oadrSignedObject") -> Element:
        """A signed object of the attacker's: the end of the registration."""
        message = m.CancelPartyRegistration(request_id="evil", registration_id=self.registration_id, ven_id=self.ven_id)
        element = etree.fromstring(encode(message))[0]
        element.set(oadr("Id"), identifier)
        return element


Attack = Callable[[Element, Evil], None]


def signature_of(root: Element) -> Element:
    return root.find(ds("Signature"))  # type: ignore[return-value]


def object_of(root: Element) -> Element:
    return root.find(oadr("oadrSignedObject"))  # type: ignore[return-value]


def original_into_the_signature(root: Element, evil: Evil) -> None:
    good = object_of(root)
    root.replace(good, evil.object("evil"))
    signature_of(root).find(ds("Object")).append(good)  # type: ignore[union-attr]


def original_into_the_signature_under_the_same_id(root: Element, evil: Evil) -> None:
    good = object_of(root)
    root.replace(good, evil.object())
    signature_of(root).find(ds("Object")).append(good)  # type: ignore[union-attr]


def original_into_key_info(root: Element, evil: Evil) -> None:
    good = object_of(root)
    root.replace(good, evil.object())
    signature_of(root).find(ds("KeyInfo")).append(good)  # type: ignore[union-attr]


def original_into_a_second_object(root: Element, evil: Evil) -> None:
    good = object_of(root)
    root.replace(good, evil.object())
    etree.SubElement(signature_of(root), ds("Object")).append(good)


def original_before_the_signature(root: Element, evil: Evil) -> None:
    good = object_of(root)
    root.replace(good, evil.object())
    root.insert(0, good)


def original_after_the_forged_one(root: Element, evil: Evil) -> None:
    root.insert(1, evil.object())


def forged_one_after_the_original(root: Element, evil: Evil) -> None:
    root.append(evil.object())


def original_inside_the_forged_one(root: Element, evil: Evil) -> None:
    good = object_of(root)
    forged = evil.object("evil")
    root.replace(good, forged)
    forged.append(good)


def forged_one_inside_the_original(root: Element, evil: Evil) -> None:
    object_of(root).insert(0, evil.object()[0])


def signature_inside_the_forged_one(root: Element, evil: Evil) -> None:
    signature, good = signature_of(root), object_of(root)
    forged = evil.object("evil")
    forged.append(signature)
    root.replace(good, forged)
    signature.find(ds("Object")).append(good)  # type: ignore[union-attr]


def whole_original_inside_a_new_envelope(root: Element, evil: Evil) -> None:
    old = copy.deepcopy(root)
    object_of(root).getparent().replace(object_of(root), evil.object("evil"))  # type: ignore[union-attr]
    signature_of(root).find(ds("Object")).append(old)  # type: ignore[union-attr]


def payload_replaced_in_place(root: Element, evil: Evil) -> None:
    good = object_of(root)
    good.replace(good[0], evil.object()[0])


def object_without_its_id(root: Element, evil: Evil) -> None:
    forged = evil.object()
    del forged.attrib[oadr("Id")]
    root.replace(object_of(root), forged)


def second_signature_in_front(root: Element, evil: Evil) -> None:
    root.insert(0, copy.deepcopy(signature_of(root)))
    root.replace(object_of(root), evil.object())


def shadow_replay_protect_in_front(root: Element, _: Evil) -> None:
    real = next(root.iter(dsp("ReplayProtect")))
    shadow = copy.deepcopy(real)
    shadow[1].text = "another"
    real.addprevious(shadow)


def shadow_replay_protect_in_its_own_object(root: Element, _: Evil) -> None:
    shadow = copy.deepcopy(next(root.iter(ds("Object"))))
    next(shadow.iter(dsp("nonce"))).text = "another"
    shadow.attrib.clear()
    signature_of(root).insert(3, shadow)


def shadow_replay_protect_in_the_message(root: Element, _: Evil) -> None:
    shadow = copy.deepcopy(next(root.iter(dsp("ReplayProtect"))))
    shadow[1].text = "another"
    object_of(root).append(shadow)


def real_replay_protect_moved_out_of_what_is_signed(root: Element, _: Evil) -> None:
    """The digest is kept by putting the signed one elsewhere under the id that is referred to."""
    holder = next(root.iter(ds("Object")))
    kept = copy.deepcopy(holder)
    next(holder.iter(dsp("nonce"))).text = "another"
    holder.set("Id", "fresh")
    signature_of(root).find(ds("KeyInfo")).append(kept)  # type: ignore[union-attr]


def two_references_to_the_replay_protect(root: Element, evil: Evil) -> None:
    first, second = root.iter(ds("Reference"))
    first.getparent().replace(first, copy.deepcopy(second))  # type: ignore[union-attr]
    root.replace(object_of(root), evil.object())


def one_reference_alone(root: Element, evil: Evil) -> None:
    first, _ = root.iter(ds("Reference"))
    first.getparent().remove(first)  # type: ignore[union-attr]
    root.replace(object_of(root), evil.object())


def third_reference(root: Element, evil: Evil) -> None:
    first, _ = root.iter(ds("Reference"))
    first.addprevious(copy.deepcopy(first))
    root.replace(object_of(root), evil.object())


def no_signature_value(root: Element, evil: Evil) -> None:
    next(root.iter(ds("SignatureValue"))).text = ""
    root.replace(object_of(root), evil.object())


WRAPPINGS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        original_into_the_signature, original_into_the_signature_under_the_same_id, original_into_key_info,
        original_into_a_second_object, original_before_the_signature, original_after_the_forged_one,
        forged_one_after_the_original, original_inside_the_forged_one, forged_one_inside_the_original,
        signature_inside_the_forged_one, whole_original_inside_a_new_envelope, payload_replaced_in_place,
        object_without_its_id, second_signature_in_front, shadow_replay_protect_in_front,
        shadow_replay_protect_in_its_own_object, shadow_replay_protect_in_the_message,
        real_replay_protect_moved_out_of_what_is_signed, two_references_to_the_replay_protect, one_reference_alone,
        third_reference, no_signature_value,
    )
}  # fmt: skip


@pytest.fixture
async def victim(signing: SigningBench) -> SigningVen:
    signing.demand(SignatureRule.REQUIRE)
    ven = await signing.add_party()
    await signing.add_party("ven-two")
    return ven


async def refused(signing: SigningBench, ven: SigningVen, body: bytes, service: str = "EiRegisterParty") -> None:
    """Nothing was done, an answer of the protocol came, and the party's next message works."""
    before = await everything(signing.vtn)
    response = await ven.post(body, service)
    if response.status == 200:
        # 459 for a signature; never the answer to what was asked.
        assert code_of(signing.read_signed(response)) in {"459", "463"}
        assert signing.complaints()
    else:
        assert response.status == 406
    assert await everything(signing.vtn) == before
    assert code_of(await ven.say(m.Poll(ven_id=ven.party_id))) == "200"


async def registration_of(signing: SigningBench, ven: SigningVen) -> str:
    async with signing.vtn.store.view() as view:
        party = await view.parties.by_id(ven.party_id)
    assert party is not None
    assert party.registration is not None
    return party.registration.registration_id


@pytest.mark.parametrize("how", CANONICALISATIONS)
async def test_without_an_attack_the_same_message_is_taken(signing: SigningBench, victim: SigningVen, how: str) -> None:
    """Or all the refusals below would prove nothing."""
    for message, service in (
        (m.Poll(ven_id=victim.party_id), "OadrPoll"),
        (
            m.CancelPartyRegistration(
                request_id="q",
                registration_id=await registration_of(signing, victim),
                ven_id=victim.party_id,
            ),
            "EiRegisterParty",
        ),
    ):
        body = victim.forger(**CANONICALISATIONS[how]).sign(encode(message))
        assert code_of(signing.read_signed(await victim.post(body, service))) == "200"


@pytest.mark.parametrize("how", CANONICALISATIONS)
@pytest.mark.parametrize("name", WRAPPINGS)
async def test_no_wrapping_lets_another_message_in(
    signing: SigningBench, victim: SigningVen, name: str, how: str
) -> None:
    evil = Evil(ven_id=victim.party_id, registration_id=await registration_of(signing, victim))
    message = m.Poll(ven_id=victim.party_id)
    forger = victim.forger(**CANONICALISATIONS[how])
    body = forger.sign(encode(message), after=lambda root: WRAPPINGS[name](root, evil))
    assert body != forger.sign(encode(message))
    # Neither the verifier by itself nor the VTN, whose schema refuses some before it is asked.
    with pytest.raises(SignatureFault):
        verify(parse(body))
    await refused(signing, victim, body)


def transforms(*names: str, content: str = "") -> dict[str, Any]:
    return {"transforms": names, "transform_content": content}


STYLESHEET = (
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
    '<xsl:template match="/"/></xsl:stylesheet>'
)
WEAKNESSES: dict[str, dict[str, Any]] = {
    "hmac": {"method": f"{MORE}hmac-sha256"},
    "rsa-sha1": {"method": f"{DS}rsa-sha1"},
    "dsa-sha1": {"method": f"{DS}dsa-sha1"},
    "no algorithm": {"method": "none"},
    "rsa-sha512 by name": {"method": f"{MORE}rsa-sha512"},
    "sha1 digests": {"digest": SHA1},
    "digest without a name": {"digest": ""},
    "c14n 1.1": {"canonicalisation": "http://www.w3.org/2006/12/xml-c14n11"},
    "no canonicalisation": {"canonicalisation": ""},
    "a second transform": transforms(INCLUSIVE, INCLUSIVE),
    "enveloped-signature": transforms(f"{DS}enveloped-signature", INCLUSIVE),
    "base64": transforms(f"{DS}base64"),
    "xslt": transforms("http://www.w3.org/TR/1999/REC-xslt-19991116", content=STYLESHEET),
    "xpath": transforms("http://www.w3.org/TR/1999/REC-xpath-19991116", content="<ds:XPath>true()</ds:XPath>"),
    "xpath filter": transforms("http://www.w3.org/2002/06/xmldsig-filter2"),
    "parameters of a canonicalisation": transforms(
        EXCLUSIVE, content=f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="#default"/>'
    ),
    "empty uri": {"uris": {"object": ""}},
    "external uri": {"uris": {"object": "http://127.0.0.1:9/x.xml"}},
    "file uri": {"uris": {"object": "file:///etc/hostname"}},
    "xpointer": {"uris": {"object": "#xpointer(/)"}},
    "xpointer by id": {"uris": {"object": "#xpointer(id('oadrSignedObject'))"}},
    "fragment of another document": {"uris": {"object": "x.xml#oadrSignedObject"}},
    "empty fragment": {"uris": {"object": "#"}},
    "no certificate": {"key_info": "<ds:KeyName>x</ds:KeyName>"},
    "key value alone": {"key_info": "<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>"},
    "certificate that is none": {
        "key_info": "<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data>"
    },
    "certificate that is no base64": {
        "key_info": "<ds:X509Data><ds:X509Certificate>&#233;</ds:X509Certificate></ds:X509Data>"
    },
    "no nonce": {"nonce": ""},
    "endless nonce": {"nonce": "n" * 257},
}


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
@pytest.mark.parametrize("name", WEAKNESSES)
async def test_nothing_weaker_or_wider_than_the_rules_is_a_signature(
    signing: SigningBench, name: str, kind: str
) -> None:
    signing.demand(SignatureRule.REQUIRE)
    ven = await signing.add_party(kind=kind)
    message = m.CancelPartyRegistration(
        request_id="q",
        registration_id=await registration_of(signing, ven),
        ven_id=ven.party_id,
    )
    body = ven.forger(**WEAKNESSES[name]).sign(encode(message))
    with pytest.raises(SignatureFault):
        verify(parse(body))
    await refused(signing, ven, body)


async def test_a_certificate_that_is_too_long_to_keep_is_not_read(signing: SigningBench, victim: SigningVen) -> None:
    """Valid, of the right key, and 100 kB long: a thousand of them would fill the memory."""
    key = victim.own.identity.key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    long = (
        x509.CertificateBuilder(
            subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=1,
            not_valid_before=signing.vtn.now, not_valid_after=signing.vtn.now.replace(year=2100),
        )
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"x" * 100_000), critical=False)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )  # fmt: skip
    identity = Identity(key=key, certificate_der=long)
    body = victim.forger(identity=identity).sign(encode(m.Poll(ven_id=victim.party_id)))
    await refused(signing, victim, body, "OadrPoll")


async def test_an_ecdsa_signature_is_two_numbers_and_no_der(signing: SigningBench, victim: SigningVen) -> None:
    await refused(signing, victim, victim.forger(der_signature=True).sign(encode(m.Poll(ven_id=victim.party_id))))


DOCTYPES = {
    "an attribute declared an id": "<!DOCTYPE x [<!ATTLIST oadr:oadrPoll xml:id ID #IMPLIED>]>",
    "an id of every element": "<!DOCTYPE x [<!ATTLIST ds:Object Id ID #IMPLIED>]>",
    "a default attribute": "<!DOCTYPE x [<!ATTLIST oadr:oadrSignedObject oadr:Id CDATA 'other'>]>",
    "an entity in place of the id": "<!DOCTYPE x [<!ENTITY id 'oadrSignedObject'>]>",
    "a dtd of somebody else's": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
}


@pytest.mark.parametrize("name", DOCTYPES)
async def test_no_dtd_can_say_what_an_id_is(signing: SigningBench, victim: SigningVen, name: str) -> None:
    body = victim.signed(m.Poll(ven_id=victim.party_id))
    head, rest = body.split(b"?>", 1)
    await refused(signing, victim, head + b"?>" + DOCTYPES[name].encode() + rest, "OadrPoll")


async def test_a_namespace_without_a_canonical_form_is_refused(signing: SigningBench, victim: SigningVen) -> None:
    """libxml2 gives up on a namespace that is no absolute URI."""
    body = victim.signed(m.Poll(ven_id=victim.party_id))
    body = body.replace(b"<oadr:oadrSignedObject ", b'<oadr:oadrSignedObject xmlns:rel="relative" ')
    await refused(signing, victim, body, "OadrPoll")


async def test_what_is_large_is_refused_before_it_is_canonicalised(signing: SigningBench, victim: SigningVen) -> None:
    body = victim.signed(m.Poll(ven_id=victim.party_id))
    many = b"".join(b' xmlns:p%d="urn:p"' % number for number in range(2_000))
    for hostile in (
        body.replace(b"<ds:KeyInfo>", b"<ds:KeyInfo" + many + b">"),
        body.replace(b"<ds:KeyInfo>", b"<ds:KeyInfo>" + b"<ds:KeyName>x</ds:KeyName>" * 20_000),
        body.replace(b"<ds:KeyInfo>", b"<ds:KeyInfo>" + b"<ds:KeyName>" * 300 + b"</ds:KeyName>" * 300),
        body.replace(b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>" + b"x" * 300_000 + b"</ds:KeyName>"),
    ):
        assert (await victim.post(hostile)).status in {406, 413}
    assert code_of(await victim.say(m.Poll(ven_id=victim.party_id))) == "200"


async def test_another_certificate_beside_the_partys_own_does_not_sign_for_it(
    signing: SigningBench, victim: SigningVen
) -> None:
    """Whichever comes first is the signer, and it must be the party; the other one's key signed."""
    other = await signing.add_party("ven-three")
    both = [f"<ds:X509Certificate>{one.own.signer.certificate_text}</ds:X509Certificate>" for one in (victim, other)]
    message = m.Poll(ven_id=victim.party_id)
    for order in (both, both[::-1]):
        key_info = f"<ds:X509Data>{''.join(order)}</ds:X509Data>"
        body = victim.forger(identity=other.own.identity, key_info=key_info).sign(encode(message))
        await refused(signing, victim, body, "OadrPoll")
