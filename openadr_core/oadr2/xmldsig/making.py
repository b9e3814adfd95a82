"""Signing: a message in its envelope gets its signature put in before the object that it signs.

Nothing of the message is written again, so what is sent is what was signed, byte for byte.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from openadr_core.errors import LocalProtocolError
from openadr_core.limits import XML_REPORT_BODY_MAX_BYTES, XML_REPORT_MARKUP_MAX
from openadr_core.oadr2.xmldsig.keys import Signer
from openadr_core.oadr2.xmldsig.names import C14N, DS, DSP, SHA256
from openadr_core.xml.fields import date_time_text
from openadr_core.xml.parse import parse

_OBJECT = b"<oadr:oadrSignedObject"
_END = b"</oadr:oadrPayload>"
_DECLARATION = re.compile(rb' xmlns:([A-Za-z]+)="([^"&]*)"')
_FOREIGN = re.compile(rb"xmlns|/>|<!|<\?|&#|='")
"""What our own writing has not, and what is in others' that is carried as it came (Green Button): only without it is a
message canonical as it stands, but for the declarations of its root."""
_OBJECT_ID = "oadrSignedObject"
_REPLAY_ID = "replayProtect"
_SIGNATURE_ID = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message of which all is done that is the same each time it is signed."""

    body: bytes
    at: int
    """Where in the body the signature goes."""
    digest: str
    """Of the signed object."""
    scope: str
    """The namespaces in scope where the signature will stand: inclusive C14N signs them too."""


def prepare(body: bytes) -> Prepared:
    """``body`` is an unsigned envelope, as :mod:`openadr_core.oadr2.encode` writes it."""
    at = body.find(_OBJECT)
    if at < 0 or b":Signature" in body[:at]:
        raise LocalProtocolError("only an unsigned message of our own can be signed")
    declared = {found[1].decode(): found[2].decode() for found in _DECLARATION.finditer(body, 0, at)}
    if _FOREIGN.search(body, at):
        digest = _digest_of_tree(body)
    else:
        # Four times faster than by way of a tree.
        digest = _digest(_OBJECT + _scope(declared).encode() + body[at + len(_OBJECT) : -len(_END)])
    return Prepared(body=body, at=at, digest=digest, scope=_scope(declared | {"ds": DS}))


def _scope(namespaces: Mapping[str, str]) -> str:
    """As Canonical XML writes declarations: in the order of their prefixes."""
    return "".join(f' xmlns:{prefix}="{name}"' for prefix, name in sorted(namespaces.items()))


def _digest_of_tree(body: bytes) -> str:
    root = parse(body, max_bytes=XML_REPORT_BODY_MAX_BYTES, max_markup=XML_REPORT_MARKUP_MAX)
    return _digest(etree.tostring(root[-1], method="c14n"))


def signed(message: Prepared, signer: Signer, *, sent_at: datetime, nonce: str) -> bytes:
    """The envelope, signed. ``nonce`` is fresh for every sending (2.0b 10.6.4)."""
    properties = _properties(sent_at, nonce)
    replay_digest = _digest(f'<ds:Object{message.scope} Id="{_REPLAY_ID}">{properties}</ds:Object>'.encode())
    info = _signed_info(signer.method, message.digest, replay_digest)
    value = signer.sign(f"<ds:SignedInfo{message.scope}>{info}</ds:SignedInfo>".encode())
    signature = (
        f'<ds:Signature xmlns:ds="{DS}" Id="{_SIGNATURE_ID}"><ds:SignedInfo>{info}</ds:SignedInfo>'
        f"<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{signer.certificate_text}</ds:X509Certificate></ds:X509Data>"
        f'</ds:KeyInfo><ds:Object Id="{_REPLAY_ID}">{properties}</ds:Object></ds:Signature>'
    )
    return message.body[: message.at] + signature.encode() + message.body[message.at :]


# What is signed of our own writing below is canonical as it stands: no empty tag, attributes in order, nothing to
# escape; the first tag alone has to name, when it is signed, the namespaces that it has from its parents.


def _signed_info(method: str, object_digest: str, replay_digest: str) -> str:
    references = "".join(
        f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue>'
        "</ds:Reference>"
        for name, digest in ((_OBJECT_ID, object_digest), (_REPLAY_ID, replay_digest))
    )
    return (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>{references}'
    )


def _properties(sent_at: datetime, nonce: str) -> str:
    return (
        f'<ds:SignatureProperties><ds:SignatureProperty Target="#{_SIGNATURE_ID}"><dsp:ReplayProtect xmlns:dsp="{DSP}">'
        f"<dsp:timestamp>{date_time_text(sent_at)}</dsp:timestamp><dsp:nonce>{nonce}</dsp:nonce>"
        "</dsp:ReplayProtect></ds:SignatureProperty></ds:SignatureProperties>"
    )


def _digest(canonical: bytes) -> str:
    return base64.b64encode(hashlib.sha256(canonical).digest()).decode()
