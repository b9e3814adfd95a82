"""Certificates that depart from their profile in one thing: each is found, and named."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.pki import Authority, Issued, Profile, issue, make_authority, parse_profile, profile_faults

PROFILES = Path(__file__).resolve().parents[3] / "certs" / "profiles"
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)


def profile(name: str) -> Profile:
    return parse_profile(name, (PROFILES / f"{name}.toml").read_text())


@cache
def root() -> Authority:
    return make_authority("root", profile("sep2-serca"), NOW)


def made(wanted: Profile) -> Issued:
    return issue(wanted, "party", root(), NOW, dns_names=["localhost"] if wanted.host_names else [])


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("sep2-device", {"subject_empty": False}, "the subject is not empty"),
        ("sep2-server", {"subject_empty": True}, "the subject is empty"),
        ("sep2-device", {"hardware_type": ""}, "there is no subjectAltName"),
        ("sep2-server", {"host_names": False}, "there is no subjectAltName"),
        ("sep2-device", {"hardware_type": "", "host_names": True}, "there is no HardwareModuleName in subjectAltName"),
        ("sep2-server", {"hardware_type": "1.3.6.1.4.1.32473.1", "host_names": False}, "no host is named"),
        ("sep2-device", {"key_usage": ("digital_signature",)}, "keyUsage lacks key_agreement"),
        ("sep2-device", {"key_usage": ("digital_signature", "key_agreement", "key_cert_sign")}, "signing certificates"),
        ("sep2-device", {"extended_key_usage": ("client",)}, "extendedKeyUsage is there and should not be"),
        ("openadr-ecc-vtn", {"extended_key_usage": ("client",)}, "extendedKeyUsage lacks server"),
        ("sep2-device", {"policies": ()}, "policy 1.3.6.1.4.1.40732.1.1 is missing"),
        (
            "sep2-device",
            {"policies": ("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.1")},
            "policy 1.3.6.1.4.1.40732.2.1 is not acceptable",
        ),
        ("openadr-rsa-ven", {"key": "p256"}, "the key is not RSA"),
        ("openadr-ecc-ven", {"key": "rsa-2048"}, "the key is not of an elliptic curve"),
    ],
)
def test_one_departure_is_found(name: str, change: dict[str, Any], fault: str) -> None:
    wanted = profile(name)
    assert profile_faults(made(wanted).certificate_pem, wanted) == []
    found = profile_faults(made(replace(wanted, **change)).certificate_pem, wanted)
    assert any(fault in one for one in found), found


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("sep2-mica", {"path_length": None}, "path length is None, not 0"),
        ("sep2-mica", {"key_usage": ("crl_sign",)}, "keyUsage lacks key_cert_sign"),
    ],
)
def test_an_authority_is_judged_too(name: str, change: dict[str, Any], fault: str) -> None:
    wanted = profile(name)
    assert fault in profile_faults(make_authority("a", replace(wanted, **change), NOW, root()).certificate_pem, wanted)
    assert "it is an authority" in profile_faults(root().certificate_pem, profile("sep2-server"))
    assert "there is no basicConstraints" in profile_faults(made(profile("sep2-device")).certificate_pem, wanted)


def bare(*extensions: tuple[x509.ExtensionType, bool], key: Any = None, digest: Any = None) -> bytes:
    """A certificate as careless software makes it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "careless")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, digest or hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_careless_certificates_are_found() -> None:
    wanted = profile("openadr-ecc-ven")
    usages = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    usage = x509.KeyUsage(digital_signature=True, **usages)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.99"), b"\x05\x00")
    assert profile_faults(bare((usage, True)), wanted) == []
    assert profile_faults(bare((usage, False)), wanted) == ["keyUsage is not critical"]
    assert profile_faults(bare(), wanted) == ["there is no keyUsage"]
    assert profile_faults(bare((usage, True), (unknown, False)), wanted) == []
    assert profile_faults(bare((usage, True), (unknown, True)), wanted) == [
        "critical extension 1.3.6.1.4.1.32473.99 is not understood"
    ]
    assert profile_faults(bare((usage, True), digest=hashes.SHA384()), wanted) == ["signed with sha384, not sha256"]
    other_curve = ec.generate_private_key(ec.SECP384R1())
    assert profile_faults(bare((usage, True), key=other_curve), wanted) == ["the curve is secp384r1, not secp256r1"]
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  # the fault that is wanted
    assert "RSA key of 1024 bits, under 2048" in profile_faults(bare(key=weak), profile("openadr-rsa-ven"))
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.3.6.1.4.1.40732.1.1"), None)])
    assert "certificatePolicies is not critical" in profile_faults(bare((policies, False)), profile("sep2-server"))
    names = x509.SubjectAlternativeName([x509.DNSName("device")])
    assert "subjectAltName is not critical" in profile_faults(bare((names, False)), profile("sep2-device"))


@cache
def device() -> bytes:
    pem = made(profile("sep2-device")).certificate_pem
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 10_000))
def test_no_bytes_break_the_judgement(changes: list[tuple[int, int]], cut: int) -> None:
    der = bytearray(device())
    for place, byte in changes:
        der[place % len(der)] = byte
    assert isinstance(profile_faults(bytes(der), profile("sep2-device")), list)
    assert profile_faults(bytes(der[: cut % len(der)]), profile("sep2-device"))
