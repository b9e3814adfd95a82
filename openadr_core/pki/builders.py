"""Authorities and leaf certificates, made by profile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from openadr_core.errors import RuleBroken
from openadr_core.identity import Peer, peer_of
from openadr_core.pki.faults import NEVER
from openadr_core.pki.hardware_module import hardware_module_name
from openadr_core.pki.profile import EXTENDED_KEY_USAGES, KEY_USAGES, Profile

BACKDATED = timedelta(minutes=5)
"""A certificate is good from a little before it was made: the other side's clock may lag."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate that may sign others, with its key."""

    certificate_pem: bytes
    key_pem: bytes
    chain_pem: bytes = b""
    """What a leaf must present besides itself: this certificate and those above it, without the root.
    Empty for a root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A leaf certificate with its key."""

    certificate_pem: bytes
    key_pem: bytes
    chain_pem: bytes
    """Leaf first, then its authorities without the root: what goes into a server's or client's chain file."""
    peer: Peer
    """How others will see the holder."""


def make_authority(name: str, profile: Profile, now: datetime, issuer: Authority | None = None) -> Authority:
    """A root, or with an issuer an intermediate authority, called ``name``."""
    if not profile.authority:
        raise RuleBroken(f"{profile.name} is the profile of a leaf; an authority needs one of an authority")
    certificate, key = _make(profile, name, now, issuer)
    certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Authority(
        certificate_pem=certificate_pem,
        key_pem=_key_pem(key),
        chain_pem=certificate_pem + issuer.chain_pem if issuer else b"",
    )


def issue(
    profile: Profile,
    name: str,
    issuer: Authority,
    now: datetime,
    *,
    days: int | None = None,
    dns_names: Sequence[str] = (),
    ip_addresses: Sequence[str] = (),
) -> Issued:
    """A leaf certificate for ``name``. ``days`` shortens or lengthens what the profile says.

    Raises RuleBroken, in words for the operator, if the profile asks for what was not given or
    the issuer may not sign this.
    """
    if profile.authority:
        raise RuleBroken(f"{profile.name} is the profile of an authority; use make_authority")
    hosts: list[x509.GeneralName] = [x509.DNSName(host) for host in dns_names]
    hosts += [x509.IPAddress(_address(address)) for address in ip_addresses]
    if profile.host_names and not hosts:
        raise RuleBroken(f"a certificate of profile {profile.name} must name a host: give a DNS name or an IP address")
    certificate, key = _make(profile, name, now, issuer, days=days, hosts=hosts)
    certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Issued(
        certificate_pem=certificate_pem,
        key_pem=_key_pem(key),
        chain_pem=certificate_pem + issuer.chain_pem,
        peer=peer_of(
            certificate.public_bytes(serialization.Encoding.DER), subject=certificate.subject.rfc4514_string()
        ),
    )


def _make(
    profile: Profile,
    name: str,
    now: datetime,
    issuer: Authority | None,
    *,
    days: int | None = None,
    hosts: Sequence[x509.GeneralName] = (),
) -> tuple[x509.Certificate, PrivateKey]:
    key = _new_key(profile.key)
    subject = _subject(profile, name)
    not_after = _not_after(profile, now, days)
    if issuer is None:
        issuer_name, issuer_key = subject, key
    else:
        above = x509.load_pem_x509_certificate(issuer.certificate_pem)
        _refuse_issuer(above, profile, now)
        issuer_name, issuer_key = above.subject, _load_key(issuer.key_pem)
        # Nothing outlives what vouches for it.
        not_after = min(not_after, above.not_valid_after_utc)
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer_name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now.astimezone(UTC).replace(microsecond=0) - BACKDATED,
        not_valid_after=not_after,
    )
    alternatives = list(hosts)
    if profile.hardware_type:
        alternatives.append(hardware_module_name(profile.hardware_type, name.encode()))
    for extension, critical in _extensions(profile, alternatives):
        builder = builder.add_extension(extension, critical=critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
    )
    return builder.sign(issuer_key, hashes.SHA256()), key


def _extensions(
    profile: Profile, alternatives: Sequence[x509.GeneralName]
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    if profile.authority:
        yield x509.BasicConstraints(ca=True, path_length=profile.path_length), True
    elif not profile.hardware_type:
        # A 2030.5 device certificate carries no basicConstraints; everybody else's says that it is none.
        yield x509.BasicConstraints(ca=False, path_length=None), True
    usages = {usage: usage in profile.key_usage for usage in KEY_USAGES}
    yield x509.KeyUsage(**usages, encipher_only=False, decipher_only=False), True
    if profile.extended_key_usage:
        uses = [x509.ObjectIdentifier(EXTENDED_KEY_USAGES[use]) for use in profile.extended_key_usage]
        yield x509.ExtendedKeyUsage(uses), False
    if profile.policies:
        policies = [x509.PolicyInformation(x509.ObjectIdentifier(policy), None) for policy in profile.policies]
        yield x509.CertificatePolicies(policies), True
    if alternatives:
        # RFC 5280, 4.2.1.6: with an empty subject the alternative name is the name, so it is critical.
        yield x509.SubjectAlternativeName(alternatives), profile.subject_empty


def _subject(profile: Profile, name: str) -> x509.Name:
    if profile.subject_empty:
        return x509.Name([])
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, profile.organization)] if profile.organization else []
    try:
        return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError as error:
        raise RuleBroken(f"{name!r} cannot be the name in a certificate: {error}") from None


def _not_after(profile: Profile, now: datetime, days: int | None) -> datetime:
    if days is None and profile.lasts_for_ever:
        return NEVER
    return now.astimezone(UTC).replace(microsecond=0) + timedelta(days=profile.days if days is None else days)


def _refuse_issuer(issuer: x509.Certificate, profile: Profile, now: datetime) -> None:
    who = issuer.subject.rfc4514_string()
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
    if not constraints.ca:
        raise RuleBroken(f"{who} is no authority")
    if profile.authority and constraints.path_length == 0:
        raise RuleBroken(f"{who} may sign leaf certificates only (path length 0)")
    if issuer.not_valid_after_utc <= now:
        raise RuleBroken(f"{who} expired at {issuer.not_valid_after_utc.isoformat()}")


def _new_key(kind: str) -> PrivateKey:
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _load_key(pem: bytes) -> PrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, PrivateKey):
        raise RuleBroken(f"a key of type {type(key).__name__} cannot sign certificates here")
    return key


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise RuleBroken(f"{text!r} is no IP address") from None
