"""What is wrong with a certificate, judged by profile; and when it ends."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from openadr_core.errors import CertificateRejected
from openadr_core.pki.hardware_module import HARDWARE_MODULE_NAME
from openadr_core.pki.profile import EXTENDED_KEY_USAGES, Profile

NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, 4.1.2.5: the notAfter of a certificate that has no good end."""

UNDERSTOOD = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.CertificatePolicies.oid,
        x509.SubjectAlternativeName.oid,
        x509.NameConstraints.oid,
        x509.PolicyConstraints.oid,
    }
)
"""Critical extensions that this project, or OpenSSL for it, acts upon."""

RSA_BITS_MIN = 2048


def expires_at(certificate: bytes) -> datetime:
    """The end of a certificate's validity, from its PEM or DER; NEVER stands for no end."""
    return _load(certificate).not_valid_after_utc


def profile_faults(certificate: bytes, profile: Profile) -> list[str]:
    """Everything in which a certificate (PEM or DER) departs from a profile; an empty list is a good one.

    The chain and the dates are not judged here: the TLS handshake does that.
    """
    try:
        return _faults(_load(certificate), profile)
    except (CertificateRejected, ValueError, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        # The parts of a certificate are read when they are asked for, so any of them may turn out to be none.
        return [f"unreadable: {error}"]


def _faults(certificate: x509.Certificate, profile: Profile) -> list[str]:
    extensions = certificate.extensions
    return [
        *_signature_faults(certificate),
        *_key_faults(certificate, profile),
        *_name_faults(certificate, extensions, profile),
        *_constraint_faults(extensions, profile),
        *_usage_faults(extensions, profile),
        *_policy_faults(extensions, profile),
        *(
            f"critical extension {extension.oid.dotted_string} is not understood"
            for extension in extensions
            if extension.critical and extension.oid not in UNDERSTOOD
        ),
    ]


def _load(certificate: bytes) -> x509.Certificate:
    try:
        if b"-----BEGIN" in certificate:  # a text for people may stand before it, as `openssl ca` writes it
            return x509.load_pem_x509_certificate(certificate)
        return x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise CertificateRejected(f"no certificate: {error}") from None


def _signature_faults(certificate: x509.Certificate) -> list[str]:
    if certificate.version is not x509.Version.v3:
        return [f"X.509 version is {certificate.version.name}, not v3"]
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name != "sha256":
        return [f"signed with {algorithm.name if algorithm else 'no known digest'}, not sha256"]
    return []


def _key_faults(certificate: x509.Certificate, profile: Profile) -> list[str]:
    key = certificate.public_key()
    if profile.key == "p256":
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return ["the key is not of an elliptic curve"]
        return [] if key.curve.name == "secp256r1" else [f"the curve is {key.curve.name}, not secp256r1"]
    if not isinstance(key, rsa.RSAPublicKey):
        return ["the key is not RSA"]
    return [] if key.key_size >= RSA_BITS_MIN else [f"RSA key of {key.key_size} bits, under {RSA_BITS_MIN}"]


def _name_faults(certificate: x509.Certificate, extensions: x509.Extensions, profile: Profile) -> list[str]:
    faults = []
    if profile.subject_empty != (not certificate.subject.rdns):
        faults.append("the subject is not empty" if profile.subject_empty else "the subject is empty")
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        if profile.host_names or profile.hardware_type:
            faults.append("there is no subjectAltName")
        return faults
    hosts = found.value.get_values_for_type(x509.DNSName)
    if profile.host_names and not hosts and not found.value.get_values_for_type(x509.IPAddress):
        faults.append("no host is named in subjectAltName")
    if profile.hardware_type:
        others = found.value.get_values_for_type(x509.OtherName)
        if not any(other.type_id == HARDWARE_MODULE_NAME for other in others):
            faults.append("there is no HardwareModuleName in subjectAltName")
        if not found.critical:
            faults.append("subjectAltName is not critical")
    return faults


def _constraint_faults(extensions: x509.Extensions, profile: Profile) -> list[str]:
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return ["there is no basicConstraints"] if profile.authority else []
    if constraints.value.ca != profile.authority:
        return ["it is an authority" if constraints.value.ca else "it is no authority"]
    if constraints.value.path_length != profile.path_length:
        return [f"path length is {constraints.value.path_length}, not {profile.path_length}"]
    return [] if constraints.critical or not profile.authority else ["basicConstraints is not critical"]


def _usage_faults(extensions: x509.Extensions, profile: Profile) -> list[str]:
    faults = []
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        faults.append("there is no keyUsage")
    else:
        missing = [name for name in profile.key_usage if not getattr(usage.value, name)]
        faults += [f"keyUsage lacks {name}" for name in missing]
        if not profile.authority and usage.value.key_cert_sign:
            faults.append("keyUsage allows signing certificates")
        if not usage.critical:
            faults.append("keyUsage is not critical")
    try:
        uses = {use.dotted_string for use in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
    except x509.ExtensionNotFound:
        return faults
    if not profile.extended_key_usage:
        faults.append("extendedKeyUsage is there and should not be")
    faults += [
        f"extendedKeyUsage lacks {use}" for use in profile.extended_key_usage if EXTENDED_KEY_USAGES[use] not in uses
    ]
    return faults


def _policy_faults(extensions: x509.Extensions, profile: Profile) -> list[str]:
    try:
        found = extensions.get_extension_for_class(x509.CertificatePolicies)
    except x509.ExtensionNotFound:
        return [f"policy {policy} is missing" for policy in profile.policies]
    policies = {policy.policy_identifier.dotted_string for policy in found.value}
    faults = [f"policy {policy} is missing" for policy in profile.policies if policy not in policies]
    faults += [f"policy {policy} is not acceptable" for policy in profile.policies_forbidden if policy in policies]
    if profile.policies and not found.critical:
        faults.append("certificatePolicies is not critical")
    return faults
