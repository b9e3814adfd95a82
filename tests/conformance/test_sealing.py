"""What the harness signs is what it should be: a trick that nobody could fall for would prove nothing."""

from pathlib import Path

import pytest
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from conformance.client.sealing import Sealing
from conformance.client.steps import Seal
from conformance.openadr20b import envelope, payload_name
from conformance.schema import schema_fault
from conformance.vtn.foreign import foreign_chain
from openadr_core.errors import ConfigError, SignatureFault
from openadr_core.oadr2.xmldsig import verify
from openadr_core.xml.parse import parse

POLL = envelope('<oadr:oadrPoll ei:schemaVersion="2.0b"><ei:venID>ven-1</ei:venID></oadr:oadrPoll>').encode()


@pytest.fixture
def sealing(tmp_path: Path) -> Sealing:
    return Sealing(foreign_chain(tmp_path / "own"), another=foreign_chain(tmp_path / "another"))


@pytest.mark.parametrize("seal", [seal for seal in Seal if seal is not Seal.AGAIN])
def test_whatever_is_signed_is_a_valid_message(sealing: Sealing, seal: Seal) -> None:
    root = parse(sealing.sealed(POLL, seal))
    assert schema_fault(root) == ""
    assert payload_name(root) == "oadrPoll"


def test_again_is_what_the_procedure_signed_last(sealing: Sealing) -> None:
    with pytest.raises(ConfigError, match="nothing was signed well before"):
        sealing.sealed(POLL, Seal.AGAIN)
    first = sealing.sealed(POLL, Seal.GOOD)
    sealing.ordinary(POLL)
    assert sealing.sealed(POLL, Seal.AGAIN) == first


def test_a_verifier_that_searches_takes_what_is_wrapped(sealing: Sealing, tmp_path: Path) -> None:
    """The harmless message is signed well, so whoever verifies that and reads the other has been tricked."""
    wrapped = sealing.sealed(POLL, Seal.WRAPPED)
    certificate = (tmp_path / "own" / "foreign.pem").read_text().partition("-----END CERTIFICATE-----")
    found = XMLVerifier().verify(
        etree.fromstring(wrapped),
        x509_cert="".join(certificate[:2]),
        expect_config=SignatureConfiguration(expect_references=2),
    )
    assert isinstance(found, list)
    assert "oadrResponse" in str(found[0].signed_data)
    with pytest.raises(SignatureFault, match="second"):
        verify(parse(wrapped))
