"""Requests of ours to addresses that a peer chose: to a VEN that is pushed to, to a webhook (security T33).

A peer that names an address makes us its hand inside our own network, unless we look where it leads.
The name is looked at before, and the address itself when it is connected to: whatever a name server
says then, and however a number is spelt. No redirect is followed, no proxy of the environment stands
between, and what comes back is bounded.
"""

import hashlib
import math
import socket
import ssl
import time
from asyncio import Transport
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from cryptography import x509

from openadr_core.errors import (
    CertificateRejected,
    ConnectFailed,
    ExchangeFailed,
    Forbidden,
    PeerClosed,
    TimedOut,
    TlsFailed,
)
from openadr_core.exchange import Response
from openadr_core.limits import OUTBOUND_ANSWER_MAX_BYTES, OUTBOUND_KEEPALIVE_S

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""Addresses that are IPv4 ones to whoever translates them: NAT64, and the compatible ones of old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRules:
    """Where we may be sent."""

    networks: tuple[Network, ...] = ()
    """What may be reached besides the public Internet: a private range, loopback in a laboratory."""
    ports: frozenset[int] = frozenset({443, 8443})

    def check_url(self, url: str) -> None:
        """Forbidden for what no request of ours goes to, whatever its name means."""
        try:
            parts = urlsplit(url)
            port = 443 if parts.port is None else parts.port
        except ValueError:
            raise Forbidden("the address is no URL") from None
        if parts.scheme != "https" or not parts.hostname:
            raise Forbidden("only https://host is reached")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise Forbidden("an address with a user or a fragment is not reached")
        if port not in self.ports:
            raise Forbidden(f"port {port} is not one of those that may be reached")

    def check_address(self, address: Address) -> None:
        """Forbidden for an address that is neither public nor in one of our networks, however it is wrapped."""
        if any(address in network for network in self.networks):
            return
        for meant in (address, *_within(address)):
            if not _is_public(meant) and not any(meant in network for network in self.networks):
                raise Forbidden(f"{address} is no public address, and in no network that may be reached")


class Pin(aiohttp.Fingerprint):
    """The certificates that the other end may show: it is known by them, and not by its name."""

    def __init__(self, sha256: Collection[str], *, or_named: bool = False) -> None:
        """SHA-256 of each, in hex. ``or_named``: or one of a trusted authority's, in the name of who was asked for."""
        super().__init__(bytes(32))
        self._or_named = or_named
        self.sha256 = frozenset(sha256)
        self.ends_at_s = math.inf
        """When the one that was shown last ends; seconds of the Unix epoch."""

    def check(self, transport: Transport) -> None:
        """What aiohttp asks after each handshake, before a byte of ours is sent."""
        connection = transport.get_extra_info("ssl_object")
        certificate = connection.getpeercert(binary_form=True) or b""
        is_known = hashlib.sha256(certificate).hexdigest() in self.sha256
        if not is_known and not (self._or_named and _is_in_name_of(certificate, connection.server_hostname or "")):
            host, port, *_ = transport.get_extra_info("peername")
            raise aiohttp.ServerFingerprintMismatch(b"", hashlib.sha256(certificate).digest(), host, port)
        self.ends_at_s = x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()


