"""The HTTP rules of 2.0b (9.1) that stand before any message: what is refused, how answers are packed."""

import zlib
from collections.abc import Mapping

from openadr_core.exchange import Request, Response
from openadr_core.oadr2.decode import LARGE, PLAIN, Limits

SERVICES: Mapping[str, Limits] = {
    name: LARGE if name == "EiReport" else PLAIN
    for name in ("EiEvent", "EiReport", "EiRegisterParty", "EiOpt", "OadrPoll")
}
"""The services of a VTN (9.1.2), and how much each takes."""

BASE = "/OpenADR2/Simple/2.0b/"
CONTENT_TYPE = "application/xml"
GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's way to say gzip."""
FAST = 1
"""Compression level: messages are small, and the rule asks for compression, not for much of it."""


class HttpRefusal(Exception):
    """A request that gets a status and nothing else."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def service_of(request: Request, *, prefix: str = "") -> str:
    """The service asked for; raises :class:`HttpRefusal` for what is no 2.0b request at all."""
    if request.method != "POST":
        raise HttpRefusal(501, "only POST is done")  # T2
    base = prefix + BASE
    service = request.path.removeprefix(base)
    if not request.path.startswith(base) or service not in SERVICES:
        raise HttpRefusal(404, "no such service")  # T8
    if "transfer-encoding" in request.headers:
        raise HttpRefusal(411, "chunked transfer encoding")  # T6
    if not is_xml(request.headers.get("content-type", "")):
        raise HttpRefusal(406, "the content is not application/xml")  # T5, T8
    if len(request.body) > SERVICES[service].max_bytes:
        raise HttpRefusal(413, "the body is too large")
    return service


def is_xml(content_type: str) -> bool:
    """T5: ``application/xml``, with no charset or with UTF-8, the only one there is.

    Interpretation: the standard wants exactly ``; charset=utf-8``; case, space and quotes are
    forgiven, as HTTP forgives them.
    """
    kind, _, parameters = content_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    return kind.strip() == CONTENT_TYPE and charset in {"", "charset=utf-8"}


def content_coding(accept_encoding: str) -> str:
    """T7: one of the codings that the party lists; empty if it lists none that we can do."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.partition(";")
        weights[name.strip()] = _weight(parameter)
    for name in ("gzip", "deflate"):
        if weights.get(name, weights.get("*", 0.0)) > 0:
            return name
    return ""


def response(body: bytes, coding: str) -> Response:
    """200 with a message, compressed if the party asked for it."""
    headers = {"content-type": CONTENT_TYPE}
    if coding:
        headers["content-encoding"] = coding
        body = _compressed(body, coding)
    return Response(status=200, body=body, headers=headers)


def _compressed(body: bytes, coding: str) -> bytes:
    packer = zlib.compressobj(FAST, zlib.DEFLATED, GZIP_WINDOW if coding == "gzip" else zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
