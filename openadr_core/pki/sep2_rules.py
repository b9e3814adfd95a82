"""What a client's certificate of IEEE 2030.5 must be like (6.11), whoever signed it.

Interpretation: devices have no subject, and aggregators and servers have one; the standard's rules for a
name in hardware and for no end are for those without.
"""

from cryptography import x509

from openadr_core.pki.faults import NEVER, profile_faults
from openadr_core.pki.profile import Profile

DEVICE_TYPES = frozenset(f"1.3.6.1.4.1.40732.1.{number}" for number in (1, 2, 3))
"""Generic, mobile, made after manufacture."""
REFUSED = ("1.3.6.1.4.1.40732.2.1", "1.3.6.1.4.1.40732.2.2")
"""For tests, and self-signed."""
SERVICE_PROVIDER, BULK_ISSUED = "1.3.6.1.4.1.40732.2.3", "1.3.6.1.4.1.40732.2.4"
ACCEPTED = DEVICE_TYPES | {SERVICE_PROVIDER, BULK_ISSUED}
DEVICE = Profile(
    name="sep2-device", title="", key="p256", subject_empty=True, hardware_type="any",
    key_usage=("digital_signature", "key_agreement"), policies_forbidden=REFUSED,
)  # fmt: skip
OTHERS = Profile(
    name="sep2-client", title="", key="p256", key_usage=("digital_signature",), policies_forbidden=REFUSED,
    extended_key_usage=("client",),
)  # fmt: skip
"""Where there are extended uses, they are a client's too."""


def client_faults(certificate_der: bytes) -> list[str]:
    """Everything that is wrong with it; an empty list is a good one. The handshake judges its chain and its dates."""
    try:
        read = x509.load_der_x509_certificate(certificate_der)
        profile = OTHERS if read.subject.rdns else DEVICE
        faults = profile_faults(certificate_der, profile)
        if profile is DEVICE and read.not_valid_after_utc != NEVER:
            faults.append("it ends, and a device's does not")
        return [*faults, *_policy_faults(read.extensions)]
    except (ValueError, x509.DuplicateExtension) as error:
        return [f"unreadable: {error}"]


def _policy_faults(extensions: x509.Extensions) -> list[str]:
    try:
        found = extensions.get_extension_for_class(x509.CertificatePolicies)
    except x509.ExtensionNotFound:
        return ["there are no certificatePolicies"]
    policies = {policy.policy_identifier.dotted_string for policy in found.value}
    faults = [] if policies & ACCEPTED else ["no policy of a device or of a service provider"]
    return faults if found.critical else [*faults, "certificatePolicies is not critical"]
