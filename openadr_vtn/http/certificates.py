"""The VTN's own certificates: the TLS contexts of its listeners, and how they are renewed while it serves."""

import ssl
from collections.abc import Callable
from datetime import datetime

from openadr_core.errors import CertificateRejected, ConfigError
from openadr_core.oadr2.xmldsig import KeyKind, Signer, signer_of
from openadr_core.shell.metrics import CertificateGauge
from openadr_core.shell.tls import Chain, PresetName, refuse_expired, reload, server_context
from openadr_vtn.settings import CertificateSettings, Settings

OPERATOR_PRESET: PresetName = "oadr3"


class OwnCertificates:
    """ConfigError, when it is made, names a file that cannot be used or a certificate that ends within a day."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._now = now
        self._settings = settings
        self._party_chains = _chains(settings.parties.certificates)
        self._operator_chains = _chains(settings.operator.certificates)
        refuse_expired(self._party_chains + self._operator_chains, now())
        trust = settings.operator.client_trust
        self.for_parties: ssl.SSLContext = server_context(
            settings.parties.profile, self._party_chains, settings.parties.trust
        )
        self.for_operators: ssl.SSLContext = server_context(
            OPERATOR_PRESET, self._operator_chains, trust, "required" if trust else "none"
        )

    def renew(self) -> None:
        """Take what the files hold now: new connections get it, none is cut.

        ConfigError if one cannot be used; that listener keeps what it has.
        """
        refuse_expired(self._party_chains + self._operator_chains, self._now())
        reload(self.for_parties, self._settings.parties.profile, self._party_chains, self._settings.parties.trust)
        reload(self.for_operators, OPERATOR_PRESET, self._operator_chains, self._settings.operator.client_trust)

    def signers(self) -> dict[KeyKind, Signer]:
        """What messages to parties are signed with: the certificates that parties see anyway, the ECC one first."""
        found: dict[KeyKind, Signer] = {}
        for chain in self._party_chains:
            try:
                signer = signer_of(chain.certificate.read_bytes(), chain.key.read_bytes())
            except CertificateRejected as error:
                raise ConfigError(f"{chain.key}: {error}") from None
            found.setdefault(signer.kind, signer)
        return dict(sorted(found.items()))

    def show(self, gauge: CertificateGauge) -> None:
        """Tell the gauge how long each is good for."""
        for chain in self._party_chains + self._operator_chains:
            gauge.watch(chain.certificate.stem, chain.certificate.read_bytes())


def _chains(certificates: tuple[CertificateSettings, ...]) -> list[Chain]:
    return [Chain(certificate=pair.certificate, key=pair.key) for pair in certificates]
