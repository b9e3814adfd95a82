"""LFDI, SFDI and the 2.0b fingerprint against published vectors, and authorisation on the full hash."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.identity import fingerprint_20b_of, lfdi_of, peer_of, sfdi_of


def test_sfdi_of_a_published_certificate() -> None:
    # The pair that the bsgip/envoy project publishes for one of its test certificates.
    assert sfdi_of(bytes.fromhex("854d10a201ca99e5e90d3c3e1f9bc1c3bd075f3b")) == 357827241281


def test_sfdi_of_the_standards_example() -> None:
    assert sfdi_of(bytes.fromhex("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5")) == 167261211391


@given(st.binary(min_size=32, max_size=32))
def test_sfdi_digits_add_up_to_a_multiple_of_ten(digest: bytes) -> None:
    assert sum(int(digit) for digit in str(sfdi_of(digest))) % 10 == 0


@pytest.mark.openadr20b("S5")
def test_labels_come_from_the_same_digest() -> None:
    der = b"not really a certificate"
    digest = hashlib.sha256(der).digest()
    peer = peer_of(der)
    assert peer.certificate_sha256 == digest.hex()
    assert peer.lfdi == lfdi_of(digest) == digest[:20].hex().upper()
    assert peer.fingerprint_20b == fingerprint_20b_of(digest)
    assert len(peer.fingerprint_20b) == 29


def test_equal_short_names_are_different_peers() -> None:
    # T11: 36 bits collide; what is granted is granted on all 256.
    first = bytes(31) + b"\x01"
    second = bytes(31) + b"\x02"
    assert sfdi_of(first) == sfdi_of(second)
    assert lfdi_of(first) == lfdi_of(second)
    assert first.hex() != second.hex()
