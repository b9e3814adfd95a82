"""One exchange over mutual TLS: httpx carries it, this module names what went wrong.

The VTN is known by its certificate, not only by its name: the handshake itself fails for any other,
before a byte of ours is sent. So an authority that signs a second VTN, or a name server that lies,
moves no device.
"""

import hashlib
import ssl
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import httpx

from openadr_core.errors import CertificateRejected, ConnectFailed, ExchangeFailed, PeerClosed, TimedOut, TlsFailed
from openadr_core.exchange import Request, Response
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES

WAITING = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""Not errors: the connection had to wait, and that is in the history of whatever came next."""


class VtnClient:
    """A long-lived connection to one VTN, made again whenever it is needed."""

    def __init__(self, *, url: str, context: ssl.SSLContext, fingerprints: Collection[str], timeout_s: float) -> None:
        """``context`` is this client's own: the pinned ``fingerprints`` (SHA-256, hex) become part of it."""
        context.sslobject_class = pinned(fingerprints)
        self._client = httpx.AsyncClient(
            base_url=url,
            verify=context,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            # No proxy from the environment may stand between us and the certificate that we pinned.
            trust_env=False,
        )
        # OpenADR 2.0b 9.1.9.1 and .3: what is offered must be used, so nothing is offered; only XML is accepted.
        del self._client.headers["accept-encoding"]
        self._client.headers["accept"] = "application/xml"

    async def exchange(self, request: Request) -> Response:
        """The answer; ExchangeFailed if none came, CertificateRejected if it was not our VTN that answered."""
        seen: set[str] = set()

        async def trace(step: str, _info: object) -> None:
            seen.add(step)

        with _named(seen):
            async with self._client.stream(
                request.method,
                request.path,
                content=request.body,
                headers=dict(request.headers),
                extensions={"trace": trace},
            ) as answer:
                body = b""
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) > XML_REPORT_BODY_MAX_BYTES:
                        raise PeerClosed(f"an answer of more than {XML_REPORT_BODY_MAX_BYTES} bytes")
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(status=answer.status_code, body=body, headers=headers)

    async def close(self) -> None:
        await self._client.aclose()


def pinned(fingerprints: Collection[str]) -> type[ssl.SSLObject]:
    """A TLS connection whose handshake succeeds with these certificates alone."""
    allowed = frozenset(fingerprints)

    class PinnedSSLObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert(binary_form=True) or b""
            if hashlib.sha256(certificate).hexdigest() not in allowed:
                raise ssl.SSLCertVerificationError("not the pinned VTN")

    return PinnedSSLObject


@contextmanager
def _named(seen: Collection[str]) -> Iterator[None]:
    """Transport errors of httpx as ours; the cause, and how far we came, tell TLS from TCP."""
    try:
        yield
    except httpx.TransportError as error:
        raise _error_of(error, seen) from error


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
