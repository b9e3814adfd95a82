"""Certificates, built and judged: profiles are data, bytes go in and bytes come out.

Keys and serial numbers come from the operating system's generator: they are the one thing in
this package that is rightly not reproducible. Files are the business of `openadr_core.shell.keyfiles`.
"""

from openadr_core.pki.builders import Authority, Issued, issue, make_authority
from openadr_core.pki.faults import NEVER, expires_at, profile_faults
from openadr_core.pki.profile import Profile, parse_profile
from openadr_core.pki.sep2_rules import client_faults

__all__ = [
    "NEVER",
    "Authority",
    "Issued",
    "Profile",
    "client_faults",
    "expires_at",
    "issue",
    "make_authority",
    "parse_profile",
    "profile_faults",
]
