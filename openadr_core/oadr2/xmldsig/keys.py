"""What signs our messages, and what a peer's signature is verified with.

A private key is read once, at start: reading one of RSA costs a hundred signatures.
"""

import base64
import hashlib
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from openadr_core.errors import CertificateRejected
from openadr_core.oadr2.xmldsig.names import ECDSA_SHA256, RSA_SHA256

KeyKind = Literal["rsa", "ecc"]

RSA_BITS_MIN = 2048
"""OpenADR 2.0b 10.1."""
HOLDERS_KEPT = 2_000
"""Certificates of which the keys are kept ready, a few kilobytes each: to read one costs as much as to verify."""
CERTIFICATE_MAX_BYTES = 16 * 1024
"""Ten times a large one: what is kept ready must not be made large by whoever sends it."""
COORDINATE_BYTES = 32
"""Of a P-256 signature, which is two numbers of this length, one after the other (RFC 4051, 3.4.1)."""

_SHA256 = hashes.SHA256()
_PKCS1 = padding.PKCS1v15()
_ECDSA = ec.ECDSA(_SHA256)


class Signer:
    """A private key, with the certificate that others know its holder by."""

    def __init__(self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, certificate_der: bytes) -> None:
        self._key = key
        self.certificate_sha256 = hashlib.sha256(certificate_der).hexdigest()
        # In lines as in a PEM file, which is what some readers make of it.
        self.certificate_text = "\n".join(textwrap.wrap(base64.b64encode(certificate_der).decode(), 64))
        self.kind: KeyKind = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecc"
        self.method = RSA_SHA256 if self.kind == "rsa" else ECDSA_SHA256

    def sign(self, content: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(content, _PKCS1, _SHA256)
        r, s = decode_dss_signature(self._key.sign(content, _ECDSA))
        return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")


def signer_of(chain_pem: bytes, key_pem: bytes) -> Signer:
    """The signer whose certificate is the first of the chain; CertificateRejected if it cannot sign messages."""
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
        certificate = x509.load_pem_x509_certificates(chain_pem)[0]
    except (ValueError, TypeError) as error:
        raise CertificateRejected(f"the key or the certificate cannot be read: {error}") from None
    if not (isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) and is_strong(key.public_key())):
        raise CertificateRejected(
            f"messages are signed with RSA of {RSA_BITS_MIN} bits or with P-256, not with this key"
        )
    return Signer(key, certificate.public_bytes(serialization.Encoding.DER))


def is_strong(key: object) -> bool:
    """Whether messages may be signed with it (OpenADR 2.0b 10.1, R68)."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= RSA_BITS_MIN
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whoever holds the key of a certificate."""

    certificate: x509.Certificate
    certificate_sha256: str
    key: object


@lru_cache(maxsize=HOLDERS_KEPT)
def holder_of(certificate_der: bytes) -> Holder:
    """Who signs with this certificate; ValueError if it cannot be read. A party signs many messages with one."""
    if len(certificate_der) > CERTIFICATE_MAX_BYTES:
        raise ValueError("no certificate is so long")
    certificate = x509.load_der_x509_certificate(certificate_der)
    digest = hashlib.sha256(certificate_der).hexdigest()
    try:
        return Holder(certificate=certificate, certificate_sha256=digest, key=certificate.public_key())
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of a kind that is not known here") from error


def is_signed_by(key: object, method: str, signature: bytes, content: bytes) -> bool:
    """Whether the holder of the key signed the content by this method."""
    try:
        if isinstance(key, rsa.RSAPublicKey) and method == RSA_SHA256 and is_strong(key):
            key.verify(signature, content, _PKCS1, _SHA256)
        elif isinstance(key, ec.EllipticCurvePublicKey) and method == ECDSA_SHA256 and is_strong(key):
            key.verify(_der(signature), content, _ECDSA)
        else:
            return False
    # The wrong length, or numbers that are none of the curve.
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(signature: bytes) -> bytes:
    if len(signature) != 2 * COORDINATE_BYTES:
        raise ValueError("not two coordinates")
    r, s = signature[:COORDINATE_BYTES], signature[COORDINATE_BYTES:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
