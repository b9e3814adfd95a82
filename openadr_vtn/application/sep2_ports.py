"""What the store keeps of IEEE 2030.5 (see :mod:`.ports`). Messages are kept as XML of the newest profile we speak."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.sep2.control_status import Control
from openadr_vtn.domain.sep2.registry import Aggregator, EndDevice, Group
from openadr_vtn.domain.sep2.subscribing import Subscription, SubscriptionStanding

ControlKind = Literal["DERControl", "EndDeviceControl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredControl:
    id: int
    """What its address ends in; 0 before it is stored."""
    group_id: int
    kind: ControlKind
    control: Control
    body: bytes
    """The whole message, as it was when it was made."""
    event_id: str | None = None
    """The OpenADR event that it tells of; None: an operator wrote it as it is."""
    event_version: int = 0
    """The version that asked for it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCurve:
    id: int
    group_id: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """What a device says of itself under one address."""

    body: bytes
    changed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMirror:
    """A mirrored meter."""

    number: int
    party_id: str
    lfdi: str
    mrid: str
    post_rate_s: int | None
    body: bytes
    """Without readings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """What a device said to a control."""

    id: int
    subject: str
    """The control's mRID."""
    party_id: str
    lfdi: str
    status: int
    created_at: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLogEvent:
    id: int
    created_at: int
    body: bytes


class Registry(Protocol):
    """Groups, devices, and what devices say of themselves."""

    async def groups(self) -> list[Group]: ...

    async def add_group(self, group: Group) -> Group:
        """With an id of the store's; Conflict if the name or the mRID is taken."""

    async def save_group(self, group: Group) -> None: ...
    async def save_group_rates(self, group_id: int, rates: Mapping[str, int]) -> None:
        """NotFound if it is gone."""

    async def remove_group(self, group_id: int) -> None:
        """With its controls and curves; Conflict while a group lies in it."""

    async def aggregators(self) -> list[Aggregator]: ...
    async def aggregator(self, party_id: str) -> Aggregator | None: ...
    async def save_aggregator(self, aggregator: Aggregator) -> None: ...
    async def remove_aggregator(self, party_id: str) -> None:
        """NotFound if it is none."""

    async def add_device(self, device: EndDevice) -> EndDevice:
        """With a number of the store's; Conflict if the LFDI is taken."""

    async def save_device(self, device: EndDevice) -> None: ...

    async def remove_device(self, device: EndDevice) -> None:
        """With all that it said of itself."""

    async def device(self, number: int) -> EndDevice | None: ...
    async def device_by_lfdi(self, lfdi: str) -> EndDevice | None: ...
    async def devices_called(self, lfdis: Collection[str]) -> dict[str, EndDevice]:
        """Those of these that are there, by LFDI."""

    async def devices(
        self,
        party_id: str | None = None,
        *,
        changed_after: int = 0,
        enabled: bool = False,
        skip: int = 0,
        limit: int = 500,
    ) -> list[EndDevice]:
        """By SFDI; a party's alone, if one is named; if ``enabled``, without those whose access was withdrawn."""

    async def devices_numbered(self, numbers: Collection[int]) -> dict[int, EndDevice]:
        """Those of these that are there."""

    async def count_devices(
        self, party_id: str | None = None, *, changed_after: int = 0, enabled: bool = False
    ) -> int: ...

    async def lfdis(self, party_id: str) -> Collection[str]: ...

    async def groups_of(self, party_id: str) -> set[int]:
        """Those that the party's devices lie in, without those above them."""

    async def members(self, group_id: int) -> set[int]:
        """The numbers of the devices in the group, those below it left out."""

    async def join(self, group_id: int, *, add: Collection[int], remove: Collection[int]) -> None:
        """Put devices into a group, and take others out of it, by their numbers."""

    async def speakers(self) -> set[str]:
        """Parties that have devices, by id."""

    async def listeners(self, event_id: str) -> set[str]:
        """Parties with a device in a group of which a control tells of this event, and was not cancelled."""

    async def document(self, number: int, path: str) -> StoredDocument | None:
        """By its address below the device's."""

    async def document_paths(self, number: int) -> list[str]: ...

    async def put_document(self, device: EndDevice, path: str, document: StoredDocument) -> bool:
        """In place of the earlier one; whether there was none."""

    async def add_log_event(self, device: EndDevice, created_at: int, body: bytes, *, keep: int) -> int:
        """Its id. Of those of the device the newest ``keep`` stay."""

    async def log_events(self, number: int) -> list[StoredLogEvent]:
        """The oldest first."""

    async def count_log_events(self, numbers: Collection[int]) -> dict[int, int]:
        """By device; those without any are left out."""

    async def rates(self) -> dict[str, int]:
        """Seconds by the name of what is polled or posted: ``EndDeviceList``, ``DERProgramList`` …"""

    async def save_rate(self, name: str, seconds: int | None) -> None:
        """None: as it is by default."""


