"""What the application needs of the world: one store, in transactions.

A lookup answers None for what is not there; a write raises Conflict when it breaks a promise named
here, NotFound when its row is gone, and Unavailable when the database cannot be reached. Times are
arguments: a store reads no clock.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from openadr_core.model.event import DrEvent, EventStatus
from openadr_core.model.party import Party, PartyState
from openadr_core.model.program import Program
from openadr_core.oadr3.names import ObjectKind
from openadr_vtn.application.notice_ports import Notifications, ObjectChanges, Subscriptions
from openadr_vtn.application.oadr3_ports import (
    EventFilter,
    Page,
    ProgramFilter,
    ReportObjects,
    Resources,
    VenFilter,
)
from openadr_vtn.application.said_ports import Availability, Opts, Reports
from openadr_vtn.application.sep2_ports import Controls, Mirrors, Registry, Sep2Subscriptions
from openadr_vtn.domain.access import Role
from openadr_vtn.domain.delivery import Delivery, Key
from openadr_vtn.domain.errand import Errand
from openadr_vtn.domain.fan_out import EVERYBODY, FanOut, Span
from openadr_vtn.domain.pushing import PushState

K = TypeVar("K")
T = TypeVar("T")
V = TypeVar("V")

# -- what is stored, where the canonical model has no word for it ----------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProgram:
    program: Program
    document: str
    """The 3.1 object as it was written: JSON text, kept verbatim."""
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    event: DrEvent
    document: str
    """The 3.1 object as it was written: JSON text, kept verbatim."""
    removed_at: datetime | None = None
    """OpenADR 3 shows it no more, though it was not cancelled: it was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """Somebody who may ask for a token: business logic or a VEN of OpenADR 3, an operator's command line."""

    client_id: str
    name: str
    role: Role
    secret_hash: str
    """Never the secret. Empty: it has none, and its certificate alone says who it is."""
    scopes: tuple[str, ...]
    created_at: datetime
    certificate_sha256: str | None = None
    """The certificate that it must show: 64 lower-case hex digits."""
    previous_secret_hash: str = ""
    """The one before: good until ``previous_until``, so that a client can be given the new one without haste."""
    previous_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """What tokens are signed with."""

    id: str
    pem: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    at: datetime
    actor: str
    """``client:<id>``, ``party:<id>`` or ``system``."""
    action: str
    """A verb and its noun: ``approve party``."""
    subject: str
    """The id of what it was done to."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened between us and a party, for logs and metrics; no decision hangs on it."""

    kind: str
    """``event sent``, ``event answered``, ``message refused`` …"""
    party_id: str = ""
    event_id: str = ""
    detail: str = ""


Witness = Callable[[Notice], None]
"""Who is told of notices, after the commit that made them true."""


# -- repositories: each belongs to one unit of work ------------------------------------


class Programs(Protocol):
    async def add(self, stored: StoredProgram) -> None:
        """Conflict if its id, name or market context is taken."""

    async def replace(self, stored: StoredProgram) -> None: ...

    async def remove(self, program_id: str, now: datetime) -> None:
        """It is there no more, and its name and market context are free; what events say of it stays."""

    async def by_id(self, program_id: str) -> StoredProgram | None: ...

    async def all(self) -> list[StoredProgram]:
        """The newest first."""

    async def page(self, of: ProgramFilter, page: Page) -> list[StoredProgram]:
        """Likewise."""

    async def count(self, of: ProgramFilter) -> int: ...


