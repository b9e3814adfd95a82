"""Signs messages, well and otherwise."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property

from conformance.client.steps import Seal
from conformance.openadr20b import NAMESPACES, envelope
from openadr_core.errors import ConfigError
from openadr_core.oadr2.xmldsig import Signer, prepare, signed, signer_of
from openadr_core.shell.tls import Chain

LONG_AGO = timedelta(days=1)
"""More than any two clocks may differ by."""
_START = b'<oadr:oadrSignedObject oadr:Id="oadrSignedObject">'
_END = b"</oadr:oadrSignedObject>"
_SIGNATURE_END = b"</ds:Signature>"
_HARMLESS = envelope(
    '<oadr:oadrResponse ei:schemaVersion="2.0b"><ei:eiResponse><ei:responseCode>200</ei:responseCode>'
    "<pyld:requestID></pyld:requestID></ei:eiResponse></oadr:oadrResponse>"
).replace("<oadr:oadrPayload", f'<oadr:oadrPayload xmlns:ds="{NAMESPACES["ds"]}"')
"""What anybody may hear. The prefix of signatures is in scope at once, as it is when it stands inside of one: its
canonical form is the same in both places."""


def now() -> datetime:
    return datetime.now(UTC)


def is_envelope(body: bytes) -> bool:
    """Whether there is something in it that can be signed."""
    return _START in body


class Sealing:
    """One identity's signatures, and what looks like them."""

    def __init__(self, chain: Chain, *, another: Chain, utc: Callable[[], datetime] = now) -> None:
        """``another`` is whose signature nobody should take for this identity's."""
        self._chain = chain
        self._another = another
        self._utc = utc
        self._last = b""

    @cached_property
    def _signer(self) -> Signer:
        return _signer(self._chain)

    def ordinary(self, body: bytes) -> bytes:
        """Signed well; ``again`` does not mean this one."""
        return self._signed(body, self._signer, self._utc())

    def sealed(self, body: bytes, seal: Seal) -> bytes:
        match seal:
            case Seal.NONE:
                sealed = body
            case Seal.GOOD:
                sealed = self._last = self.ordinary(body)
            case Seal.AGAIN:
                sealed = self._again()
            case Seal.OLD:
                sealed = self._signed(body, self._signer, self._utc() - LONG_AGO)
            case Seal.TAMPERED:
                # A blank more is another content, and as valid as before.
                sealed = self.ordinary(body).replace(_END, b" " + _END)
            case Seal.ANOTHER:
                sealed = self._signed(body, _signer(self._another), self._utc())
            case Seal.WRAPPED:
                sealed = self._wrapped(body)
        return sealed

    def _again(self) -> bytes:
        if not self._last:
            raise ConfigError("seal: again: nothing was signed well before")
        return self._last

    def _wrapped(self, body: bytes) -> bytes:
        """The signed object is carried in a corner of its signature, and ``body`` stands where it stood."""
        harmless = self.ordinary(_HARMLESS.encode())
        signature = harmless[harmless.index(b"<ds:Signature") : harmless.index(_SIGNATURE_END)]
        carried = harmless[harmless.index(_START) : harmless.index(_END) + len(_END)]
        corner = signature + b"<ds:Object>" + carried + b"</ds:Object>" + _SIGNATURE_END
        return body.replace(_START, corner + _START.replace(b'"oadrSignedObject"', b'"forged"'))

    def _signed(self, body: bytes, signer: Signer, sent_at: datetime) -> bytes:
        return signed(prepare(body), signer, sent_at=sent_at, nonce=secrets.token_hex(16))


def _signer(chain: Chain) -> Signer:
    return signer_of(chain.certificate.read_bytes(), chain.key.read_bytes())
