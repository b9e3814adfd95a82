"""What the agent needs of the world: a store, and gateways to devices."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from openadr_core.model.opt import Opt
from openadr_core.model.report import Reading, ReportRequest
from openadr_ven.domain.held import Baseline, Batch, Delivery, HeldEvent, LoadedFleet, Notice, Round, WantedReport
from openadr_ven.gateways.contract import CommandFrame, Report


class UnitOfWork(Protocol):
    """One transaction over the agent's memory."""

    async def session_record(self, name: str) -> str | None: ...
    async def save_session(self, name: str, record: str) -> None: ...

    async def held_events(self) -> list[HeldEvent]:
        """Every event at its latest version, oldest first."""

    async def save_event(self, held: HeldEvent) -> None:
        """Keep this version; earlier ones stay, as what was said to them does."""

    async def opts(self, event_id: str) -> list[Opt]:
        """Every answer that was given about an event, oldest first."""

    async def save_baseline(self, baseline: Baseline) -> None: ...
    async def latest_baseline(self) -> Baseline | None: ...

    async def add_round(self, made: Round) -> None: ...
    async def last_round(self) -> Round | None: ...
    async def forget_rounds(self, before: datetime) -> None:
        """Drop rounds made before; never the last one, whose sequence must go on growing."""

    async def wanted_reports(self) -> list[WantedReport]: ...
    async def save_wanted_report(self, wanted: WantedReport) -> None: ...
    async def forget_wanted_report(self, request_id: str) -> None: ...
    async def add_batch(self, request: ReportRequest, readings: Sequence[Reading]) -> Batch: ...
    async def unsent_batches(self) -> list[Batch]: ...
    async def forget_batch(self, number: int) -> None: ...

    async def add_deliveries(self, deliveries: Sequence[Delivery]) -> None: ...
    async def deliveries(self, event_id: str) -> list[Delivery]: ...

    async def add_notice(self, notice: Notice) -> None: ...
    async def notices(self, *, limit: int, event_id: str | None = None) -> list[Notice]:
        """The newest first."""

    async def loaded_fleet(self) -> LoadedFleet | None: ...
    async def save_loaded_fleet(self, fleet: LoadedFleet) -> None: ...


class Store(Protocol):
    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Committed when the block ends, rolled back when it raises."""


class Gateways(Protocol):
    """The devices, behind the gateway contract."""

    async def send(self, frames: Sequence[CommandFrame]) -> None:
        """Hand over; a DeviceError says that some could not be, and repeating is safe."""

    def receive(self) -> AsyncIterator[Report]:
        """What gateways say, as it comes; what a broker kept for us while we were away comes first."""
