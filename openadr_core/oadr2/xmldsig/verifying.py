"""Verifying: one shape, every element in its place, and only what was verified is given back.

Nothing is searched for: each part is the one child at the one place where it must be, and a
reference counts only if it names that very part. So a part that was moved, doubled or wrapped is
not found, whatever it is called.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from openadr_core.errors import SchemaViolation, SignatureFault
from openadr_core.oadr2.names import OADR
from openadr_core.oadr2.xmldsig.keys import Holder, holder_of, is_signed_by
from openadr_core.oadr2.xmldsig.names import DS, DSP, IS_EXCLUSIVE, SHA256
from openadr_core.xml.fields import date_time_of
from openadr_core.xml.parse import Element

NONCE_MAX_CHARS = 256


def _ds(*names: str) -> list[str]:
    return [f"{{{DS}}}{name}" for name in names]


_SIGNED_OBJECT = f"{{{OADR}}}oadrSignedObject"
_OBJECT_ID = f"{{{OADR}}}Id"
_SIGNATURE = f"{{{DS}}}Signature"
_REPLAY_PROTECT = f"{{{DSP}}}ReplayProtect"

# What each element holds, in this order and nothing else.
_IN_ENVELOPE = [_SIGNATURE, _SIGNED_OBJECT]
_IN_SIGNATURE = _ds("SignedInfo", "SignatureValue", "KeyInfo", "Object")
_IN_SIGNED_INFO = _ds("CanonicalizationMethod", "SignatureMethod", "Reference", "Reference")
_IN_REFERENCE = _ds("Transforms", "DigestMethod", "DigestValue")
_IN_TRANSFORMS = _ds("Transform")
_IN_OBJECT = _ds("SignatureProperties")
_IN_PROPERTIES = _ds("SignatureProperty")
_IN_PROPERTY = [_REPLAY_PROTECT]
_IN_REPLAY_PROTECT = [f"{{{DSP}}}timestamp", f"{{{DSP}}}nonce"]
_CERTIFICATE = "/".join(_ds("X509Data", "X509Certificate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayProtect:
    """What keeps a message from being sent twice (2.0b 10.6.4)."""

    sent_at: datetime
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a good signature vouches for."""

    signed_object: Element
    """The element that was canonicalised and compared: whoever reads the message reads it here."""
    replay_protect: ReplayProtect
    holder: Holder
    """Of the certificate that the signature brought: whether it may sign is yet to be judged."""


def is_signed(envelope: Element) -> bool:
    """Whether the envelope claims to be."""
    return bool(len(envelope)) and envelope[0].tag == _SIGNATURE


def verify(envelope: Element) -> Verified:
    """What is signed in a valid ``oadrPayload``, and by whom; SignatureFault if anything is not as it must be.

    Who may sign, and when, is the caller's to judge.
    """
    try:
        return _verify(envelope)
    except etree.C14NError:
        # A namespace that is no absolute URI has no canonical form.
        raise SignatureFault("the message cannot be canonicalised") from None


def _verify(envelope: Element) -> Verified:
    signature, signed_object = _parts(envelope, _IN_ENVELOPE)
    _refuse_second_ones(envelope)
    info, value, key_info, signed_too = _parts(signature, _IN_SIGNATURE)
    canonicalisation, signature_method, *references = _parts(info, _IN_SIGNED_INFO)
    method = _algorithm(signature_method)
    replay_parts, replay_protect = _replay_protect(signed_too)
    _refuse_wrong_references(references, signed_object, replay_parts)
    holder = _holder(key_info)
    content = _canonical(info, _canonicalisation(canonicalisation))
    if not is_signed_by(holder.key, method, _octets(value), content):
        raise SignatureFault("the signature is wrong")
    return Verified(
        signed_object=signed_object,
        replay_protect=replay_protect,
        holder=holder,
    )


