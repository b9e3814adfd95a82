"""The peer at the other end of a connection, from its TLS certificate; worked out once per connection.

It serves any asyncio transport, uvloop's included, and so any aiohttp request by its ``transport``.
"""

import ssl
import time
from asyncio import BaseTransport
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal
from weakref import WeakKeyDictionary

from cryptography import x509

from openadr_core.identity import Peer, peer_of

NETWORK_BITS = {4: 24, 6: 48}
"""What addresses behind one line have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    peer: Peer
    ends_at_s: float
    """Seconds of the Unix epoch."""


# Keyed by the connection's TLS object, with which an entry dies.
_known_by_connection: WeakKeyDictionary[ssl.SSLObject, _Known] = WeakKeyDictionary()


def peer_of_transport(transport: BaseTransport | None, *, clock_s: Callable[[], float] = time.time) -> Peer | None:
    """Who is at the other end; None without TLS, without a client certificate, or once that has expired.

    The handshake verified chain and dates. The end is looked at again on every call, because a
    connection, or a resumed session, can outlive the certificate, and no application traffic may
    go on with an expired one (OpenADR 2.0b R516).
    """
    if transport is None:
        return None
    connection = transport.get_extra_info("ssl_object")
    if connection is None:
        return None
    known = _known_by_connection.get(connection)
    if known is None:
        certificate = connection.getpeercert(binary_form=True)
        known = _read(certificate) if certificate else None
        if known is None:
            return None
        _known_by_connection[connection] = known
    return known.peer if clock_s() < known.ends_at_s else None


def shown_key_kind(connection: ssl.SSLObject) -> Literal["rsa", "ecc"] | None:
    """Of which kind our certificate is that this connection's handshake showed, where we hold one of each.

    None with TLS 1.3, whose suites do not tell; there OpenSSL shows the ECC one to all that can read it.
    """
    suite = connection.cipher()
    if suite is None or connection.version() == "TLSv1.3":
        return None
    return "ecc" if "ECDSA" in suite[0] else "rsa"


def network_of_transport(transport: BaseTransport | None) -> str:
    """Where the other end is: the network that its address is one of; empty where it has none."""
    peername = None if transport is None else transport.get_extra_info("peername")
    if not isinstance(peername, tuple):
        return ""
    address = ip_address(str(peername[0]).partition("%")[0])
    return str(ip_network(f"{address}/{NETWORK_BITS[address.version]}", strict=False))


def _read(certificate_der: bytes) -> _Known | None:
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
    except ValueError:
        # OpenSSL forgives some DER that is not; a party that cannot be named is nobody.
        return None
    return _Known(
        peer=peer_of(
            certificate_der,
            subject=certificate.subject.rfc4514_string(),
            ends_at=certificate.not_valid_after_utc,
        ),
        ends_at_s=certificate.not_valid_after_utc.timestamp(),
    )
