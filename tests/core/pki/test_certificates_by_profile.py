"""Certificates made by profile are what the profile says; what cannot be made is refused in words."""

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from openadr_core.errors import CertificateRejected, ConfigError, RuleBroken
from openadr_core.pki import (
    NEVER,
    Authority,
    Issued,
    Profile,
    expires_at,
    issue,
    make_authority,
    parse_profile,
    profile_faults,
)
from openadr_core.pki.hardware_module import HARDWARE_MODULE_NAME, hardware_module_name

PROFILES = Path(__file__).resolve().parents[3] / "certs" / "profiles"
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=UTC)
LEAVES = sorted(path.stem for path in PROFILES.glob("*.toml") if "authority = true" not in path.read_text())


def profile(name: str) -> Profile:
    return parse_profile(name, (PROFILES / f"{name}.toml").read_text())


def authority_for(leaf: str) -> Authority:
    if leaf.startswith("sep2"):
        root = make_authority("SERCA", profile("sep2-serca"), NOW)
        middle = make_authority("MCA", profile("sep2-mca"), NOW, root)
        return make_authority("MICA", profile("sep2-mica"), NOW, middle)
    kind = leaf.rsplit("-", 1)[0]
    return make_authority("CA", profile(f"{kind}-ca"), NOW, make_authority("root", profile(f"{kind}-root"), NOW))


def leaf_of(name: str) -> Issued:
    return issue(profile(name), "party-1", authority_for(name), NOW, dns_names=["localhost"])


def test_every_use_has_a_profile() -> None:
    assert LEAVES == [
        "openadr-ecc-ven", "openadr-ecc-vtn", "openadr-rsa-ven", "openadr-rsa-vtn", "sep2-device", "sep2-server",
    ]  # fmt: skip


@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_is_what_its_profile_says(name: str) -> None:
    made = leaf_of(name)
    assert profile_faults(made.certificate_pem, profile(name)) == []
    assert made.chain_pem.startswith(made.certificate_pem)
    der = ssl.PEM_cert_to_DER_cert(made.certificate_pem.decode())
    assert made.peer.certificate_sha256 == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize(
    ("name", "other", "fault"),
    [
        ("openadr-rsa-ven", "openadr-ecc-ven", "the key is not of an elliptic curve"),
        ("openadr-ecc-ven", "openadr-rsa-ven", "the key is not RSA"),
        ("openadr-ecc-ven", "sep2-device", "the subject is not empty"),
        ("sep2-device", "sep2-server", "the subject is empty"),
        ("sep2-server", "sep2-device", "there is no HardwareModuleName in subjectAltName"),
    ],
)
def test_a_leaf_of_one_kind_is_none_of_another(name: str, other: str, fault: str) -> None:
    assert fault in profile_faults(leaf_of(name).certificate_pem, profile(other))


def test_the_chain_is_sent_without_its_root() -> None:
    chain = x509.load_pem_x509_certificates(leaf_of("sep2-device").chain_pem)
    assert [certificate.issuer.rfc4514_string() for certificate in chain] == [
        "CN=MICA,O=Smart Energy lab", "CN=MCA,O=Smart Energy lab", "CN=SERCA,O=Smart Energy lab",
    ]  # fmt: skip


def test_a_device_never_expires_and_names_its_hardware() -> None:
    device = x509.load_pem_x509_certificate(leaf_of("sep2-device").certificate_pem)
    assert device.not_valid_after_utc == NEVER
    assert not device.subject.rdns
    names = device.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    (module,) = [name for name in names.value if isinstance(name, x509.OtherName)]
    # SEQUENCE { OBJECT IDENTIFIER 1.3.6.1.4.1.32473.1, OCTET STRING "party-1" }, written out by hand.
    assert module.value == bytes.fromhex("3014 0609 2b06010401 81fd59 01 0407") + b"party-1"


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=6), st.binary(min_size=1, max_size=40))
def test_an_object_identifier_is_the_one_that_cryptography_writes(arcs: list[int], serial: bytes) -> None:
    dotted = ".".join(map(str, (1, 3, *arcs)))
    ours = hardware_module_name(dotted, serial).value
    # The same identifier as the type of another name, encoded by the library.
    theirs = x509.SubjectAlternativeName([x509.OtherName(x509.ObjectIdentifier(dotted), b"\x04\x00")]).public_bytes()
    length = ours[3]
    assert ours[2:][: length + 2] in theirs
    assert ours.endswith(bytes((4, len(serial))) + serial)
    assert HARDWARE_MODULE_NAME.dotted_string == "1.3.6.1.5.5.7.8.4"