def _refuse_second_ones(envelope: Element) -> None:
    """One signature, one signed object, one ReplayProtect: a second one anywhere is somebody's trick."""
    if sum(1 for _ in envelope.iter(_SIGNATURE, _SIGNED_OBJECT, _REPLAY_PROTECT)) != 3:
        raise SignatureFault("the message holds a second signature, signed object or ReplayProtect")


def _replay_protect(holder: Element) -> tuple[tuple[Element, ...], ReplayProtect]:
    """The elements that a reference may name to sign the ReplayProtect, and what it says.

    Interpretation: 10.6.4 does not say which of the elements around it has the id that is referred to.
    """
    (properties,) = _parts(holder, _IN_OBJECT)
    (one,) = _parts(properties, _IN_PROPERTIES)
    (protect,) = _parts(one, _IN_PROPERTY)
    timestamp, nonce = _parts(protect, _IN_REPLAY_PROTECT)
    text = (nonce.text or "").strip()
    if not 0 < len(text) <= NONCE_MAX_CHARS or len(nonce) or len(timestamp):
        raise SignatureFault("the nonce is missing or too long")
    try:
        sent_at = date_time_of(timestamp)
    except SchemaViolation:
        raise SignatureFault("the timestamp of the signature is no time in UTC") from None
    return (holder, properties, one), ReplayProtect(sent_at=sent_at, nonce=text)


def _refuse_wrong_references(references: list[Element], signed_object: Element, replay: tuple[Element, ...]) -> None:
    """Exactly two: one to the signed object, one to what holds the ReplayProtect, both as they are."""
    named: dict[str, Element] = {}
    for element, name in ((signed_object, signed_object.get(_OBJECT_ID)), *((one, one.get("Id")) for one in replay)):
        if name and named.setdefault(f"#{name}", element) is not element:
            raise SignatureFault("two parts of the message have one id")
    targets = [named.get(reference.get("URI", "")) for reference in references]
    if None in targets or targets.count(signed_object) != 1:
        raise SignatureFault("the signature does not refer to the signed object and the ReplayProtect")
    for reference, target in zip(references, targets, strict=True):
        if target is not None and _digest(target, _transform(reference)) != _octets(reference[-1]):
            raise SignatureFault("the message is not the one that was signed")


def _transform(reference: Element) -> bool:
    """Whether its canonicalisation is exclusive; without a transform it is C14N 1.0 (XML Signature 4.4.3.2)."""
    has_none = len(reference) == 2
    _parts(reference, _IN_REFERENCE[has_none:])
    if _algorithm(reference[-2]) != SHA256:
        raise SignatureFault("the digest is not SHA-256")
    if has_none:
        return False
    (transform,) = _parts(reference[0], _IN_TRANSFORMS)
    return _canonicalisation(transform)


def _canonicalisation(element: Element) -> bool:
    found = IS_EXCLUSIVE.get(_algorithm(element))
    if found is None:
        raise SignatureFault("a transform of the signature is not Canonical XML 1.0")
    return found


def _algorithm(element: Element) -> str:
    """The algorithm that the element names; none is spoken here that has parameters."""
    if len(element):
        raise SignatureFault("an algorithm of the signature has parameters")
    return element.get("Algorithm", "")


def _holder(key_info: Element) -> Holder:
    """Interpretation: KeyInfo may say more; its first certificate is the signer's, and nothing else in it is read."""
    first = key_info.find(_CERTIFICATE)
    if first is None:
        raise SignatureFault("the signature brings no certificate")
    try:
        return holder_of(_octets(first))
    except ValueError:
        raise SignatureFault("the certificate of the signature cannot be read") from None


def _canonical(element: Element, exclusive: bool) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False)


def _digest(element: Element, exclusive: bool) -> bytes:
    return hashlib.sha256(_canonical(element, exclusive)).digest()


def _octets(element: Element) -> bytes:
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except ValueError:
        raise SignatureFault("a value of the signature is not base64") from None


def _parts(parent: Element, tags: list[str]) -> list[Element]:
    """The children, which must be these and no others."""
    children = list(parent)
    if [child.tag for child in children] != tags:
        raise SignatureFault("the signature has another shape than the one that is read here")
    return children
