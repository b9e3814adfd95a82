"""Values of IEEE 2030.5 to XML, for a reader of one profile: who speaks an older one sees nothing newer."""

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from openadr_core.sep2.devices import ConnectionPoint
from openadr_core.sep2.names import SEP, XSI, CsipAus
from openadr_core.sep2.plan import Part, parts_of
from openadr_core.sep2.subscriptions import Notification

PREFIX = "csipaus"


def encode(message: object, *, csipaus: CsipAus | None) -> bytes:
    """The document; ``csipaus`` is the version that its reader speaks, None for CSIP without it."""
    name = type(message).__name__
    spaces = f' xmlns="{SEP}" xmlns:xsi="{XSI}"'
    if csipaus is not None:
        spaces += f' xmlns:{PREFIX}="{csipaus.value}"'
    if isinstance(message, ConnectionPoint):
        name = f"{PREFIX}:{name}"
    out: list[str] = []
    _write(out, name, message, csipaus, more=spaces)
    return "".join(out).encode()


def encode_notification(notification: Notification, resource: bytes, *, csipaus: CsipAus | None) -> bytes:
    """With the very bytes that :func:`encode` made of a resource; ``resource`` is empty where there is none."""
    frame = encode(notification, csipaus=csipaus)
    if not resource:
        return frame
    name = re.match(rb"<(\w+)", resource)
    if name is None:
        raise ValueError("no resource")
    inner = b'<Resource xsi:type="%s"%s' % (name[1], resource[name.end() :])
    end = b"</%s>" % name[1]
    if inner.endswith(end):
        inner = inner.removesuffix(end) + b"</Resource>"
    before, after = frame.split(b"<status>", 1)
    return b"%s%s<status>%s" % (before, inner, after)


def _write(out: list[str], name: str, value: object, csipaus: CsipAus | None, *, more: str = "") -> None:
    kind: type = type(value)
    parts = parts_of(kind)
    attributes = "".join(
        f" {part.name}={quoteattr(_text(given))}"
        for part in parts
        if part.is_attribute and (given := getattr(value, part.field)) is not None
    )
    out.append(f"<{name}{attributes}{more}")
    opened = len(out)
    out.append(">")
    for part in parts:
        if not part.is_attribute and (part.versions is None or csipaus in part.versions):
            _write_part(out, part, getattr(value, part.field), csipaus)
    if len(out) == opened + 1:
        out[opened] = "/>"
    else:
        out.append(f"</{name}>")


def _write_part(out: list[str], part: Part, given: Any, csipaus: CsipAus | None) -> None:
    if given is None:
        return
    name = part.name if part.versions is None else f"{PREFIX}:{part.name}"
    for one in given if part.is_list else (given,):
        if not part.is_complex:
            out.append(f"<{name}>{escape(_text(one))}</{name}>")
        elif type(one) is part.type:
            _write(out, name, one, csipaus)
        else:
            _write(out, name, one, csipaus, more=f' xsi:type="{type(one).__name__}"')


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
