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
    enrolled_w: float | None = None
    """The relief that its owner has signed up for, as the operator has written it down; None: nobody has."""
    client_id: str | None = None
    """The OAuth client that it is in OpenADR 3; None: it speaks other protocols alone."""
    resource_targets: tuple[str, ...] = ()
    """Granted to what it has told as its resources, and so to it (OpenADR 3.1)."""
    document: str = "{}"
    """The 3.1 ven as it was written: JSON text, kept verbatim."""
    modified_at: datetime | None = None
    """When that was written last; None: never."""

    @property
    def good_sha256(self) -> frozenset[str]:
        """The certificates that it may be known by now."""
        return frozenset(one.sha256 for one in self.certificates if not one.denied)

    @property
    def own_names(self) -> frozenset[str]:
        """What it is addressed by without a grant.

        Interpretation: a ven of OpenADR 3 chooses its own name, and could choose a target that others were granted.
        A name counts where an operator has given it, to a party that is known by its certificate.
        """
        return frozenset({self.id, self.name} if self.certificates else {self.id})

    @property
    def granted(self) -> frozenset[str]:
        """The targets that OpenADR 3.1 lets it see objects by; its own id is one, for it says no more than the ven."""
        return frozenset({self.id, *self.targets, *self.resource_targets})

    def is_addressed_by(self, targets: tuple[str, ...]) -> bool:
        """Whether a program with these targets is for this party; no targets address everybody."""
        return not targets or not self.own_names.union(self.targets).isdisjoint(targets)

    def share_of(self, targets: tuple[Target, ...]) -> tuple[Target, ...] | None:
        """What this party is told of an event's targets; None if the event is not for it.

        Names say which parties, the other kinds which part of what is behind them. A party is told
        of the parts that it was granted; of all of them, if the event names it by its own id or name
        and no part is known to be its. Who else is addressed is nobody's business.
        """
        parts = tuple(target for target in targets if target.kind not in WHOLE_PARTY)
        own = tuple(part for part in parts if part.kind is TargetKind.DEVICE_CLASS or part.name in self.targets)
        asked_for = {target.name for target in targets if target.kind is TargetKind.NAME}
        is_itself = not asked_for.isdisjoint(self.own_names) or Target(kind=TargetKind.VEN, name=self.id) in targets
        if len(parts) < len(targets) and not is_itself and asked_for.isdisjoint(self.targets):
            return None
        if not parts:
            return (Target(kind=TargetKind.VEN, name=self.id),)
        return own or (parts if is_itself else None)
