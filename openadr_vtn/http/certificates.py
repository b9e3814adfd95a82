"""The VTN's own certificates: the TLS contexts of its listeners, and how they are renewed while it serves."""

import ssl
from collections.abc import Callable
from datetime import datetime

from openadr_core.errors import CertificateRejected, ConfigError
from openadr_core.oadr2.xmldsig import KeyKind, Signer, signer_of
from openadr_core.shell.metrics import CertificateGauge
from openadr_core.shell.tls import Chain, PresetName, client_context, refuse_expired, reload, server_context
from openadr_vtn.settings import CertificateSettings, Settings

OADR3_PRESET: PresetName = "oadr3"
"""For operators too: it is the same API."""


class OwnCertificates:
    """ConfigError, when it is made, names a file that cannot be used or a certificate that ends within a day."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._now = now
        self._settings = settings
        self._party_chains = _chains(settings.parties.certificates)
        self._operator_chains = _chains(settings.operator.certificates)
        self._sep2_chains = [] if settings.sep2 is None else _chains(settings.sep2.certificates)
        self._oadr3_chains = _chains(settings.oadr3.certificates)
        self._look(forced=False)
        trust = settings.operator.client_trust
        oadr3 = settings.oadr3
        self.for_parties: ssl.SSLContext = server_context(
            settings.parties.profile, self._party_chains, settings.parties.trust
        )
        first, *others = self._party_chains
        # A VEN is known by its certificate, not by its name.
        self.for_pushes: ssl.SSLContext = client_context(
            settings.parties.profile, first, settings.parties.trust, others=others, check_hostname=False
        )
        self.for_operators: ssl.SSLContext = server_context(
            OADR3_PRESET, self._operator_chains, trust, "required" if trust else "none"
        )
        self.for_oadr3: ssl.SSLContext | None = None
        if oadr3.certificates:
            # OpenADR 3.1 does not ask for client certificates: who shows one is known by it too.
            self.for_oadr3 = server_context(
                OADR3_PRESET, self._oadr3_chains, oadr3.client_trust, "optional" if oadr3.client_trust else "none"
            )

        self.for_sep2: ssl.SSLContext | None = None
        self.for_sep2_notifications: ssl.SSLContext | None = None
        if settings.sep2 is not None:
            self.for_sep2 = server_context(settings.sep2.profile, self._sep2_chains, settings.sep2.trust)
            own, *more = self._sep2_chains
            trusted = [*settings.sep2.trust, *settings.sep2.notifications.trust]
            self.for_sep2_notifications = client_context(
                settings.sep2.profile, own, trusted, others=more, check_hostname=False
            )

    def renew(self) -> None:
        """Take what the files hold now: new connections get it, none is cut.

        ConfigError if one cannot be used; that listener keeps what it has.
        """
        self._look(forced=False)
        for context in (self.for_parties, self.for_pushes):
            reload(context, self._settings.parties.profile, self._party_chains, self._settings.parties.trust)
        reload(self.for_operators, OADR3_PRESET, self._operator_chains, self._settings.operator.client_trust)
        if self.for_oadr3 is not None:
            reload(self.for_oadr3, OADR3_PRESET, self._oadr3_chains, self._settings.oadr3.client_trust)
        for of_sep2 in (self.for_sep2, self.for_sep2_notifications):
            if of_sep2 is not None and self._settings.sep2 is not None:
                reload(of_sep2, self._settings.sep2.profile, self._sep2_chains, self._settings.sep2.trust)

    def remind(self) -> None:
        """Say in the log which of them end soon (2.0b 10.4): to be called every day."""
        self._look(forced=True)

    def may_speak_to_parties(self) -> bool:
        """Whether none of those that parties see has ended: then nothing may be said any more (2.0b R516).

        Interpretation: which of them a party was shown is not known for every connection, so one that
        has ended silences all. Nobody is taken by surprise: the last two months are full of warnings.
        """
        return self._now() < self._parties_until

    @property
    def _all_chains(self) -> list[Chain]:
        return [*self._party_chains, *self._operator_chains, *self._oadr3_chains, *self._sep2_chains]

    def _look(self, *, forced: bool) -> None:
        ends = refuse_expired(self._all_chains, self._now(), forced=forced)
        self._parties_until = min(ends[chain.certificate] for chain in self._party_chains)

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
        for chain in self._all_chains:
            gauge.watch(chain.certificate.stem, chain.certificate.read_bytes())


def _chains(certificates: tuple[CertificateSettings, ...]) -> list[Chain]:
    return [Chain(certificate=pair.certificate, key=pair.key) for pair in certificates]
