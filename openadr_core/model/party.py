"""A VEN as the VTN knows it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from openadr_core.model.target import WHOLE_PARTY, Target, TargetKind


class SignatureRule(StrEnum):
    """Whether messages carry XML signatures besides travelling over mutual TLS (OpenADR 2.0b 10.6, R514)."""

    OFF = "off"
    """None are made, and none are looked at."""
    ACCEPT = "accept"
    """What is signed must be signed well, and is answered signed; what is not signed is taken too."""
    REQUIRE = "require"
    """What is not signed well is not processed; everything is answered signed."""


class PartyState(StrEnum):
    PENDING = "pending"
    """A trusted certificate that no operator has looked at yet: it is refused, and listed."""
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of a party; two may be current while a party rotates."""

    sha256: str
    """64 hex digits: what every request is matched on."""
    fingerprint_20b: str
    lfdi: str
    subject: str
    first_seen_at: datetime
    ends_at: datetime | None = None
    """None until it has been seen: an operator may have entered its fingerprint alone."""
    denied: bool = False
    """On the deny-list, for good: nothing is said to whoever shows it (security T12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A 2.0b registration: made by the party, ended by either side."""

    registration_id: str
    profile: str
    transport: str
    pull: bool
    report_only: bool
    xml_signature: bool
    registered_at: datetime
    transport_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    id: str
    """Ours; on the 2.0b wire it is the venID, in 3.1 the ven's id."""
    name: str
    state: PartyState
    certificates: tuple[Certificate, ...]
    first_seen_at: datetime
    targets: tuple[str, ...] = ()
    """Names that events are addressed by, granted by the operator; a party's own id and name always count."""
    registration: Registration | None = None
    poll_interval: timedelta = timedelta(seconds=10)
    signatures: SignatureRule | None = None
    """The operator's choice for this party; None: the deployment's."""

    @property
    def good_sha256(self) -> frozenset[str]:
        """The certificates that it may be known by now."""
        return frozenset(one.sha256 for one in self.certificates if not one.denied)

    def is_addressed_by(self, targets: tuple[str, ...]) -> bool:
        """Whether a program with these targets is for this party; no targets address everybody."""
        return not targets or not set(targets).isdisjoint({self.id, self.name, *self.targets})

    def share_of(self, targets: tuple[Target, ...]) -> tuple[Target, ...] | None:
        """What this party is told of an event's targets; None if the event is not for it.

        Names say which parties, the other kinds which part of what is behind them. A party is told
        of the parts that it was granted; of all of them, if the event names it by its own id or name
        and no part is known to be its. Who else is addressed is nobody's business.
        """
        parts = tuple(target for target in targets if target.kind not in WHOLE_PARTY)
        own = tuple(part for part in parts if part.kind is TargetKind.DEVICE_CLASS or part.name in self.targets)
        asked_for = {target.name for target in targets if target.kind is TargetKind.NAME}
        is_itself = (
            not asked_for.isdisjoint({self.id, self.name}) or Target(kind=TargetKind.VEN, name=self.id) in targets
        )
        if len(parts) < len(targets) and not is_itself and asked_for.isdisjoint(self.targets):
            return None
        if not parts:
            return (Target(kind=TargetKind.VEN, name=self.id),)
        return own or (parts if is_itself else None)