class Outbound:
    """Many requests at a time, over connections that are kept."""

    def __init__(
        self,
        *,
        rules: OutboundRules,
        context: ssl.SSLContext,
        timeout_s: float,
        connections_max: int,
        may_speak: Callable[[], bool] = lambda: True,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """``may_speak`` is asked before each request: False once our own certificate has ended (2.0b R516)."""
        self._rules = rules
        self._context = context
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._connections_max = connections_max
        self._may_speak = may_speak
        self._clock_s = clock_s
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str], pin: Pin | None = None) -> Response:
        """The answer, whatever its status; a redirect is one, and is not followed.

        Raises ExchangeFailed if none came, CertificateRejected if it was not the one in ``pin`` that
        answered or a certificate has ended, Forbidden if the address may not be reached.
        """
        return await self._exchange("POST", url, body, headers, pin)

    async def get(self, url: str, *, headers: Mapping[str, str]) -> Response:
        """Likewise."""
        return await self._exchange("GET", url, None, headers, None)

    async def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], pin: Pin | None
    ) -> Response:
        self._rules.check_url(url)
        if not self._may_speak():
            raise CertificateRejected("our own certificate has ended")
        if pin is not None and pin.ends_at_s <= self._clock_s():
            raise CertificateRejected("the peer's certificate has ended")
        try:
            async with self._opened().request(
                method, url, data=body, headers=headers, allow_redirects=False, ssl=True if pin is None else pin
            ) as answer:
                return await _read(answer)
        except aiohttp.ClientError as error:
            raise _named(error) from error
        except TimeoutError as error:
            raise TimedOut(f"no answer within {self._timeout.total:.0f} s") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made when it is first needed: it belongs to the loop that runs then."""
        if self._session is None:
            connector = _Connector(
                ssl=self._context,
                limit=self._connections_max,
                keepalive_timeout=OUTBOUND_KEEPALIVE_S,
                socket_factory=self._socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                # OpenADR 2.0b 9.1.9: what is offered must be used, so nothing is offered.
                skip_auto_headers=("Accept-Encoding", "User-Agent"),
            )
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket for an address that a name came to, or that a number was: the last moment to say no."""
        family, kind, protocol, _, where = info
        try:
            self._rules.check_address(ip_address(str(where[0]).partition("%")[0]))
        except Forbidden as error:
            raise _Barred(str(error)) from None
        return socket.socket(family, kind, protocol)


class _Barred(OSError):
    """What a socket factory may raise: the connection is not even tried."""


class _Connector(aiohttp.TCPConnector):
    def _get_ssl_context(self, _req: Any) -> ssl.SSLContext | None:
        """Ours for every request: for one with a pin, aiohttp would take a context that verifies nothing else.

        Should it ever be asked elsewhere for a context, requests fail, for want of our certificate.
        """
        return self._ssl if isinstance(self._ssl, ssl.SSLContext) else None


async def _read(answer: aiohttp.ClientResponse) -> Response:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > OUTBOUND_ANSWER_MAX_BYTES:
            answer.close()
            raise PeerClosed(f"an answer of more than {OUTBOUND_ANSWER_MAX_BYTES} bytes")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(status=answer.status, body=bytes(body), headers=headers)


def _named(error: aiohttp.ClientError) -> ExchangeFailed | CertificateRejected | Forbidden:  # noqa: PLR0911 (a table)
    """What went wrong, in our words; most special first."""
    match error:
        case aiohttp.ServerFingerprintMismatch():
            return CertificateRejected("who answered showed another certificate than is known")
        case aiohttp.ClientConnectorCertificateError():
            return CertificateRejected(f"who answered showed a certificate that is not good: {error.certificate_error}")
        case aiohttp.ClientConnectorSSLError():
            return TlsFailed("the TLS handshake failed")
        case aiohttp.ClientConnectorError():
            if isinstance(error.os_error, _Barred):
                return Forbidden(str(error.os_error))
            if isinstance(error.os_error, ConnectionResetError):
                return TlsFailed("the other end broke off the TLS handshake")
            return ConnectFailed("nothing answers at the address")
        case aiohttp.ServerTimeoutError():
            return TimedOut("no answer in time")
        case aiohttp.InvalidURL():
            return Forbidden("the address is no URL")
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        # With TLS 1.3 our certificate is refused after our part of the handshake: it shows at the first read.
        return TlsFailed("the other end refused our certificate")
    return PeerClosed("the connection ended in the middle of an exchange")


def _within(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in TRANSLATED):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def _is_in_name_of(certificate: bytes, host: str) -> bool:
    """RFC 9525: by its alternative names alone; a star stands for the first label."""
    try:
        extension = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound):
        return False
    names = {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}
    addresses = {str(address) for address in extension.value.get_values_for_type(x509.IPAddress)}
    first, _, rest = host.lower().partition(".")
    return host.lower() in names | addresses or (bool(first and rest) and f"*.{rest}" in names)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return True  # the mapped address decides
    return address.is_global and not address.is_multicast