def test_nothing_outlives_its_authority() -> None:
    root = make_authority("root", profile("openadr-ecc-root"), NOW)
    leaf = issue(profile("openadr-ecc-ven"), "ven", root, NOW, days=100_000)
    assert expires_at(leaf.certificate_pem) == expires_at(root.certificate_pem)


def test_a_text_for_people_may_stand_before_a_certificate() -> None:
    leaf = leaf_of("sep2-device").certificate_pem
    assert expires_at(b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + leaf) == expires_at(leaf)


def test_days_can_be_asked_for() -> None:
    root = make_authority("root", profile("openadr-ecc-root"), NOW)
    leaf = issue(profile("openadr-ecc-ven"), "ven", root, NOW, days=3)
    assert expires_at(leaf.certificate_pem) == NOW + timedelta(days=3)


def test_what_cannot_be_issued_is_refused_in_words() -> None:
    root = make_authority("root", profile("openadr-ecc-root"), NOW)
    middle = make_authority("CA", profile("openadr-ecc-ca"), NOW, root)
    leaf = issue(profile("openadr-ecc-ven"), "ven", root, NOW)
    as_authority = Authority(certificate_pem=leaf.certificate_pem, key_pem=leaf.key_pem)
    with pytest.raises(RuleBroken, match="must name a host"):
        issue(profile("openadr-ecc-vtn"), "vtn", root, NOW)
    with pytest.raises(RuleBroken, match="no IP address"):
        issue(profile("openadr-ecc-vtn"), "vtn", root, NOW, ip_addresses=["localhost"])
    with pytest.raises(RuleBroken, match="no authority"):
        issue(profile("openadr-ecc-ven"), "ven", as_authority, NOW)
    with pytest.raises(RuleBroken, match="path length 0"):
        make_authority("too deep", profile("openadr-ecc-ca"), NOW, middle)
    with pytest.raises(RuleBroken, match="expired"):
        issue(profile("openadr-ecc-ven"), "ven", root, NOW + timedelta(days=20_000))
    with pytest.raises(RuleBroken, match="use make_authority"):
        issue(profile("openadr-ecc-ca"), "ca", root, NOW)
    with pytest.raises(RuleBroken, match="profile of a leaf"):
        make_authority("root", profile("openadr-ecc-ven"), NOW)
    with pytest.raises(RuleBroken, match="cannot be the name"):
        issue(profile("openadr-ecc-ven"), "x" * 65, root, NOW)


def test_a_key_opens_what_was_made() -> None:
    made = leaf_of("openadr-ecc-ven")
    key = serialization.load_pem_private_key(made.key_pem, password=None)
    certificate = x509.load_pem_x509_certificate(made.certificate_pem)
    assert key.public_key() == certificate.public_key()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("key = ", "Invalid value"),
        ("colour = 'red'", "unknown setting colour"),
        ("name = 'x'", "unknown setting name"),
        ("title = 'x'\nkey_usage = []", "missing 1 required keyword-only argument: 'key'"),
        ("title = 'x'\nkey = 'dsa'\nkey_usage = []", "key has dsa"),
        ("title = 'x'\nkey = 'p256'\nkey_usage = ['fly']", "key_usage has fly"),
        ("title = 'x'\nkey = 'p256'\nkey_usage = []\nextended_key_usage = ['both']", "extended_key_usage has both"),
        ("title = 'x'\nkey = 'p256'\nkey_usage = []\ndays = 'many'", "days cannot be 'many'"),
    ],
)
def test_a_wrong_profile_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_profile("mine", text)
    assert "certificate profile mine" in str(caught.value)


def test_what_is_no_certificate_is_said_so() -> None:
    with pytest.raises(CertificateRejected):
        expires_at(b"-----BEGIN nonsense")
