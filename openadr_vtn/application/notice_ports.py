"""What notifying needs of the store: what happened to objects, who asked to hear of it, and what they have heard."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from openadr_core.oadr3.names import ObjectKind, Operation
from openadr_vtn.application.oadr3_ports import Page
from openadr_vtn.domain.notification import Notification, NotificationState, StreamState
from openadr_vtn.domain.object_change import ObjectChange
from openadr_vtn.domain.subscription import Hearer, Subscription


class ObjectChanges(Protocol):
    """The outbox of notifications: written with the object, in its transaction; nobody is looked for there."""

    async def record(self, changes: Sequence[ObjectChange]) -> None:
        """The numbers that they have are not looked at: they get new ones, in this order."""

    async def of_object(self, object_id: str) -> list[ObjectChange]:
        """What happened to it, the first first."""

    async def by_numbers(self, numbers: Iterable[int]) -> dict[int, ObjectChange]: ...

    async def unspread(self, limit: int) -> list[ObjectChange]:
        """Those that were not written out to webhooks yet, the first first."""

    async def unpublished(self, limit: int) -> list[ObjectChange]:
        """Those that the broker has not yet, the first first."""

    async def count_unpublished(self) -> int: ...

    async def mark_spread(self, numbers: Collection[int], now: datetime) -> None: ...

    async def mark_published(self, numbers: Collection[int], now: datetime) -> None: ...

    async def forget(self, before: datetime) -> int:
        """Drop those from before then, and every notification of them; how many they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFilter:
    """All that is given must hold."""

    client_id: str | None = None
    """Of this client alone."""
    program_id: str | None = None
    client_name: str | None = None
    kinds: frozenset[ObjectKind] = frozenset()
    """That watch one of these; none: whatever they watch."""


class Subscriptions(Protocol):
    async def add(self, subscription: Subscription) -> None:
        """Conflict if its id is taken."""

    async def replace(self, subscription: Subscription) -> None:
        """NotFound if it is gone. What waits for it waits on, and goes where the new one says."""

    async def remove(self, subscription_id: str) -> None:
        """With all that waits for it; NotFound if it is gone."""

    async def by_id(self, subscription_id: str) -> Subscription | None: ...

    async def by_ids(self, subscription_ids: Collection[str]) -> dict[str, Subscription]: ...

    async def of_client(self, client_id: str) -> list[Subscription]:
        """The oldest first."""

    async def which_are_there(self, subscription_ids: Collection[str]) -> set[str]: ...

    async def page(self, of: SubscriptionFilter, page: Page) -> list[Subscription]:
        """The oldest first."""

    async def count(self, of: SubscriptionFilter) -> int: ...

    async def watching(self, kind: ObjectKind, operation: Operation) -> list[Hearer]:
        """Who watches such changes, in no order."""

    async def watched(self, operation: Operation) -> set[ObjectKind]:
        """The kinds that anybody watches for this operation."""


class Notifications(Protocol):
    async def owe(self, change_number: int, hearers: Sequence[Hearer]) -> None:
        """One waiting notification for each; they get numbers in this order."""

    async def waiting(self) -> dict[str, datetime | None]:
        """The subscriptions for which something waits, each with the moment before which nothing is tried."""

    async def first_waiting(self, subscription_ids: Collection[str], each: int) -> list[Notification]:
        """For each subscription so many at most, in the order of their numbers."""

    async def streams(self, subscription_ids: Collection[str]) -> dict[str, StreamState]:
        """By subscription; one that was never tried has none."""

    async def save(self, notifications: Sequence[Notification], streams: Sequence[StreamState]) -> None:
        """What came of attempts; rows that are gone stay gone."""

    async def of_subscription(
        self, subscription_id: str, state: NotificationState, *, skip: int = 0, limit: int = 50
    ) -> list[Notification]:
        """In the order of their numbers."""

    async def counts(self, subscription_ids: Collection[str]) -> dict[str, dict[NotificationState, int]]:
        """By subscription."""

    async def count(self, state: NotificationState) -> int: ...

    async def revive(self, subscription_id: str, numbers: Collection[int] | None) -> int:
        """Make dead ones wait again, all or those named, before what waits already; how many they are.

        Nothing keeps the stream from being tried at once.
        """
