"""Who is at the other end of a TLS connection: names derived from a certificate.

Authorisation compares the full SHA-256 of the DER certificate. LFDI, SFDI and the 2.0b
fingerprint are labels for people and messages: they are short, so they can collide
(36 bits for an SFDI), and nothing is granted on them.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

SFDI_BITS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The party at the other end of this connection, from its certificate alone."""

    certificate_sha256: str
    """64 lower-case hex digits: the identity everything is granted on."""
    lfdi: str
    """40 upper-case hex digits (IEEE 2030.5, 6.3.4)."""
    sfdi: int
    """Up to 12 decimal digits with the check digit last (IEEE 2030.5, 6.3.3)."""
    fingerprint_20b: str
    """``XX:…:XX``, ten bytes (OpenADR 2.0b, 10.5.1)."""
    subject: str = ""
    """RFC 4514 text of the certificate's subject; empty for a 2030.5 device."""
    ends_at: datetime | None = None
    """When the certificate ends; None where only its fingerprint is known."""


def peer_of(certificate_der: bytes, *, subject: str = "", ends_at: datetime | None = None) -> Peer:
    """The peer whose DER certificate this is."""
    return peer_of_digest(hashlib.sha256(certificate_der).digest(), subject=subject, ends_at=ends_at)


def peer_of_digest(digest: bytes, *, subject: str = "", ends_at: datetime | None = None) -> Peer:
    """The peer whose DER certificate has this SHA-256 (32 bytes): all its names follow from it."""
    return Peer(
        certificate_sha256=digest.hex(),
        lfdi=lfdi_of(digest),
        sfdi=sfdi_of(digest),
        fingerprint_20b=fingerprint_20b_of(digest),
        subject=subject,
        ends_at=ends_at,
    )


def lfdi_of(digest: bytes) -> str:
    """IEEE 2030.5, 6.3.4: the first 20 bytes of the certificate's SHA-256, in hex."""
    return digest[:20].hex().upper()


def sfdi_of(digest: bytes) -> int:
    """IEEE 2030.5, 6.3.3: the first 36 bits as a decimal number, then a digit that makes the digit sum 0 mod 10."""
    number = int.from_bytes(digest[:5], "big") >> (40 - SFDI_BITS)
    check_digit = -sum(int(digit) for digit in str(number)) % 10
    return number * 10 + check_digit


def fingerprint_20b_of(digest: bytes) -> str:
    """OpenADR 2.0b, 10.5.1: the last 10 bytes of the certificate's SHA-256, as ``XX:XX:…`` in upper case."""
    return ":".join(f"{byte:02X}" for byte in digest[-10:])
