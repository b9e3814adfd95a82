"""A signer of our own making that signs anything in any shape: what a stranger's library, or an attacker, may send.

It shares no code with the product: the parts of a signature are texts with places to fill in, and the
canonical forms are computed over the finished document.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
DSP = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"
OADR = "http://openadr.org/oadr-2.0b/2012/07"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = f"{DS}sha1"

Element = etree._Element
Change = Callable[[Element], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A key with its certificate."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate_der: bytes

    @classmethod
    def of(cls, chain_pem: bytes, key_pem: bytes) -> "Identity":
        key = serialization.load_pem_private_key(key_pem, password=None)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        certificate = x509.load_pem_x509_certificates(chain_pem)[0]
        return cls(key=key, certificate_der=certificate.public_bytes(serialization.Encoding.DER))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.certificate_der).hexdigest()

    @property
    def method(self) -> str:
        return f"{MORE}rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else f"{MORE}ecdsa-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger:
    """How one message is signed. The defaults make a good signature."""

    identity: Identity
    sent_at: datetime
    nonce: str = "nonce-1"
    canonicalisation: str = INCLUSIVE
    method: str = ""
    """Empty: what fits the key."""
    digest: str = SHA256
    transforms: Sequence[str] | None = None
    """Algorithms of each reference's transforms; None: the canonicalisation alone."""
    transform_content: str = ""
    uris: Mapping[str, str] = field(default_factory=dict)
    """In place of the reference to ``object`` or to ``replay``."""
    replay_id_on: str = "Object"
    root_namespaces: Mapping[str, str] = field(default_factory=dict)
    key_info: str | None = None
    der_signature: bool = False

    def sign(self, body: bytes, *, before: Change | None = None, after: Change | None = None) -> bytes:
        """The unsigned envelope, signed; ``before`` and ``after`` change the tree before and after it is."""
        root = etree.fromstring(body)
        if self.root_namespaces:
            root = with_namespaces(root, self.root_namespaces)
        root.insert(0, etree.fromstring(self._signature()))
        if before is not None:
            before(root)
        self._fill_in(root)
        if after is not None:
            after(root)
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def with_(self, **changes: object) -> "Forger":
        return replace(self, **changes)  # type: ignore[arg-type]

    def _signature(self) -> str:
        chosen = self.transforms if self.transforms is not None else (self.canonicalisation,)
        transforms = "".join(
            f'<ds:Transform Algorithm="{name}">{self.transform_content}</ds:Transform>' for name in chosen
        )
        wrapped = f"<ds:Transforms>{transforms}</ds:Transforms>" if chosen else ""
        references = "".join(
            f'<ds:Reference URI="{self.uris.get(part, uri)}">{wrapped}<ds:DigestMethod Algorithm="{self.digest}"/>'
            "<ds:DigestValue/></ds:Reference>"
            for part, uri in (("object", "#oadrSignedObject"), ("replay", "#prop"))
        )
        certificate = base64.b64encode(self.identity.certificate_der).decode()
        key_info = self.key_info or f"<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
        has_id = {name: ' Id="prop"' if name == self.replay_id_on else "" for name in PLACES}
        moment = self.sent_at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        return (
            f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>'
            f'<ds:CanonicalizationMethod Algorithm="{self.canonicalisation}"/>'
            f'<ds:SignatureMethod Algorithm="{self.method or self.identity.method}"/>{references}</ds:SignedInfo>'
            f"<ds:SignatureValue/><ds:KeyInfo>{key_info}</ds:KeyInfo><ds:Object{has_id['Object']}>"
            f"<ds:SignatureProperties{has_id['SignatureProperties']}>"
            f'<ds:SignatureProperty{has_id["SignatureProperty"]} Target="#x"><dsp:ReplayProtect xmlns:dsp="{DSP}">'
            f"<dsp:timestamp>{moment}</dsp:timestamp><dsp:nonce>{self.nonce}</dsp:nonce></dsp:ReplayProtect>"
            "</ds:SignatureProperty></ds:SignatureProperties></ds:Object></ds:Signature>"
        )

    def _fill_in(self, root: Element) -> None:
        for part, reference in zip(("object", "replay"), root.iter(ds("Reference")), strict=True):
            target = root if self.uris.get(part) == "" else part_of(root, part)
            found = [*reference.iter(ds("Transform"))]
            algorithm = str(found[-1].get("Algorithm")) if found else INCLUSIVE
            content = canonical(target, algorithm)
            name = "sha1" if self.digest == SHA1 else "sha256"
            reference.find(ds("DigestValue")).text = base64.b64encode(hashlib.new(name, content).digest()).decode()  # type: ignore[union-attr]
        info = next(root.iter(ds("SignedInfo")))
        value = self._value(canonical(info, self.canonicalisation))
        next(root.iter(ds("SignatureValue"))).text = base64.b64encode(value).decode()

    def _value(self, content: bytes) -> bytes:
        key, method = self.identity.key, self.method or self.identity.method
        if method.endswith("hmac-sha256"):
            # The old trick: the public key, which everybody has, as the secret.
            code = hmac.HMAC(self.identity.certificate_der, hashes.SHA256())
            code.update(content)
            return code.finalize()
        if not method.endswith(("sha256", "sha1")):
            return b""
        algorithm = hashes.SHA1() if method.endswith("sha1") else hashes.SHA256()  # noqa: S303  # to be refused
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(content, padding.PKCS1v15(), algorithm)
        signature = key.sign(content, ec.ECDSA(algorithm))
        if self.der_signature:
            return signature
        length = (key.curve.key_size + 7) // 8
        return b"".join(number.to_bytes(length, "big") for number in decode_dss_signature(signature))


PLACES = ("Object", "SignatureProperties", "SignatureProperty")


def ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def oadr(name: str) -> str:
    return f"{{{OADR}}}{name}"


def dsp(name: str) -> str:
    return f"{{{DSP}}}{name}"


def canonical(element: Element, algorithm: str) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=algorithm.startswith(EXCLUSIVE), with_comments=False)


def part_of(root: Element, part: str) -> Element:
    if part == "object":
        return next(root.iter(oadr("oadrSignedObject")))
    return next(one for name in PLACES for one in root.iter(ds(name)) if one.get("Id"))


def with_namespaces(root: Element, namespaces: Mapping[str, str]) -> Element:
    """The same tree whose root declares these too."""
    declared: dict[Any, str] = {**root.nsmap, **namespaces}
    fuller = etree.Element(root.tag, nsmap=declared)
    fuller.extend(list(root))
    return fuller
