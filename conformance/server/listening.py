"""The harness as a server on a socket: HTTP over mutual TLS, where nothing is hidden and every byte is recorded.

A server made for applications would refuse or mend what a peer gets wrong before anybody could judge it, so this one
stands on ``http.server``, a thread for each connection.
"""

import contextlib
import gzip
import hashlib
import socket
import socketserver
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol, TypeVar

from conformance.answers import Answer
from conformance.exchanges import Exchange, RawRequest
from conformance.messages import MESSAGE_MAX_BYTES, read_message
from conformance.server.listener import Answered
from conformance.server.steps import Shown
from openadr_core.errors import ConfigError

Found = TypeVar("Found")
THOUGHT_S = 0.1
"""What finds no answer yet waits so long for the next step of the procedure, like any that takes its time."""
IDLE_S = 120.0
HANDSHAKE_WAIT_S = 10.0

Contexts = Mapping[tuple[Shown, bool], ssl.SSLContext]


class Answering(Protocol):
    """What knows the answers: the script of a protocol."""

    @property
    def exchanges(self) -> list[Exchange]: ...

    def ready(self, what: Answer) -> bool:
        """Whether there is something to answer this with; if not, it may be waited for."""

    def listens(self, request: RawRequest, what: Answer, arrived_s: float) -> Answered:
        """What the request is answered."""


