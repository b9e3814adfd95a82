"""What a sender of notifications needs of whoever knows what is to be said to whom: an outbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from openadr_vtn.application.ports import UnitOfWork
from openadr_vtn.domain.notification import Notification, StreamState


class Parcel(Protocol):
    """A notification, made up for its receiver."""

    @property
    def notification(self) -> Notification: ...
    @property
    def body(self) -> bytes:
        """Empty: its receiver may not see the object any more."""


P = TypeVar("P", bound=Parcel)
P_contra = TypeVar("P_contra", bound=Parcel, contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[P]):
    """What is to be told to one subscription now, in order."""

    subscription_id: str
    state: StreamState | None
    parcels: tuple[P, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried(Generic[P]):
    """What came of a stream's parcels."""

    notifications: tuple[Notification, ...]
    state: StreamState
    taken: tuple[P, ...]


class Outbox(Protocol[P]):
    @property
    def duty(self) -> str:
        """Done by one process at a time of those that share the store."""

    async def spread(self, now: datetime) -> set[str]:
        """Write out what happened to everybody who is to hear of it; the subscriptions that have something to hear."""

    async def waiting(self, uow: UnitOfWork) -> dict[str, datetime | None]:
        """The subscriptions for which something waits, each with the moment before which nothing is tried."""

    async def streams(self, subscription_ids: Sequence[str], now: datetime, *, each: int) -> list[Stream[P]]:
        """What waits first for each of these, so many at most; those for which nothing waits are left out."""

    async def save(self, carried: Sequence[Carried[P]], now: datetime) -> None:
        """What came of attempts; of subscriptions that are gone nothing is kept."""
