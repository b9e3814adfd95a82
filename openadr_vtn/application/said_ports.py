"""What the store keeps of what parties say: opts, schedules, and what they report (see :mod:`.ports`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from openadr_core.model.availability import OptSchedule
from openadr_core.model.opt import Opt
from openadr_core.model.qualification import Qualification
from openadr_core.model.report import DataPoint, Measurand, Reading, StatusReading
from openadr_core.units import WATT
from openadr_vtn.domain.reporting import OfferedReport, RequestedReport


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReading:
    measurand: Measurand
    unit: str
    source: str
    """The data source's label; empty for everything behind the party."""
    reading: Reading
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatus:
    source: str
    status: StatusReading
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """An opt schedule of a party."""

    number: int
    """Grows with each that comes."""
    party_id: str
    received_at: datetime
    schedule: OptSchedule


class Opts(Protocol):
    async def add(self, party_id: str, opt: Opt) -> None: ...

    async def latest(self, event_id: str) -> dict[str, Opt]:
        """By party id."""

    async def newest(self, party_id: str, event_id: str, version: int) -> Opt | None:
        """What the party said last to this version."""

    async def history(self, event_id: str) -> list[tuple[str, Opt]]:
        """Party id and opt: by version, then in the order they came."""


class Availability(Protocol):
    """Opt schedules of parties, and what they said to single events for some of what they have."""

    async def add(self, party_id: str, schedule: OptSchedule, received_at: datetime) -> None: ...

    async def of_party(self, party_id: str) -> list[StoredSchedule]:
        """In the order in which they came, the cancelled among them."""

    async def all(self) -> dict[str, list[StoredSchedule]]:
        """Every party's, by party id, likewise."""

    async def cancel(self, party_id: str, opt_id: str, now: datetime) -> bool:
        """All with this optID; whether there is one. Of those that were cancelled before, the first time counts."""

    async def remove(self, stored: Iterable[StoredSchedule]) -> None: ...

    async def clear(self, party_id: str) -> None:
        """Every schedule of the party; what it said to events stays."""

    async def qualify(self, party_id: str, said: Qualification, received_at: datetime) -> None:
        """Conflict if there is no such event."""

    async def qualifications(self, event_id: str) -> dict[str, list[Qualification]]:
        """By party id, in the order in which they came."""

    async def has_qualified(self, party_id: str, opt_id: str) -> bool:
        """Whether the party said something to an event under this optID."""


class Reports(Protocol):
    async def replace_offers(self, party_id: str, offers: Sequence[OfferedReport]) -> None:
        """All earlier offers of the party go, and every request with them (2.0b R306)."""

    async def offers(self, party_id: str) -> list[OfferedReport]: ...

    async def save_requests(self, party_id: str, requests: Sequence[RequestedReport]) -> None:
        """Add, or put in place of those with the same id."""

    async def requests(self, party_id: str) -> list[RequestedReport]:
        """The oldest first."""

    async def open_requests(self, party_id: str) -> list[RequestedReport]:
        """Those that something is still expected of; the oldest first."""

    async def count_late(self, now: datetime) -> int:
        """Parties of whom a report is overdue."""

    async def all_open_requests(self) -> dict[str, list[RequestedReport]]:
        """Every party's, by party id: one read, however many parties there are."""

    async def forget_requests(self, party_id: str, before: datetime) -> None:
        """Drop those that ended before."""

    async def add_readings(
        self, party_id: str, readings: Sequence[tuple[DataPoint, Reading]], received_at: datetime
    ) -> None:
        """A reading for the same point and start as an earlier one takes its place (2.0b R346)."""

    async def add_statuses(
        self, party_id: str, statuses: Sequence[tuple[DataPoint, StatusReading]], received_at: datetime
    ) -> None:
        """Likewise."""

    async def series(
        self,
        party_id: str,
        measurand: Measurand,
        since: datetime,
        until: datetime,
        *,
        unit: str = WATT,
        source: str = "",
    ) -> list[Reading]:
        """Readings that start in ``[since, until)``, in order of time; ``source`` is a data source's label.

        One for each start: of several points the one with the shortest interval, then what came last.
        """

    async def readings(
        self, party_id: str, measurand: Measurand, source: str, since: datetime, until: datetime, *, limit: int
    ) -> list[StoredReading]:
        """Those that start in ``[since, until)``, of every point and unit: the newest ``limit``, the newest first."""

    async def newest_of(self, measurand: Measurand, since: datetime) -> dict[str, float]:
        """By party: its newest reading of this since then, of all that is behind it, in watts."""

    async def sources(self, party_id: str) -> list[tuple[Measurand, str]]:
        """What there are readings of, with the label of the data source."""

    async def statuses(self, party_id: str, since: datetime, until: datetime, *, limit: int) -> list[StoredStatus]:
        """How resources stood in ``[since, until)``; the newest ``limit``, the newest first."""

    async def latest_statuses(self, party_id: str) -> list[StoredStatus]:
        """The newest of each data source, by its label."""

    async def forget_data(self, party_id: str, before: datetime) -> int:
        """Drop readings and statuses that begin before; how many."""
