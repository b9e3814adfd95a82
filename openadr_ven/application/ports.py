"""What the agent needs of the world: a store, and gateways to devices."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openadr_core.model.opt import Opt
from openadr_core.model.report import Reading, ReportRequest
from openadr_ven.domain.held import Baseline, Batch, Delivery, HeldEvent, LoadedFleet, Notice, Round, WantedReport


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


# -- gateways ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What one gateway is to tell its devices; it carries its own end."""

    gateway: str
    event_id: str
    event_version: int
    sequence: int
    issued_at: datetime
    starts_at: datetime
    ends_at: datetime
    ramp_s: float
    slot: NDArray[np.uint16]
    mode: NDArray[np.uint8]
    setpoint_w: NDArray[np.float32]


class Outcome(IntEnum):
    """What a gateway says of a command."""

    RECEIVED = 1
    STARTED = 2
    COMPLETED = 3
    REJECTED = 4
    OPTED_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    gateway: str
    sequence: int
    outcome: Outcome
    slot: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    gateway: str
    measured_at: datetime
    last_sequence: int
    """The newest command these samples have seen; 0 for none."""
    slot: NDArray[np.uint16]
    power_w: NDArray[np.float32]
    """Net import."""
    soc: NDArray[np.float32]
    temperature_c: NDArray[np.float32]
    plugged: NDArray[np.bool_]
    online: NDArray[np.bool_]


class Gateways(Protocol):
    async def send(self, commands: Sequence[Commands]) -> None:
        """Hand over; a DeviceError says that some could not be, and repeating is safe."""

    def receive(self) -> AsyncIterator[Acknowledgement | Telemetry]:
        """What gateways say, as it comes; what came while we were away comes first."""
