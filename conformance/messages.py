"""The bytes of an HTTP message as a check sees them: uncompressed, and as a tree if they are XML or JSON."""

import re
import zlib
from collections.abc import Sequence

from conformance.json_tree import json_tree
from openadr_core.errors import MalformedMessage
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES, XML_REPORT_MARKUP_MAX
from openadr_core.xml.parse import Element, parse

_JSON = re.compile(r"application/([\w.-]+\+)?json\b")
MESSAGE_MAX_BYTES = XML_REPORT_BODY_MAX_BYTES
"""The peer may be anyone's: what it says is bounded like any other message."""


def read_message(headers: Sequence[tuple[str, str]], body: bytes) -> tuple[bytes, Element | None, str]:
    """The body without its Content-Encoding, its root, and why there is none."""
    try:
        body = _inflated(body, _header(headers, "content-encoding", "identity"))
        if _JSON.match(_header(headers, "content-type", "")):
            return body, json_tree(body), ""
        root = parse(body, max_bytes=MESSAGE_MAX_BYTES, max_markup=XML_REPORT_MARKUP_MAX)
    except (MalformedMessage, zlib.error, ValueError) as fault:
        return body[:MESSAGE_MAX_BYTES], None, str(fault) if str(fault).startswith("no JSON") else f"no XML: {fault}"
    return body, root, ""


def _header(headers: Sequence[tuple[str, str]], name: str, default: str) -> str:
    return next((value.lower() for key, value in headers if key.lower() == name), default)


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        return body
    if encoding not in {"gzip", "deflate"}:
        raise ValueError(f"Content-Encoding {encoding} was not asked for")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, as its header says
    inflated = inflater.decompress(body, MESSAGE_MAX_BYTES)
    if inflater.unconsumed_tail:
        raise ValueError(f"more than {MESSAGE_MAX_BYTES} bytes")
    return inflated
