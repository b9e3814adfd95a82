"""A client certificate that no VTN may accept."""

from datetime import UTC, datetime
from pathlib import Path

from openadr_core.pki import issue, make_authority
from openadr_core.shell.keyfiles import certificate_profile, write_issued
from openadr_core.shell.tls import Chain


def foreign_chain(folder: Path) -> Chain:
    """A VEN's, as good as any, but from an authority that was made this moment and that nobody trusts."""
    now = datetime.now(UTC)
    authority = make_authority("Nobody's root", certificate_profile("openadr-ecc-root"), now)
    return write_issued(folder, "foreign", issue(certificate_profile("openadr-ecc-ven"), "stranger", authority, now))
