"""Signs requests, well and otherwise."""

import secrets
from datetime import UTC, datetime, timedelta

from conformance.client.steps import Seal
from openadr_core.oadr2.xmldsig import prepare, signed, signer_of
from openadr_core.shell.tls import Chain

LONG_AGO = timedelta(days=1)
"""More than any two clocks may differ by."""
_END = b"</oadr:oadrSignedObject>"


class Sealing:
    """One identity's signatures."""

    def __init__(self, chain: Chain) -> None:
        self._signer = signer_of(chain.certificate.read_bytes(), chain.key.read_bytes())
        self._last = b""

    def sealed(self, body: bytes, seal: Seal) -> bytes:
        if seal is Seal.AGAIN and self._last:
            return self._last
        sent_at = datetime.now(UTC) - (LONG_AGO if seal is Seal.OLD else timedelta())
        self._last = signed(prepare(body), self._signer, sent_at=sent_at, nonce=secrets.token_hex(16))
        # A blank more is another content, and as valid as before.
        return self._last.replace(_END, b" " + _END) if seal is Seal.TAMPERED else self._last
