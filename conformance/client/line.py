"""HTTP over mutual TLS as a test needs it: nothing is added, nothing is hidden, every byte is recorded.

A browser-like client would correct what a procedure gets wrong on purpose, so this one stands on ``http.client``.
"""

import hashlib
import http.client
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from conformance.answers import Answer
from conformance.client.address import Address
from conformance.client.steps import Hello, Identity, Version
from conformance.exchanges import Exchange, RawRequest
from conformance.messages import MESSAGE_MAX_BYTES, read_message
from openadr_core.errors import ConfigError
from openadr_core.shell.tls import client_context


class Carrier(Protocol):
    """What takes a request to an address under one identity and brings the answer back."""

    def exchange(self, request: RawRequest) -> Exchange: ...

    def close(self) -> None: ...


Connect = Callable[[Address, Identity, Hello], Carrier]
"""To an address, under an identity, with this offer of TLS."""


CURRENT = Hello()


class Line:
    """A connection to an address under one identity, opened when needed and kept while the peer allows."""

    def __init__(self, address: Address, identity: Identity, hello: Hello = CURRENT) -> None:
        self._address = address
        self._identity = identity
        self._context = tls_context(address, identity, hello)
        self._http: http.client.HTTPConnection | None = None
        self._tls = ""
        self._peer_sha256 = ""

    def exchange(self, request: RawRequest) -> Exchange:
        """Send the request and wait for the answer, on the open connection if there is one."""
        at = datetime.now(UTC)
        reused = self._http is not None
        answer = self._attempt(request)
        if reused and answer.refused:
            # The peer had closed an idle connection, which is its right: the same once more on a new one.
            again = self._attempt(request)
            answer = again if again.status else replace(again, failure=f"{answer.failure}, and then {again.failure}")
        return Exchange(at=at, speaker=self._identity, tls=self._tls, request=request, answer=answer)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
        self._http = None

    def _attempt(self, request: RawRequest) -> Answer:
        connection = self._http or self._connect()
        if isinstance(connection, Answer):
            return connection
        started = time.perf_counter()
        try:
            response = _sent(connection, request)
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected) as fault:
            # With TLS 1.3 a server says no to a certificate only after the client's handshake is over.
            self.close()
            return Answer(failure=f"closed without an answer: {_said(fault)}", refused=True)
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            return Answer(failure=f"no answer: {_said(fault)}")
        try:
            body = response.read(MESSAGE_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            return Answer(failure=f"the answer breaks off: {_said(fault)}")
        elapsed_s = time.perf_counter() - started
        if response.will_close or not response.isclosed():
            self.close()
        answer = answer_of(response.status, response.getheaders(), body, elapsed_s)
        return replace(answer, came_at=datetime.now(UTC), peer_sha256=self._peer_sha256)

    def _connect(self) -> http.client.HTTPConnection | Answer:
        """A secured connection, or why there is none."""
        address = self._address
        try:
            plain = socket.create_connection((address.host, address.port), timeout=address.timeout_s)
        except OSError as fault:
            return Answer(failure=f"no connection to {address.host}:{address.port}: {_said(fault)}")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            secured = self._context.wrap_socket(plain, server_hostname=address.server_name or address.host)
        except ssl.SSLCertVerificationError as fault:
            plain.close()
            return Answer(failure=f"its certificate is not acceptable: {fault.verify_message}")
        except OSError as fault:
            plain.close()
            return Answer(failure=f"TLS handshake: {_said(fault)}", refused=_by_the_peer(fault))
        self._peer_sha256 = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        self._tls = f"{secured.version()} {(secured.cipher() or ('',))[0]}"
        self._http = http.client.HTTPConnection(address.host, address.port)
        self._http.sock = secured
        self._http.auto_open = 0
        return self._http


def tls_context(address: Address, identity: Identity, hello: Hello) -> ssl.SSLContext:
    chain = None if identity is Identity.NONE else address.certificates[identity]
    proven = None if identity is Identity.EXPIRED else chain
    context = client_context(address.profile, proven, [address.trust], check_hostname=address.is_named)
    if chain and not proven:
        # It would not pass the proof that it is good.
        context.load_cert_chain(chain.certificate, chain.key)
    if hello.suite:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(hello.suite)
        except ssl.SSLError:
            raise ConfigError(f"suite: {hello.suite!r} is none that this installation of OpenSSL has") from None
    if hello.version is Version.TLS_1_1:
        context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL does not offer it on a higher level
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _sent(connection: http.client.HTTPConnection, request: RawRequest) -> http.client.HTTPResponse:
    connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers:
        connection.putheader(name, value)
    connection.endheaders(request.body or None, encode_chunked=request.chunked)
    return connection.getresponse()


def answer_of(status: int, headers: Sequence[tuple[str, str]], body: bytes, elapsed_s: float) -> Answer:
    """What came over the wire, as a check sees it."""
    body, root, because = read_message(headers, body)
    return Answer(status=status, headers=headers, body=body, elapsed_s=elapsed_s, root=root, no_root_because=because)


def _by_the_peer(fault: OSError) -> bool:
    """Whether it was the peer that would not go on, and not this machine that cannot offer what it should."""
    return not isinstance(fault, TimeoutError) and getattr(fault, "reason", "") != "NO_PROTOCOLS_AVAILABLE"


def _said(fault: Exception) -> str:
    return str(fault) or type(fault).__name__
