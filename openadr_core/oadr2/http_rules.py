"""The HTTP rules of 2.0b (9.1) that stand before any message: what is refused, how answers are packed.

Both sides serve by them: a VTN its parties, a VEN that is pushed to its VTN.
"""

import re
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from openadr_core.errors import MalformedMessage
from openadr_core.exchange import Request, Response
from openadr_core.limits import RETRY_AFTER_MAX_S
from openadr_core.oadr2.decode import LARGE, PLAIN, Limits

BASE = "/OpenADR2/Simple/2.0b/"
CONTENT_TYPE = "application/xml"

VTN_SERVICES: Mapping[str, Limits] = {
    name: LARGE if name == "EiReport" else PLAIN
    for name in ("EiEvent", "EiReport", "EiRegisterParty", "EiOpt", "OadrPoll")
}
"""The services of a VTN (9.1.2), and how much each takes."""

VEN_SERVICES: Mapping[str, Limits] = {"EiEvent": LARGE, "EiReport": PLAIN, "EiRegisterParty": PLAIN}
"""Those of a VEN that is pushed to: every event comes in one payload; only a VTN is polled, or told opts."""

GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's way to say gzip."""
FAST = 1
"""Compression level: messages are small, and the rule asks for compression, not for much of it."""

PERCENT_ENCODED = re.compile("%([0-9A-Fa-f]{2})")
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class HttpRefusal(Exception):
    """A request that gets a status and nothing else."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def service_of(request: Request, services: Mapping[str, Limits], *, prefix: str = "") -> str:
    """The service asked for; raises :class:`HttpRefusal` for what is no 2.0b request at all."""
    if request.method != "POST":
        raise HttpRefusal(501, "only POST is done")  # T2
    base = prefix + BASE
    path = normalised_path(request.path)
    service = path.removeprefix(base)
    if not path.startswith(base) or service not in services:
        raise HttpRefusal(404, "no such service")  # T8
    if "transfer-encoding" in request.headers:
        raise HttpRefusal(411, "chunked transfer encoding")  # T6
    if not is_xml(request.headers.get("content-type", "")):
        raise HttpRefusal(406, "the content is not application/xml")  # T5, T8
    if not accepts_xml(request.headers.get("accept", "")):
        raise HttpRefusal(406, "an answer in application/xml is not accepted")  # T7
    if len(request.body) > services[service].max_bytes:
        raise HttpRefusal(413, "the body is too large")
    return service


def service_url(address: str, service: str) -> str:
    """T1, T12: where a service is, below an address that may or may not say the standard's own part of the path."""
    return address.rstrip("/").removesuffix(BASE.rstrip("/")) + BASE + service


def prefix_of(address: str) -> str:
    """R511: what stands before ``/OpenADR2`` in the paths below this address; empty, or with a slash before it."""
    return normalised_path(urlsplit(service_url(address, "")).path).removesuffix(BASE)


def normalised_path(path: str) -> str:
    """T1: one spelling for all that RFC 3986 (6.2.2) calls equivalent: of case in escapes, of escapes, of dots."""

    def spelt(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if character in UNRESERVED else found[0].upper()

    kept: list[str] = []
    segments = PERCENT_ENCODED.sub(spelt, path).split("/")
    for segment in segments:
        if segment == ".." and len(kept) > 1:
            kept.pop()
        elif segment not in {".", ".."}:
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)


def is_xml(content_type: str) -> bool:
    """T5: ``application/xml``, with no charset or with UTF-8, the only one there is.

    Interpretation: the standard wants exactly ``; charset=utf-8``; case, space and quotes are
    forgiven, as HTTP forgives them.
    """
    kind, _, parameters = content_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    return kind.strip() == CONTENT_TYPE and charset in {"", "charset=utf-8"}


def accepts_xml(accept: str) -> bool:
    """T7. Interpretation: ``Accept`` must be ``application/xml``, if sent; a range that holds it is as good.

    Clients of every library send ``*/*`` by themselves. What would refuse our answer gets none.
    """
    if not accept.strip():
        return True
    weights = _weights(accept)
    return next((weights[kind] > 0 for kind in (CONTENT_TYPE, "application/*", "*/*") if kind in weights), False)


def content_coding(accept_encoding: str) -> str:
    """T7: the coding that the party likes best of those that we can do; empty if it lists none of them."""
    weights = _weights(accept_encoding)
    rest = weights.get("*", 0.0)
    liked = {"gzip": weights.get("gzip", weights.get("x-gzip", rest)), "deflate": weights.get("deflate", rest)}
    best = max(liked, key=lambda name: liked[name])
    return best if liked[best] > 0 else ""


def response(body: bytes, coding: str) -> Response:
    """200 with a message, compressed if the party asked for it."""
    headers = {"content-type": CONTENT_TYPE}
    if coding:
        headers["content-encoding"] = coding
        body = _compressed(body, coding)
    return Response(status=200, body=body, headers=headers)


def retry_after_s(answer: Response) -> float:
    """How long a peer that is busy wants to be left alone, within reason; 0 if it does not say.

    Interpretation: only a number of seconds is read; a date would be the peer's clock, and is passed over.
    """
    told = answer.headers.get("retry-after", "")
    return min(float(told), RETRY_AFTER_MAX_S) if told.isascii() and told.isdigit() else 0.0


def inflated(body: bytes, coding: str, *, max_bytes: int) -> bytes:
    """What was compressed with a coding that we offered; MalformedMessage if it was not, or is too much."""
    if coding not in {"gzip", "deflate"}:
        raise MalformedMessage("compressed in a way that was not asked for", clause="T7")
    unpacker = zlib.decompressobj(GZIP_WINDOW if coding == "gzip" else zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise MalformedMessage(f"no {coding}", clause="T7") from None
    if len(plain) > max_bytes:
        raise MalformedMessage(f"more than {max_bytes} bytes when inflated", clause="T7")
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedMessage(f"cut short, or followed by something that is no {coding}", clause="T7")
    return plain


def _compressed(body: bytes, coding: str) -> bytes:
    packer = zlib.compressobj(FAST, zlib.DEFLATED, GZIP_WINDOW if coding == "gzip" else zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _weights(header: str) -> dict[str, float]:
    """What a list of preferences says of each name, in lower case (RFC 9110, 12.4.2)."""
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = item.split(";")
        weights[name.strip()] = next(
            (_weight(value) for key, _, value in (one.partition("=") for one in parameters) if key.strip() == "q"), 1.0
        )
    return weights


def _weight(value: str) -> float:
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
