"""Signatures of 2.0b (10.6): ours satisfies a stranger's verifier and ours, strangers' satisfy ours, changes none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openleadr.messaging
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from openadr_core.errors import CertificateRejected, LocalProtocolError, SignatureFault
from openadr_core.oadr2 import messages as m
from openadr_core.oadr2.decode import LARGE, envelope_of, read
from openadr_core.oadr2.encode import encode
from openadr_core.oadr2.xmldsig import Signer, is_signed, prepare, signed, signer_of, verify
from openadr_core.pki import Issued, make_authority, parse_profile
from openadr_core.pki import issue as issue_leaf
from openadr_core.pki.builders import PrivateKey
from openadr_core.shell.datafiles import load_schema
from openadr_core.xml.parse import Element, parse
from tests.core.oadr2.wire_strategies import PAYLOADS, of
from tests.security.forger import EXCLUSIVE, INCLUSIVE, Forger, Identity, dsp, oadr

pytestmark = pytest.mark.openadr20b("R514", "S7")

NOW = datetime(2026, 7, 15, 18, 30, 0, 123456, tzinfo=UTC)
POLL = m.Poll(ven_id="VEN_1")
PROFILES = Path(__file__).resolve().parents[3] / "certs" / "profiles"


@dataclass(frozen=True)
class Party:
    issued: Issued
    signer: Signer
    identity: Identity


def profile(name: str) -> Any:
    return parse_profile(name, (PROFILES / f"{name}.toml").read_text())


@pytest.fixture(scope="session")
def parties() -> dict[str, Party]:
    made = {}
    for kind in ("rsa", "ecc"):
        root = make_authority("root", profile(f"openadr-{kind}-root"), NOW)
        authority = make_authority("ca", profile(f"openadr-{kind}-ca"), NOW, root)
        issued = issue_leaf(profile(f"openadr-{kind}-ven"), "ven", authority, NOW)
        signer = signer_of(issued.chain_pem, issued.key_pem)
        made[kind] = Party(issued, signer, Identity.of(issued.chain_pem, issued.key_pem))
    return made


@pytest.fixture(params=["rsa", "ecc"])
def party(request: pytest.FixtureRequest, parties: dict[str, Party]) -> Party:
    return parties[request.param]


def sealed(message: m.Message, party: Party, *, nonce: str = "n1") -> bytes:
    return signed(prepare(encode(message)), party.signer, sent_at=NOW, nonce=nonce)


def opened(body: bytes) -> Element:
    return envelope_of(body, load_schema(), limits=LARGE)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.__name__)
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_message_is_signed_verified_and_read_in_what_was_verified(
    parties: dict[str, Party], payload: type, data: st.DataObject
) -> None:
    message = data.draw(of(payload))
    party = parties["ecc"]
    envelope = opened(sealed(message, party, nonce="1234"))
    found = verify(envelope)
    assert read(found.signed_object) == message
    assert found.signed_object is envelope[-1]
    assert (found.replay_protect.sent_at, found.replay_protect.nonce) == (NOW, "1234")
    assert found.holder.certificate_sha256 == party.signer.certificate_sha256 == party.issued.peer.certificate_sha256


def test_what_others_wrote_and_we_carry_is_signed_as_it_stands(party: Party) -> None:
    """Its writing need not be canonical: it is made so, to be signed."""
    for strange in (b"<x xmlns='urn:x' b='2' a=\"1\"/>", b"a&#13;b", b"<![CDATA[<&]]>", b"<?x y?>", b"<!-- c -->"):
        body = encode(POLL).replace(b"VEN_1", strange)
        root = parse(signed(prepare(body), party.signer, sent_at=NOW, nonce="n"))
        assert verify(root)
        assert etree.tostring(root[1], method="c14n") == etree.tostring(parse(body)[0], method="c14n")


def test_somebody_elses_verifier_takes_ours(party: Party) -> None:
    expected = SignatureConfiguration(location="./", expect_references=2)
    found = XMLVerifier().verify(
        sealed(POLL, party), x509_cert=party.issued.certificate_pem.decode(), expect_config=expected
    )  # fmt: skip
    assert {result.signed_xml.tag.rpartition("}")[2] for result in found} == {"oadrSignedObject", "Object"}  # type: ignore[union-attr]


def test_the_official_schema_takes_ours(party: Party) -> None:
    schema = etree.XMLSchema(file=str(Path(openleadr.__file__).parent / "schema" / "oadr_20b.xsd"))
    schema.assertValid(parse(sealed(POLL, party)))


def test_what_openleadr_signs_is_taken(party: Party) -> None:
    body = openleadr.messaging.create_message(
        "oadrPoll", cert=party.issued.certificate_pem, key=party.issued.key_pem, ven_id="VEN_1"
    )
    found = verify(opened(body.encode()))
    assert read(found.signed_object) == POLL
    assert found.holder.certificate_sha256 == party.signer.certificate_sha256


@pytest.mark.parametrize("algorithm", [INCLUSIVE, f"{INCLUSIVE}#WithComments", EXCLUSIVE, f"{EXCLUSIVE}WithComments"])
@pytest.mark.parametrize("transforms", [None, ()], ids=["one transform", "no transform"])
@pytest.mark.parametrize("namespaces", [{}, {"foo": "urn:foo", "a": "urn:a"}], ids=["", "more namespaces"])
def test_each_canonicalisation_of_the_rule_is_read(
    party: Party, algorithm: str, transforms: tuple[()] | None, namespaces: dict[str, str]
) -> None:
    forger = Forger(
        identity=party.identity, sent_at=NOW, canonicalisation=algorithm, transforms=transforms,
        root_namespaces=namespaces,
    )  # fmt: skip
    assert read(verify(opened(forger.sign(encode(POLL)))).signed_object) == POLL


@pytest.mark.parametrize("place", ["Object", "SignatureProperties", "SignatureProperty"])
def test_whatever_holds_the_replay_protect_may_be_what_is_referred_to(party: Party, place: str) -> None:
    """Interpretation of 10.6.4."""
    forger = Forger(identity=party.identity, sent_at=NOW, replay_id_on=place)
    assert verify(opened(forger.sign(encode(POLL)))).replay_protect.nonce == "nonce-1"


def test_more_in_key_info_is_not_read(party: Party, parties: dict[str, Party]) -> None:
    own, other = (
        f"<ds:X509Certificate>{one.signer.certificate_text}</ds:X509Certificate>" for one in (party, parties["rsa"])
    )
    name = "<ds:X509SubjectName>CN=x</ds:X509SubjectName>"
    more = f"<ds:KeyName>x</ds:KeyName><ds:X509Data>{name}{own}{other}</ds:X509Data>"
    forger = Forger(identity=party.identity, sent_at=NOW, key_info=more)
    assert verify(opened(forger.sign(encode(POLL)))).holder.certificate_sha256 == party.signer.certificate_sha256


def test_a_comment_is_neither_signed_nor_read(party: Party) -> None:
    body = sealed(POLL, party).replace(b"VEN_1<", b"VEN<!-- nobody reads this -->_1<")
    assert read(verify(opened(body)).signed_object) == POLL


Change = Callable[[Element], None]


def text_at(tag: str, text: str) -> Change:
    def change(root: Element) -> None:
        next(root.iter(tag)).text = text

    return change


def attribute_at(tag: str, name: str, value: str) -> Change:
    def change(root: Element) -> None:
        next(root.iter(tag)).set(name, value)

    return change


EI = "{http://docs.oasis-open.org/ns/energyinterop/201110}"
CHANGES = {
    "another venID": text_at(f"{EI}venID", "VEN_2"),
    "another nonce": text_at(dsp("nonce"), "another"),
    "another time": text_at(dsp("timestamp"), "2026-07-15T18:30:01Z"),
    "another version": attribute_at(oadr("oadrPoll"), f"{EI}schemaVersion", "2.0a"),
    "white space in the signed object": text_at(oadr("oadrSignedObject"), "\n"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_anything_that_is_signed_is_seen(party: Party, name: str) -> None:
    root = parse(sealed(POLL, party))
    assert verify(root)
    CHANGES[name](root)
    with pytest.raises(SignatureFault):
        verify(root)


def test_an_unsigned_message_is_no_signed_one(party: Party) -> None:
    assert not is_signed(opened(encode(POLL)))
    assert is_signed(opened(sealed(POLL, party)))
    with pytest.raises(SignatureFault):
        verify(opened(encode(POLL)))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505  # to be refused
    ],
    ids=["p384", "rsa-1024"],
)  # fmt: skip
def test_a_key_that_the_rules_do_not_want_cannot_sign(parties: dict[str, Party], key: PrivateKey) -> None:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CertificateRejected, match="RSA of 2048 bits"):
        signer_of(parties["ecc"].issued.chain_pem, text)


def test_what_is_no_key_or_no_certificate_cannot_sign(parties: dict[str, Party]) -> None:
    issued = parties["ecc"].issued
    with pytest.raises(CertificateRejected):
        signer_of(issued.chain_pem, b"no key")
    with pytest.raises(CertificateRejected):
        signer_of(b"no certificate", issued.key_pem)


def test_only_what_we_wrote_ourselves_and_did_not_sign_is_signed(party: Party) -> None:
    with pytest.raises(LocalProtocolError):
        prepare(sealed(POLL, party))
    with pytest.raises(LocalProtocolError):
        prepare(b"<x/>")


def test_the_same_message_twice_is_two_signatures(party: Party) -> None:
    prepared = prepare(encode(POLL))
    first = signed(prepared, party.signer, sent_at=NOW, nonce="1")
    second = signed(prepared, party.signer, sent_at=NOW + timedelta(seconds=1), nonce="2")
    nonces = [verify(parse(body)).replay_protect.nonce for body in (first, second)]
    assert nonces == ["1", "2"]
    before, after = prepared.body[: prepared.at], prepared.body[prepared.at :]
    assert all(body.startswith(before) and body.endswith(after) for body in (first, second))
