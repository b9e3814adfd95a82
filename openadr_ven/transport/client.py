"""One exchange over mutual TLS: httpx carries it, this module names what went wrong.

The VTN is known by its certificate, not only by its name: the handshake itself fails for any other,
before a byte of ours is sent. So an authority that signs a second VTN, or a name server that lies,
moves no device.
"""

import asyncio
import hashlib
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
from cryptography import x509

from openadr_core.errors import (
    CertificateRejected,
    ConnectFailed,
    ExchangeFailed,
    MalformedMessage,
    PeerClosed,
    TimedOut,
    TlsFailed,
)
from openadr_core.exchange import Request, Response
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES
from openadr_core.oadr2.http_rules import inflated

WAITING = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""Not errors: the connection had to wait, and that is in the history of whatever came next."""


class VtnClient:
    """A long-lived connection to one VTN, made again whenever it is needed."""

    def __init__(
        self,
        *,
        url: str,
        context: ssl.SSLContext,
        fingerprints: Collection[str],
        timeout_s: float,
        compressed: bool = False,
        may_speak: Callable[[], bool] = lambda: True,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """``context`` is this client's own: the pinned ``fingerprints`` (SHA-256, hex) become part of it.

        Without any, whoever the context trusts under the URL's name is the VTN (OpenADR 3).
        ``compressed`` offers the VTN to compress its answers; ``may_speak`` is asked before each request:
        False once our own certificate has ended (OpenADR 2.0b R516).
        """
        self._url = url
        self._context = context
        self._timeout_s = timeout_s
        self._compressed = compressed
        self._may_speak = may_speak
        self._clock_s = clock_s
        self._ends_at_s = math.inf
        """When the certificate ends that the VTN has shown on the connection that is kept."""
        if fingerprints:
            context.sslobject_class = pinned(fingerprints, self._saw)
        self._client = self._opened()

    async def exchange(self, request: Request) -> Response:
        """The answer; ExchangeFailed if none came, CertificateRejected if it was not our VTN that answered."""
        if not self._may_speak():
            raise TlsFailed("our own certificate has ended")
        if self._ends_at_s <= self._clock_s():
            # What was good when we shook hands is not any more: a new handshake looks again.
            await self._client.aclose()
            self._client, self._ends_at_s = self._opened(), math.inf
        seen: set[str] = set()

        async def trace(step: str, _info: object) -> None:
            seen.add(step)

        try:
            # httpx counts each read by itself: a VTN that drips would hold us for ever.
            async with asyncio.timeout(self._timeout_s):
                with _named(seen):
                    return await self._carried(request, trace)
        except TimeoutError as error:
            raise TimedOut("no answer in time") from error

    async def close(self) -> None:
        await self._client.aclose()

    async def _carried(self, request: Request, trace: Callable[[str, object], Awaitable[None]]) -> Response:
        async with self._client.stream(
            request.method,
            request.path,
            content=request.body,
            headers=dict(request.headers),
            extensions={"trace": trace},
        ) as answer:
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > XML_REPORT_BODY_MAX_BYTES:
                    raise PeerClosed(f"an answer of more than {XML_REPORT_BODY_MAX_BYTES} bytes")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        coding = headers.pop("content-encoding", "identity").lower()
        if coding == "identity" or answer.status_code != HTTPStatus.OK:
            return Response(status=answer.status_code, body=bytes(body), headers=headers)
        try:
            plain = inflated(bytes(body), coding, max_bytes=XML_REPORT_BODY_MAX_BYTES)
        except MalformedMessage as error:
            raise PeerClosed(f"an answer that cannot be inflated: {error}") from error
        return Response(status=answer.status_code, body=plain, headers=headers)

    def _opened(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            base_url=self._url,
            verify=self._context,
            timeout=self._timeout_s,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            # No proxy from the environment may stand between us and the certificate that we pinned.
            trust_env=False,
        )
        # OpenADR 2.0b 9.1.9.1 and .3: what is offered must be used; only XML is accepted.
        del client.headers["accept-encoding"]
        if self._compressed:
            client.headers["accept-encoding"] = "gzip, deflate"
        client.headers["accept"] = "application/xml"
        return client

    def _saw(self, certificate: bytes) -> None:
        self._ends_at_s = x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()


def pinned(fingerprints: Collection[str], saw: Callable[[bytes], None]) -> type[ssl.SSLObject]:
    """A TLS connection whose handshake succeeds with these certificates alone; ``saw`` is told which one it was."""
    allowed = frozenset(fingerprints)

    class PinnedSSLObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert(binary_form=True) or b""
            if hashlib.sha256(certificate).hexdigest() not in allowed:
                raise ssl.SSLCertVerificationError("not the pinned VTN")
            saw(certificate)

    return PinnedSSLObject


@contextmanager
def _named(seen: Collection[str]) -> Iterator[None]:
    """Transport errors of httpx as ours; the cause, and how far we came, tell TLS from TCP."""
    try:
        yield
    except httpx.TransportError as error:
        raise _error_of(error, seen) from error
    except ssl.SSLError as error:
        # What is no TLS record, in the midst of an exchange, is not wrapped by what carries us.
        raise PeerClosed("the TLS connection broke in the middle of an exchange") from error


def _error_of(error: httpx.TransportError, seen: Collection[str]) -> ExchangeFailed | CertificateRejected:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        text = next(str(cause) for cause in causes if isinstance(cause, ssl.SSLCertVerificationError))
        return CertificateRejected(f"the VTN's certificate was refused: {text}")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut("no answer in time")
    # With TLS 1.3 a server refuses our certificate after its part of the handshake, and we see it at the first read.
    refused = "connection.start_tls.complete" in seen and "http11.receive_response_headers.complete" not in seen
    if refused or any(isinstance(cause, ssl.SSLError) and not isinstance(cause, WAITING) for cause in causes):
        return TlsFailed("the TLS handshake failed, or the VTN refused our certificate")
    if isinstance(error, httpx.ConnectError):
        return ConnectFailed("nothing answers at the VTN's address")
    return PeerClosed("the connection ended in the middle of an exchange")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