class Controls(Protocol):
    """What is asked of the devices of a group."""

    async def controls(self, group_id: int, kind: ControlKind, *, since: int) -> list[StoredControl]:
        """Those whose latest end is after ``since``."""

    async def control(self, mrid: str) -> StoredControl | None: ...
    async def of_event(self, event_id: str) -> list[StoredControl]:
        """All that ever told of it, the oldest first."""

    async def ends(self, group_ids: Collection[int]) -> dict[int, int]:
        """Of these groups, those that have controls: when the last of them ends."""

    async def add_control(self, stored: StoredControl) -> StoredControl:
        """Conflict if the mRID is taken."""

    async def add_controls(self, stored: Sequence[StoredControl]) -> None:
        """All at once; Conflict if an mRID is taken."""

    async def cancel_control(self, mrid: str, at: int, *, randomly: bool) -> None:
        """NotFound if there is none."""

    async def cancel_controls(self, mrids: Collection[str], at: int, *, randomly: bool) -> None:
        """All at once; those that are cancelled already, or are not there, are passed over."""

    async def forget(self, before: int) -> int:
        """Drop those that ended before, with what was answered to them; how many they were."""

    async def default(self, group_id: int) -> bytes | None: ...
    async def defaults(self) -> dict[int, bytes]:
        """By group; those without any are left out."""

    async def save_default(self, group_id: int, body: bytes | None) -> None: ...
    async def curves(self, group_id: int | None = None) -> list[StoredCurve]:
        """By id; of all groups, if none is named."""

    async def curve(self, group_id: int, number: int) -> StoredCurve | None: ...
    async def add_curve(self, group_id: int, body: bytes) -> StoredCurve: ...
    async def save_curve(self, curve: StoredCurve) -> None:
        """NotFound if it is gone."""

    async def remove_curve(self, curve: StoredCurve) -> None:
        """NotFound if it is gone."""


class Mirrors(Protocol):
    """What devices mirror to us, and what they answer."""

    async def mirrors(self, party_id: str) -> list[StoredMirror]:
        """By mRID, downwards."""

    async def count_mirrors(self, party_id: str) -> int: ...
    async def mirror(self, number: int) -> StoredMirror | None: ...
    async def save_mirror(self, mirror: StoredMirror, series: Collection[str]) -> tuple[StoredMirror, bool]:
        """In place of the party's with this mRID; whether there was none. ``series``: the mRIDs of all that it has.

        Conflict if another party's mirror has one of them.
        """

    async def remove_mirror(self, number: int) -> None: ...
    async def add_response(self, response: StoredResponse) -> int: ...
    async def responses(self, subjects: Collection[str]) -> list[StoredResponse]:
        """The newest first."""


class Sep2Subscriptions(Protocol):
    """Who is told when a resource of IEEE 2030.5 changes, and what waits for whom.

    What changed is written down by the repositories that change it, in the same transaction.
    """

    async def keep(self, subscription: Subscription) -> tuple[int, bool]:
        """Its id, and whether it is new: one of the same holder for the same resource and address is renewed."""

    async def replace(self, subscription: Subscription) -> None:
        """NotFound if it is gone."""

    async def remove(self, subscription_id: int) -> None: ...

    async def held(self, holder: int, *, skip: int = 0, limit: int = 500) -> list[Subscription]:
        """By id."""

    async def count_held(self, holder: int) -> int: ...
    async def by_id(self, subscription_id: int) -> Subscription | None: ...

    async def has_changes(self) -> bool:
        """Whether there are changes that were not written out to subscriptions."""

    async def spread(self) -> set[int]:
        """Write some of them out, all subscribers at once; the subscriptions that have something to hear."""

    async def waiting(self) -> dict[int, datetime | None]:
        """Those for which something waits, each with the moment before which nothing is tried."""

    async def standings(self, subscription_ids: Collection[int]) -> list[SubscriptionStanding]: ...

    async def tried(self, outcomes: Collection[tuple[Notification, StreamState]], *, ended: Collection[int]) -> None:
        """What came of attempts; ``change_number`` says how often the resource had changed by what was sent.

        One that has changed again meanwhile goes on waiting; those that ended are dropped.
        """

    async def page(
        self, state: NotificationState | None = None, *, skip: int = 0, limit: int = 50
    ) -> list[SubscriptionStanding]:
        """By id."""

    async def revive(self, subscription_id: int | None = None) -> int:
        """Have what was given up tried again, of one or of all; how many they are."""

    async def forget(self, before: int) -> int:
        """Drop those that were not renewed since; how many they were."""


class Turns(Protocol):
    """Lets those who would make the same thing in one after the other, so that who comes later finds it made."""

    def __call__(self, key: str) -> AbstractAsyncContextManager[object]: ...
