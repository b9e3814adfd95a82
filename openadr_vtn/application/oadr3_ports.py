"""What the store keeps for OpenADR 3.1 beside programs, events and parties (see :mod:`.ports`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResource:
    """Something behind a ven that it, or business logic, has told of."""

    id: str
    party_id: str
    name: str
    """No two of one ven have the same."""
    targets: tuple[str, ...] = ()
    """Granted by business logic, to the whole ven."""
    document: str
    """The 3.1 object as it was written: JSON text, kept verbatim."""
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """What a client of OpenADR 3.1 reported, in its own words; the readings in it are kept with those of 2.0b too."""

    id: str
    event_id: str
    client_id: str
    party_id: str | None
    """None: the client is no ven of ours."""
    client_name: str
    document: str
    """The 3.1 object as it was written: JSON text, kept verbatim."""
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    skip: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFilter:
    """What of a list is asked for; all that is given must hold, here and below."""

    wanted: frozenset[str] | None = None
    """Objects that have one of these (``domain.visibility``); None: all."""
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Of events that are neither removed nor cancelled: in 3.1 both are deleted."""

    wanted: frozenset[str] | None = None
    program_id: str | None = None
    over: bool | None = None
    """Those that have transpired at ``at``, or those that have not."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenFilter:
    """Of approved parties."""

    wanted: frozenset[str] | None = None
    party_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFilter:
    wanted: frozenset[str] | None = None
    party_id: str | None = None
    """Of this ven alone."""
    ven_id: str | None = None
    """What the query asks for, likewise."""
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    client_id: str | None = None
    """Of this client alone."""
    program_id: str | None = None
    event_id: str | None = None
    client_name: str | None = None


class Resources(Protocol):
    async def add(self, stored: StoredResource) -> None:
        """Conflict if its id is taken, or its name within its ven, or the ven is not there."""

    async def replace(self, stored: StoredResource) -> None:
        """Conflict if its name is taken within its ven."""

    async def remove(self, stored: StoredResource) -> None: ...

    async def by_id(self, resource_id: str) -> StoredResource | None: ...

    async def of_parties(self, party_ids: Iterable[str]) -> list[StoredResource]:
        """Of each the oldest first."""

    async def page(self, of: ResourceFilter, page: Page) -> list[StoredResource]:
        """The oldest first."""

    async def count(self, of: ResourceFilter) -> int: ...


class ReportObjects(Protocol):
    async def add(self, stored: StoredReport) -> None:
        """Conflict if its id is taken or its event is not there."""

    async def replace(self, stored: StoredReport) -> None: ...

    async def remove(self, report_id: str) -> None: ...

    async def forget(self, before: datetime) -> int:
        """Drop those that were written last before then; how many."""

    async def by_id(self, report_id: str) -> StoredReport | None: ...

    async def page(self, of: ReportFilter, page: Page) -> list[StoredReport]:
        """The newest first."""

    async def count(self, of: ReportFilter) -> int: ...
