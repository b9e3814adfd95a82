"""What a session of IEEE 2030.5 is told when it is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from openadr_core.model.target import Target
from openadr_ven.application.device_metering import DeviceNow
from openadr_ven.protocols.sep2.calls import Speech
from openadr_ven.protocols.sep2.identity import Identity
from openadr_ven.protocols.sep2.meaning import Ratings
from openadr_ven.protocols.sep2.mirroring import POST_RATE_S

WHOLE_FLEET = ""
"""In the place of an LFDI, where the server knows no device besides ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sep2Settings:
    dcap: str = "/dcap"
    """The one address that we are told."""
    speech: Speech
    identity: Identity
    ratings: Ratings
    """Of the fleet: what per cents are of."""
    load_classes: tuple[str, ...] = ()
    """What loads there are, by the classes of OpenADR 2.0b."""
    post_rate_s: int = POST_RATE_S
    """How often we would post readings; the server's word counts."""
    managed: Mapping[str, "ManagedDevice"]
    """Those that we answer for besides ourselves, by LFDI."""
    nmi: str = ""
    """Of our own connection point (CSIP-AUS); empty: nobody told us."""
    stand: Callable[[str, datetime], DeviceNow] | None = None
    """How a device stands, by LFDI, or ``WHOLE_FLEET``; None: nobody knows."""
    functions: Callable[[str], int | None] = lambda _lfdi: 0
    """What a device does for the grid when it is told, by LFDI: bits of ``GridFunction``; None: not known yet."""
    notified_at: str = ""
    """Where the server tells us of changes, with a path that nobody can guess; empty: nowhere."""
    poll_jitter: float = 0.0
    longest_pause_s: float = 300.0
    enrolment_retry: timedelta

    def is_ours(self, lfdi: str) -> bool:
        return lfdi == self.identity.lfdi or lfdi in self.managed

    def ratings_of(self, lfdi: str) -> Ratings:
        return self.ratings if lfdi not in self.managed else self.managed[lfdi].ratings

    def load_classes_of(self, lfdi: str) -> tuple[str, ...]:
        return self.load_classes if lfdi not in self.managed else self.managed[lfdi].load_classes

    def nmi_of(self, lfdi: str) -> str:
        return self.nmi if lfdi not in self.managed else self.managed[lfdi].nmi

    def targets_of(self, lfdi: str) -> tuple[Target, ...]:
        return () if lfdi not in self.managed else self.managed[lfdi].targets


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedDevice:
    """A device without a certificate of its own, that the server knows and we answer for."""

    ratings: Ratings
    targets: tuple[Target, ...]
    """What of the fleet is behind it."""
    load_classes: tuple[str, ...] = ()
    nmi: str = ""
    """Of its site's connection point (CSIP-AUS); empty: nobody told us."""