class Events(Protocol):
    async def add(self, stored: StoredEvent) -> None:
        """Conflict if its id is taken or its program is not there."""

    async def replace(self, stored: StoredEvent) -> None:
        """Archive the version that is there and put this one in its place; Conflict unless it is the next."""

    async def reword(self, stored: StoredEvent) -> None:
        """Keep the version that is there, with this document and modification time; Conflict if it is another."""

    async def by_id(self, event_id: str) -> StoredEvent | None: ...

    async def remove(self, event_id: str, now: datetime) -> None:
        """OpenADR 3 shows it no more; what happened under it stays."""

    async def by_ids(self, event_ids: Iterable[str]) -> list[StoredEvent]: ...

    async def current(self, now: datetime) -> list[StoredEvent]:
        """Those that are not over (``delivery.over_at``), the cancelled among them too."""

    async def statuses(self, now: datetime) -> Mapping[EventStatus, int]:
        """How many of the current ones are at each; without a look at what they ask."""

    async def page(self, of: EventFilter, page: Page) -> list[StoredEvent]:
        """By priority, the highest first and none last, then the newest first."""

    async def count(self, of: EventFilter) -> int: ...

    async def next_over_at(self, now: datetime) -> datetime | None:
        """When the next of those that are not over will be; None: none ever will."""

    async def open_first(
        self, now: datetime, *, program_id: str | None = None, skip: int = 0, limit: int = 50
    ) -> list[StoredEvent]:
        """Those that are neither over nor cancelled, then the others; of each the newest first."""

    async def versions(self, event_id: str) -> list[StoredEvent]:
        """Every version that ever was, the first first."""


class Parties(Protocol):
    async def add(self, party: Party) -> None:
        """Conflict if its id, its name, its client or one of its certificates is taken."""

    async def save(self, party: Party) -> None:
        """Put this value in place of the stored one: certificates, targets and registration too."""

    async def by_certificate(self, sha256: str) -> Party | None: ...
    async def by_certificates(self, sha256s: Collection[str]) -> list[Party]: ...
    async def by_id(self, party_id: str) -> Party | None: ...
    async def by_name(self, name: str) -> Party | None: ...
    async def by_client(self, client_id: str) -> Party | None: ...
    async def by_registration(self, registration_id: str) -> Party | None: ...
    async def by_ids(self, party_ids: Iterable[str]) -> list[Party]: ...

    async def deny(self, sha256: str, reason: str, now: datetime) -> None:
        """Put a certificate on the deny-list; the party that has it must be saved, for others to hear of it."""

    async def is_denied(self, sha256: str) -> bool: ...

    async def certificates_end(self, before: datetime) -> list[datetime]:
        """When certificates of approved parties end that do so before then; no denied ones."""

    async def certified(self) -> list[Party]:
        """Those that have a certificate, and so can speak 2.0b; in the order of ``all``."""

    async def certified_exist(self) -> bool: ...

    async def within(self, span: Span, *, certified: bool = False) -> list[Party]:
        """By id."""

    async def id_after(self, party_id: str, count: int) -> str | None:
        """The id of the last of so many that come next after this one; None if there are no more than that."""

    async def all(self, state: PartyState | None = None) -> list[Party]:
        """The first seen first."""

    async def count(self, state: PartyState) -> int: ...

    async def page(self, of: VenFilter, page: Page) -> list[Party]:
        """The newest first."""

    async def count_vens(self, of: VenFilter) -> int: ...

    async def saw(self, seen_at: Mapping[str, datetime]) -> None:
        """By party id: when it was last heard. No change to anybody's rights or dues."""

    async def last_seen(self) -> dict[str, datetime]: ...