def host_and_port(text: str, *, option: str) -> tuple[str, int]:
    """Where to listen, as an option says it."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"{option}: HOST:PORT, not {text!r}")
    return host, int(port)


def listening_at(
    text: str,
    *,
    option: str,
    contexts: Contexts,
    script: Answering,
    speaker: str = "the VEN",
    tell_tester: Callable[[str], None] = lambda _: None,
) -> "Listening":
    """The harness listens where an option says; ConfigError if that is no place, or cannot be had."""
    host, port = host_and_port(text, option=option)
    try:
        return Listening(
            host=host, port=port, contexts=contexts, script=script, speaker=speaker, tell_tester=tell_tester
        )
    except OSError as fault:
        raise ConfigError(f"{option}: {text}: {fault.strerror or fault}") from None


class Listening:
    """A ``Stage`` over sockets."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        contexts: Contexts,
        script: Answering,
        speaker: str = "the VEN",
        tell_tester: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.attempts: list[Answer] = []
        self.tell_tester = tell_tester
        self._script = script
        self._speaker = speaker
        self._contexts = contexts
        self._context = contexts[Shown.GOOD, False]
        self._host = host
        self._news = threading.Condition()
        self._open: set[ssl.SSLSocket] = set()
        self._bug: BaseException | None = None
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def origin(self) -> str:
        """Its address as an URL begins with it, in the words of who has chosen it."""
        return f"https://{self._host}:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._hang_up()

    # -- for the run -------------------------------------------------------------------

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def seconds(self) -> float:
        return time.monotonic()

    def wait(self, found: Callable[[], Found | None], timeout_s: float) -> Found | None:
        until = time.monotonic() + timeout_s
        with self._news:
            self._news.notify_all()  # what the procedure has told meanwhile is news for a poll that waits
            while (got := found()) is None:
                if self._bug is not None:
                    raise self._bug
                left_s = until - time.monotonic()
                if left_s <= 0:
                    return None
                self._news.wait(left_s)
            return got

    def serve(self, certificate: Shown, *, certification_suites: bool) -> None:
        self._context = self._contexts[certificate, certification_suites]
        self._hang_up()

    # -- for the connections -----------------------------------------------------------

    def secured(self, plain: socket.socket) -> ssl.SSLSocket | None:
        """The connection after its handshake; None, and noted, if that fails."""
        plain.settimeout(HANDSHAKE_WAIT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            secured = self._context.wrap_socket(plain, server_side=True)
        except OSError as fault:
            self.note_attempt(Answer(failure=f"TLS handshake: {fault}", refused=True))
            return None
        self._open.add(secured)
        return secured

    def blame(self, bug: BaseException) -> None:
        """Our own fault must not pass for the peer's."""
        with self._news:
            self._bug = bug
            self._news.notify_all()

    def forget(self, connection: ssl.SSLSocket) -> None:
        self._open.discard(connection)

    def note_attempt(self, how: Answer) -> None:
        with self._news:
            self.attempts.append(how)
            self._news.notify_all()

    def answer(self, request: RawRequest, tls: str, peer_sha256: str) -> Answered:
        arrived_s, at = time.monotonic(), datetime.now(UTC)
        body, root, because = read_message(request.headers, request.body)
        what = Answer(
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=body,
            came_at=at,
            peer_sha256=peer_sha256,
            root=root,
            no_root_because=because,
        )
        with self._news:
            self._news.wait_for(lambda: self._script.ready(what), THOUGHT_S)
            answered = self._script.listens(request, what, arrived_s)
            told = Answer(
                status=answered.status or None,
                failure="" if answered.status else "none: the connection is closed",
                headers=answered.headers,
                body=answered.body,
                elapsed_s=time.monotonic() - arrived_s + answered.delay_s,
            )
            self._script.exchanges.append(Exchange(at=at, speaker=self._speaker, tls=tls, request=request, answer=told))
            self._news.notify_all()
        return _compressed(answered, what.header("Accept-Encoding") or "")

    def _hang_up(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                # Of the socket alone: an SSLSocket would go on in the clear where a thread is just writing.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], listening: Listening) -> None:
        super().__init__(address, _Connection)
        self.listening = listening

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, so that a handshake that hangs keeps nobody waiting."""
        secured = self.listening.secured(request)
        if secured is None:
            return
        try:
            connection = _Connection(secured, client_address, self)
            if not connection.heard_anything:
                # With TLS 1.3, and to a peer that pins a certificate, no comes after the handshake.
                self.listening.note_attempt(Answer(failure="closed before it said anything", refused=True))
        finally:
            self.listening.forget(secured)
            with contextlib.suppress(OSError):
                secured.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (the names are inherited)
        """A connection that breaks is the peer's right; what it means is judged from what was said."""
        fault = sys.exception()
        if fault is not None and not isinstance(fault, OSError):
            self.listening.blame(fault)


class _Connection(BaseHTTPRequestHandler):
    """One connection of the peer's: any method, any path, and bodies by length or in chunks."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    heard_anything = False
    server: _Server
    connection: ssl.SSLSocket

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._take
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is inherited)
        """Transcripts tell."""

    def _take(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        request = RawRequest(
            method=self.command,
            path=self.path,
            headers=list(self.headers.items()),
            body=self._in_chunks() if chunked else self.rfile.read(min(self._length(), MESSAGE_MAX_BYTES + 1)),
            chunked=chunked,
        )
        if not self.heard_anything:
            self.heard_anything = True
            self.server.listening.note_attempt(Answer(failure=f"it went on, and sent {request.method} {request.path}"))
        tls = f"{self.connection.version()} {(self.connection.cipher() or ('',))[0]}"
        certificate = self.connection.getpeercert(binary_form=True) or b""
        self._write(self.server.listening.answer(request, tls, hashlib.sha256(certificate).hexdigest()))

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "0")
        return int(text) if text.isdecimal() else 0

    def _in_chunks(self) -> bytes:
        """What must not come (9.1.9.4) is read all the same, to be judged."""
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0].strip() or b"0", 16):
            body += self.rfile.read(min(size, MESSAGE_MAX_BYTES + 1 - len(body)))
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _write(self, answered: Answered) -> None:
        time.sleep(answered.delay_s)
        if not answered.status:
            self.close_connection = True
            return
        phrase = HTTPStatus(answered.status).phrase
        head = "".join(f"{name}: {value}\r\n" for name, value in answered.headers)
        body = answered.body[: len(answered.body) // 2] if answered.cut else answered.body
        self.wfile.write(f"HTTP/1.1 {answered.status} {phrase}\r\n{head}\r\n".encode("latin-1") + body)
        self.close_connection = self.close_connection or answered.cut


def _compressed(answered: Answered, accepts: str) -> Answered:
    """OpenADR 2.0b 9.1.9.1: by a coding that the peer lists."""
    listed = {part.partition(";")[0].strip().lower() for part in accepts.split(",")}
    coding = next((coding for coding in ("gzip", "deflate") if coding in listed), "")
    if not coding or not answered.body:
        return answered
    body = gzip.compress(answered.body) if coding == "gzip" else zlib.compress(answered.body)
    kept = [(name, value) for name, value in answered.headers if name != "Content-Length"]
    headers = (*kept, ("Content-Length", str(len(body))), ("Content-Encoding", coding))
    return replace(answered, headers=headers, body=body)
