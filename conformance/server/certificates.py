"""The certificates that the harness shows as a server: the tester's, and one that no peer may accept."""

import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from conformance.server.steps import Shown
from openadr_core.errors import ConfigError
from openadr_core.pki import issue, make_authority
from openadr_core.shell.keyfiles import certificate_profile, write_issued
from openadr_core.shell.tls import OPENADR_20B_SUITES, Chain, server_context


def contexts(shown: Mapping[Shown, Sequence[Chain]], trust: Path) -> dict[tuple[Shown, bool], ssl.SSLContext]:
    """One for each certificate, with all suites that are current and with the standard's two alone (R67)."""
    made = {}
    for certificate, chains in shown.items():
        made[certificate, False] = server_context("modern-2.0b", chains, [trust])
        strict = made[certificate, True] = server_context("modern-2.0b", chains, [trust])
        strict.maximum_version = ssl.TLSVersion.TLSv1_2
        strict.set_ciphers(":".join(OPENADR_20B_SUITES))
    return made


def foreign_twin(chain: Chain, folder: Path, name: str = "foreign") -> Chain:
    """A certificate for the same names, from an authority that was made this moment and that nobody trusts."""
    try:
        names = x509.load_pem_x509_certificate(chain.certificate.read_bytes()).extensions
        alternative = names.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound) as fault:
        raise ConfigError(f"{chain.certificate}: no certificate of a server: {fault}") from None
    now = datetime.now(UTC)
    authority = make_authority("Nobody's root", certificate_profile("openadr-ecc-root"), now)
    issued = issue(
        certificate_profile("openadr-ecc-vtn"),
        "twin",
        authority,
        now,
        dns_names=alternative.get_values_for_type(x509.DNSName),
        ip_addresses=[str(address) for address in alternative.get_values_for_type(x509.IPAddress)],
    )
    return write_issued(folder, name, issued)