class Deliveries(Protocol):
    async def owe(self, deliveries: Sequence[Delivery]) -> None:
        """Add rows; those that are there already stay as they are."""

    async def owe_vens(self, event: DrEvent, now: datetime, span: Span) -> int:
        """Owe a new event to every ven of OpenADR 3 in that span that sees it; to how many it was not owed before.

        In one statement, however many they are.
        """

    async def owe_cancelled(self, event_id: str, event_version: int, now: datetime) -> int:
        """Owe the cancel to every party that was told of the event and not withdrawn from it; how many they are.

        In one statement: to stop is to stop for all, however many they are.
        """

    async def mark_sent(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        """One attempt more for each. Marks of two processes add up; none undoes another.

        No listener is told of marks: what another process does not know of them costs a repeat.
        """

    async def mark_fetched(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        """The first time counts, here and below."""

    async def mark_pushed(self, party_id: str, keys: Collection[Key], now: datetime) -> None:
        """Sent and fetched at once: the party has taken it from our hands."""

    async def mark_told(self, told: Collection[tuple[str, str]], now: datetime) -> None:
        """By client id and event id: the ven's webhook has taken the news. The first time counts."""

    async def mark_answered(self, party_id: str, key: Key, now: datetime) -> bool:
        """Whether it was the first time. What is answered was fetched."""

    async def mark_reported(self, party_id: str, keys: Collection[Key], now: datetime) -> None: ...

    async def of_parties(self, party_ids: Iterable[str], event_ids: Iterable[str]) -> list[Delivery]:
        """Every version of these events that is or was owed to one of these parties."""

    async def of_event(self, event_id: str, span: Span = EVERYBODY) -> list[Delivery]:
        """Every version and party, by version, then by the time of entitlement."""

    async def unreported(self, party_id: str, now: datetime) -> list[Delivery]:
        """Of events that are not over: news to the party under which it has reported nothing."""

    async def certified_told(self, event_id: str) -> bool:
        """Whether it was ever owed to a party that has a certificate, and so can speak 2.0b."""

    async def count_unanswered(self, now: datetime) -> int:
        """Answers that parties owe to the newest versions of events that are not over.

        A ven of OpenADR 3, which no certificate makes a 2.0b party, owes none.
        """


class FanOuts(Protocol):
    """Events whose news is still to be written out to parties."""

    async def put(self, fan_out: FanOut) -> None:
        """In place of an earlier one of the event."""

    async def end(self, event_id: str) -> None:
        """Nothing happens if there is none."""

    async def of_event(self, event_id: str) -> FanOut | None: ...

    async def all(self) -> list[FanOut]:
        """The oldest first."""


class Errands(Protocol):
    async def add(self, errand: Errand) -> None:
        """Behind all that waits for the party already; Conflict if its id is taken."""

    async def of_parties(self, party_ids: Iterable[str]) -> list[Errand]:
        """In the order they were added."""

    async def mark_sent(self, errand: Errand, now: datetime) -> None:
        """One attempt more. No listener is told of marks, as with deliveries."""

    async def mark_heard(self, errand: Errand, now: datetime) -> None:
        """The first time counts."""

    async def remove(self, errand: Errand) -> None:
        """Nothing happens if it is gone."""

    async def clear(self, party_id: str) -> None:
        """Nothing waits for the party any more."""


class Nonces(Protocol):
    """What signed messages have used up: each names one that no other message may name (2.0b R514)."""

    async def claim(self, claims: Mapping[str, datetime]) -> set[str]:
        """Claim keys, each until a moment; those that nobody had claimed before, in any process."""

    async def forget(self, before: datetime) -> None:
        """Give up those that were claimed until before then."""


class Pushes(Protocol):
    """How pushing goes. No listener is told of it: nobody's rights or dues change."""

    async def party_ids(self, among: Collection[str] | None = None) -> list[str]:
        """Parties that are approved, registered, and pushed to; all of them, or those of ``among``."""

    async def of_parties(self, party_ids: Collection[str]) -> dict[str, PushState]:
        """By party id; a party that was never pushed to has none."""

    async def save(self, states: Sequence[PushState]) -> None:
        """In place of the earlier ones."""

    async def forget(self, party_id: str) -> None:
        """Nothing is known of the party: it is tried at once."""


class Duties(Protocol):
    async def hold(self, name: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Whether the duty is this holder's from now on: it was already, or nobody's, or its term had run out."""


class Clients(Protocol):
    async def add(self, client: ApiClient) -> None:
        """Conflict if its id or its certificate is another client's."""

    async def update(self, client: ApiClient) -> None:
        """NotFound if it is not there; Conflict if another client has the certificate."""

    async def remove(self, client_id: str) -> None: ...
    async def by_id(self, client_id: str) -> ApiClient | None: ...

    async def all(self) -> list[ApiClient]:
        """The oldest first."""


class Keys(Protocol):
    async def add(self, key: SigningKey) -> None: ...
    async def remove(self, key_id: str) -> None: ...

    async def all(self) -> list[SigningKey]:
        """The newest first: it signs, all verify."""


class Receipts(Protocol):
    """What was answered to a command that carried a key of its sender's, so that a repeat is answered the same."""

    async def add(self, actor: str, key: str, answer: str, now: datetime) -> None:
        """Conflict if the actor has used the key."""

    async def by_key(self, actor: str, key: str) -> str | None: ...


class Audit(Protocol):
    async def append(self, entry: AuditEntry) -> None: ...

    async def newest(self, limit: int) -> list[AuditEntry]: ...

    async def of_subject(self, subject: str, action: str) -> list[AuditEntry]:
        """What was done to it in that way, the oldest first."""


class UnitOfWork(Protocol):
    """One transaction."""

    async def alone(self) -> None:
        """Wait for every other transaction that is alone, and read what it has left; ends with the transaction.

        Who is entitled is read from events and from parties: of two that each write one and read
        the other, one must see what the other wrote.
        """

    @property
    def programs(self) -> Programs: ...
    @property
    def events(self) -> Events: ...
    @property
    def parties(self) -> Parties: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def fan_outs(self) -> FanOuts: ...
    @property
    def errands(self) -> Errands: ...
    @property
    def nonces(self) -> Nonces: ...
    @property
    def pushes(self) -> Pushes: ...
    @property
    def duties(self) -> Duties: ...
    @property
    def opts(self) -> Opts: ...
    @property
    def availability(self) -> Availability: ...
    @property
    def reports(self) -> Reports: ...
    @property
    def object_changes(self) -> ObjectChanges: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def notifications(self) -> Notifications: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def report_objects(self) -> ReportObjects: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def controls(self) -> Controls: ...
    @property
    def mirrors(self) -> Mirrors: ...
    @property
    def sep2_subscriptions(self) -> Sep2Subscriptions: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def receipts(self) -> Receipts: ...
    @property
    def audit(self) -> Audit: ...


Listener = Callable[[frozenset[str] | None], None]
"""Told which parties' rights or dues a commit may have changed; None: anybody's."""


class Gather(Protocol):
    """Makes one question of many that are asked at a time."""

    def __call__(
        self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, at_most: int
    ) -> Callable[[K], Awaitable[V]]: ...


class Store(Protocol):
    def unit_of_work(self, *, brief: bool = False) -> AbstractAsyncContextManager[UnitOfWork]:
        """Committed, and on the disk, when the block ends; rolled back when it raises.

        ``brief`` says that each statement takes less than a millisecond or so: it may be carried out in place.
        """

    async def together(self, party_id: str, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """What the work of this party returns, once it is committed, and on the disk: maybe with that of others.

        Raises what the work raises, or Unavailable, with nothing of it done; others' work is none the worse
        for it. A party's works are done in order. The work may be done twice, the first time in vain:
        it changes nothing but the store, and is alone with nobody (:meth:`UnitOfWork.alone`).
        """

    def view(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """One moment's state, to read only; it waits for no writer."""

    def changes(self) -> int:
        """Grows with every commit that may change a party's rights or dues, or an object of OpenADR 3, anywhere."""

    def revision(self, kinds: Iterable[ObjectKind]) -> str:
        """Another text whenever an object of these kinds may have been written, here or in another process."""

    def revision_of_groups(self, group_ids: Iterable[int]) -> str:
        """Another text whenever controls, defaults or curves of these IEEE 2030.5 groups may have been written."""

    def subscribe(self, listener: Listener) -> None:
        """Called after each such commit, before ``unit_of_work`` ends."""

    async def probe(self) -> None:
        """Return if the database answers; Unavailable if not."""

    async def close(self) -> None: ...
