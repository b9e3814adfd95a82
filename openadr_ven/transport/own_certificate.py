"""The agent's own certificate: what it shows as a client and, where it is pushed to, as a server; and when it ends."""

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from openadr_core.errors import ConfigError
from openadr_core.identity import Peer, peer_of
from openadr_core.limits import CERTIFICATE_WARNING_DAYS
from openadr_core.shell.tls import Chain, client_context, refuse_expired, server_context
from openadr_ven.settings import Oadr3VtnSettings, Sep2VtnSettings, VtnSettings

Chosen = VtnSettings | Oadr3VtnSettings | Sep2VtnSettings


class OwnCertificate:
    """ConfigError, when it is made, names a file that cannot be used or a certificate that ends within a day."""

    def __init__(
        self, chosen: Chosen, now: Callable[[], datetime], *, serves: bool = False, pinned_alone: bool = False
    ) -> None:
        """``serves``: it is shown to a VTN that comes to us too; ``pinned_alone``: the VTN is known by its pin."""
        self._now = now
        if chosen.certificate is None or chosen.key is None:
            raise ConfigError("a certificate goes with its key")
        chain = Chain(certificate=chosen.certificate, key=chosen.key)
        trust = [] if chosen.trust is None else [chosen.trust]
        self.ends_at = refuse_expired([chain], now())[chain.certificate]
        der = x509.load_pem_x509_certificate(chain.certificate.read_bytes()).public_bytes(Encoding.DER)
        self.peer: Peer = peer_of(der)
        """What others know us by."""
        self.fingerprint = self.peer.fingerprint_20b
        self.as_client: ssl.SSLContext = client_context(
            chosen.profile, chain, trust, public=not trust, check_hostname=not pinned_alone
        )
        self.as_server: ssl.SSLContext | None = None
        if serves:
            self.as_server = server_context(chosen.profile, [chain], trust, every_suite=False)

    def is_good(self) -> bool:
        """With one that has ended nothing may be said (OpenADR 2.0b R516)."""
        return self._now() < self.ends_at

    def ends_soon(self) -> timedelta | None:
        """How long it is good for yet, if that is not long (10.4)."""
        left = self.ends_at - self._now()
        return left if left < timedelta(days=CERTIFICATE_WARNING_DAYS) else None
