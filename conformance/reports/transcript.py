"""Every exchange of a run as text, without what is nobody else's business.

Certificates, keys, signatures and credentials are left out: a transcript is made to be sent to a vendor.
"""

import re
from collections.abc import Iterable, Iterator

from conformance.exchanges import Exchange
from conformance.outcomes import Outcome

REDACTED = "[redacted]"

_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-ssl-client-cert"}
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_SIGNATURE_PART = re.compile(
    r"(<(?:[\w.-]+:)?(X509Certificate|SignatureValue|DigestValue|Modulus|PublicKey)\b[^>]*>)[^<]*(</)"
)


def transcript(outcome: Outcome) -> str:
    """The procedure's exchanges in order."""
    head = f"{outcome.procedure.id}: {outcome.procedure.title}\n{outcome.verdict} {outcome.reason}".rstrip() + "\n"
    return head + "".join(part for exchange in outcome.exchanges for part in _told(exchange))


def redacted(text: str) -> str:
    text = _PEM.sub(lambda found: f"-----BEGIN {found[1]}----- {REDACTED}", text)
    return _SIGNATURE_PART.sub(lambda found: f"{found[1]}{REDACTED}{found[3]}", text)


def _told(exchange: Exchange) -> Iterator[str]:
    request, answer = exchange.request, exchange.answer
    yield f"\n=== {exchange.at:%Y-%m-%dT%H:%M:%S.%fZ} as {exchange.speaker} over {exchange.tls or 'no connection'}\n"
    yield f"> {request.method} {request.path}\n"
    yield from _headers(">", request.headers)
    yield _body(request.body)
    if answer.status is None:
        yield f"< {answer.failure}\n"
        return
    yield f"< HTTP {answer.status} after {answer.elapsed_s * 1000:.1f} ms\n"
    yield from _headers("<", answer.headers)
    yield _body(answer.body)


def _headers(mark: str, headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in headers:
        yield f"{mark} {name}: {REDACTED if name.lower() in _SECRET_HEADERS else redacted(value)}\n"


def _body(body: bytes) -> str:
    text = redacted(body.decode("utf-8", errors="backslashreplace"))
    shown = "".join(char if char in "\n\t" or char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return f"\n{shown.rstrip()}\n\n" if shown else "\n"
